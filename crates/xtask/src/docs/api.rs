//! Finds the page of an item of the core among the pages that rustdoc wrote.

use std::fs;
use std::path::Path;

const KINDS: [&str; 7] = ["struct", "trait", "enum", "fn", "type", "constant", "macro"];
const MEMBERS: [&str; 5] = ["method", "tymethod", "variant", "associatedconstant", "structfield"];

/// Returns the page of `path`, such as `crate::Gate::authenticate`, relative to the folder of all API pages.
pub(super) fn page(doc: &Path, path: &str) -> Option<String> {
    let mut folder = "portcullis".to_owned();
    let mut names = path.strip_prefix("crate::")?.split("::").peekable();
    while let Some(name) = names.next() {
        if doc.join(&folder).join(name).join("index.html").exists() {
            folder = format!("{folder}/{name}");
            continue;
        }
        let page = KINDS
            .iter()
            .map(|kind| format!("{folder}/{kind}.{name}.html"))
            .find(|page| doc.join(page).exists())?;
        let Some(member) = names.next() else { return Some(page) };
        let html = fs::read_to_string(doc.join(&page)).ok()?;
        let anchor = MEMBERS
            .iter()
            .map(|kind| format!("{kind}.{member}"))
            .find(|anchor| html.contains(&format!("id=\"{anchor}\"")))?;
        return names.peek().is_none().then(|| format!("{page}#{anchor}"));
    }
    Some(format!("{folder}/index.html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_and_members_are_found_in_the_pages() {
        let doc = std::env::temp_dir().join(format!("xtask-docs-api-{}", std::process::id()));
        let write = |name: &str, html: &str| {
            let path = doc.join("portcullis").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, html).unwrap();
        };
        write("struct.Gate.html", "<section id=\"method.enter\">");
        write("keys/index.html", "");
        write("keys/fn.read.html", "");
        let found = |path| page(&doc, path);
        assert_eq!(found("crate::Gate").as_deref(), Some("portcullis/struct.Gate.html"));
        let enter = "portcullis/struct.Gate.html#method.enter";
        assert_eq!(found("crate::Gate::enter").as_deref(), Some(enter));
        assert_eq!(found("crate::keys").as_deref(), Some("portcullis/keys/index.html"));
        assert_eq!(found("crate::keys::read").as_deref(), Some("portcullis/keys/fn.read.html"));
        for unknown in ["crate::Gat", "crate::Gate::leave", "crate::keys::Read", "std::fs"] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
        fs::remove_dir_all(doc).unwrap();
    }
}
