//! The shell steps of an issuer's page in the guide. They are the blocks below `## On your
//! machine`, in this order: get the issuer; start it and wait until it serves; request a token and
//! check it.

use std::path::Path;

use crate::failure::{Failure, Outcome};

const HEADING: &str = "## On your machine";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) get: String,
    pub(crate) start: String,
    pub(crate) ask: String,
}

impl Page {
    /// The page of this name in the guide.
    pub(crate) fn read(name: &'static str) -> Outcome<Self> {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/portcullis/src/guide");
        let text = std::fs::read_to_string(Path::new(guide).join(format!("{name}.md")))?;
        Self::parse(name, &text)
    }

    fn parse(name: &'static str, text: &str) -> Outcome<Self> {
        let failure = |why: &str| Failure::new(format!("guide/{name}.md: {why}"));
        let (_, section) = text
            .split_once(&format!("\n{HEADING}\n"))
            .ok_or_else(|| failure(&format!("no section `{HEADING}`")))?;
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut blocks = section.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next());
        let mut next = || {
            let block = blocks.next().flatten();
            block.map(str::to_owned).ok_or_else(|| failure("it needs three blocks of `sh`"))
        };
        let page = Self { name, get: next()?, start: next()?, ask: next()? };
        match blocks.next() {
            None => Ok(page),
            Some(_) => Err(failure("a fourth block of `sh` would not be run")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuers::{
        Dex, Facts, Glewlwyd, Hydra, Issuer as _, Keycloak, OidcProvider, Spring,
    };

    /// Every page that `cargo xtask interop` runs has its three steps, for the version of the
    /// table.
    #[test]
    fn every_page_contains_the_steps_that_run() {
        let all = [
            Keycloak::facts(),
            Spring::facts(),
            Hydra::facts(),
            Dex::facts(),
            Glewlwyd::facts(),
            OidcProvider::facts(),
        ];
        for Facts { page, version, .. } in all {
            assert!(Page::read(page).unwrap().get.contains(version), "{page} has not {version}");
        }
    }

    #[test]
    fn steps_are_the_blocks_of_one_section() {
        let page = |blocks: &str| {
            let text = format!("# A\n\n```sh\nno\n```\n\n{HEADING}\n\n{blocks}\n## B\n");
            Page::parse("a", &text)
        };
        let block = |text: &str| format!("Text:\n\n```sh\n{text}\n```\n\n");
        let blocks = [block("get\nit"), block("start &"), block("ask")];
        let found = page(&blocks.concat()).unwrap();
        assert_eq!((&*found.get, &*found.start, &*found.ask), ("get\nit", "start &", "ask"));
        assert!(page(&blocks[..2].concat()).is_err());
        assert!(page(&format!("{}{}", blocks.concat(), block("more"))).is_err());
        assert!(Page::parse("a", "# A\n").is_err());
    }
}
