//! Finds other crates' types in the public signatures of the published crates, by their source text.
//!
//! `unreachable_pub` is denied, so every `pub` item is reachable: the search covers every `pub` item, and
//! every `impl` of a trait for a public type. A name is resolved through imports, re-exports and type aliases
//! to its crate. An unresolved name is an error, so that no signature passes unchecked. Implementations by
//! `derive` are not checked.

mod names;
mod surface;

use std::path::Path;

use self::names::Names;
use crate::cycles::{Sources, sources_of};
use crate::packages::published;
use crate::run::Failure;

/// The crates whose types are allowed in every public signature, in addition to the published crates.
const EVERYWHERE: [&str; 7] = ["alloc", "bytes", "core", "http", "serde", "serde_json", "std"];

/// The frameworks whose types each adapter's signatures may have.
const FRAMEWORKS: [(&str, &[&str]); 8] = [
    // The traits of streams and bodies, which every framework uses.
    ("portcullis", &["futures_core", "http_body"]),
    ("portcullis-actix", &["actix_web", "actix_ws"]),
    ("portcullis-axum", &["axum", "axum_core", "futures_core", "tower_layer", "tower_service"]),
    ("portcullis-hyper", &["hyper"]),
    // Applications merge the issuer's router into theirs.
    ("portcullis-issuer", &["axum"]),
    // Apps pass the crate's keys to jsonwebtoken.
    ("portcullis-jsonwebtoken", &["jsonwebtoken"]),
    // Apps merge the router of its thin proxy into theirs.
    ("portcullis-sidecar", &["axum"]),
    ("portcullis-tower", &["tower_layer", "tower_service"]),
];

/// Allowed exceptions: the package, the signature, and the crate of its type.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    // These functions take the same listener as `axum::serve`.
    ("portcullis-issuer", "serve", "tokio"),
    ("portcullis-issuer", "serve_probes", "tokio"),
    ("portcullis-sidecar", "serve", "tokio"),
    // The `impl` lets the store's code use `?` on an error of sqlx.
    ("portcullis-issuer", "impl From", "sqlx"),
];

/// `cargo xtask api`: fails for each public signature with another crate's type.
pub(crate) fn check() -> Result<(), Failure> {
    let mut found = Vec::new();
    for package in published()? {
        let package = package.name();
        let sources = sources_of(package)?;
        if !sources.contains_key(Path::new("lib.rs")) {
            continue;
        }
        let (signatures, foreign) = foreign(&sources, &allowed(package)?)
            .map_err(|why| Failure::new(format!("{package}: {why}")))?;
        println!("{package}: {signatures} public signatures");
        let mut unmet: Vec<_> = EXCEPTIONS.iter().filter(|known| known.0 == package).collect();
        for Foreign { signature, origin, what } in foreign {
            let is_known =
                |known: &&(&str, &str, &str)| (known.1, known.2) == (&signature, &origin);
            match EXCEPTIONS.iter().find(|known| known.0 == package && is_known(known)) {
                Some(_) => unmet.retain(|known| !is_known(known)),
                None => found.push(format!("{package}: {what}")),
            }
        }
        let no_more =
            |known| format!("{package}: remove an exception that is no longer needed: {known:?}");
        found.extend(unmet.into_iter().map(no_more));
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::new(found.join("\n"))) }
}

fn allowed(package: &str) -> Result<Vec<String>, Failure> {
    let framework = FRAMEWORKS.iter().filter(|(adapter, _)| *adapter == package);
    let framework = framework.flat_map(|(_, crates)| *crates).copied();
    let mut allowed: Vec<String> =
        EVERYWHERE.into_iter().chain(framework).map(Into::into).collect();
    allowed.extend(published()?.iter().map(|ours| ours.name().replace('-', "_")));
    Ok(allowed)
}

/// A type in a public signature that is not allowed.
struct Foreign {
    signature: String,
    /// The type's crate, or the unresolved name.
    origin: String,
    what: String,
}

/// Returns the number of public signatures, and the types that are not allowed.
fn foreign(sources: &Sources, allowed: &[String]) -> Result<(usize, Vec<Foreign>), String> {
    let names = Names::read(sources)?;
    let signatures = names.signatures()?;
    let mut found = Vec::new();
    for signature in &signatures {
        for (path, line) in &signature.paths {
            let file = names.file(&signature.module).display();
            let written = path.join("::");
            let place = format!("{file}:{line}: `{}` names `{written}`", signature.name);
            let mut add = |origin: String, what: String| {
                found.push(Foreign { signature: signature.name.clone(), origin, what });
            };
            match names.origins(&signature.module, path) {
                Ok(origins) => {
                    for origin in origins.into_iter().filter(|origin| !allowed.contains(origin)) {
                        let what = format!("{place}, a type of {origin}");
                        add(origin, what);
                    }
                }
                Err(name) => {
                    let what = format!("{place}, and `{name}` cannot be resolved");
                    add(name, what);
                }
            }
        }
    }
    Ok((signatures.len(), found))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the errors for a crate of these files.
    fn wrong(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Sources =
            files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        let allowed = EVERYWHERE.map(str::to_owned);
        let (_, foreign) = foreign(&sources, &allowed).unwrap();
        foreign.into_iter().map(|foreign| foreign.what).collect()
    }

    #[test]
    fn dependencys_type_is_found_in_every_kind_of_public_signature() {
        for text in [
            "pub fn x(u: url::Url) {}",
            "pub fn x() -> Option<Vec<&'static url::Url>> { None }",
            "pub fn x(u: impl Into<url::Url>) {}",
            "pub fn x<T: Into<url::Url>>(t: T) {}",
            "pub fn x<T>(t: T) where T: Fn(url::Url) -> u8 {}",
            "pub fn x(u: &dyn url::Trait) {}",
            "use url::Url; pub fn x(u: Url) {}",
            "use url::{self as u, Url as Address}; pub fn x(a: Address) {}",
            "use url; pub fn x(u: url::Url) {}",
            "type Address = url::Url; pub fn x(a: Address) {}",
            "pub type Address = url::Url;",
            "pub const X: Option<url::Url> = None;",
            "pub struct X { pub u: url::Url }",
            "pub struct X(pub url::Url);",
            "pub struct X<T: url::Trait>(T);",
            "pub enum X { A { u: url::Url } }",
            "pub trait X: url::Trait {}",
            "pub trait X { type A: url::Trait; }",
            "pub trait X { fn x(&self, u: url::Url) {} }",
            "pub struct X; impl X { pub fn x(u: url::Url) {} }",
            "pub struct X; impl From<url::Url> for X { fn from(_: url::Url) -> X { X } }",
            "pub struct X; impl TryFrom<u8> for X { type Error = url::ParseError; }",
            "pub struct X; impl url::Trait for X {}",
            "pub use url::Url;",
            "pub use url;",
            "pub use url::*;",
            "pin_project! { pub struct X { #[pin] pub u: url::Url } }",
            "mod m { pub fn x(u: super::Url) {} } use url::Url; pub use m::x;",
            "mod m { pub fn x(u: crate::other::Url) {} } mod other { pub(crate) use url::Url; }",
        ] {
            let found = wrong(&[("lib.rs", text)]);
            assert!(found.iter().any(|line| line.ends_with("a type of url")), "{text}: {found:?}");
        }
    }

    #[test]
    fn private_items_may_use_types_of_any_crate() {
        for text in [
            "fn x(u: url::Url) {}",
            "pub(crate) fn x(u: url::Url) {}",
            "pub fn x() { let u: url::Url = todo!(); }",
            "pub struct X { u: url::Url }",
            "pub struct X; impl X { fn x(u: url::Url) {} pub(crate) fn y() -> url::Url { todo!() } }",
            "struct X; impl From<url::Url> for X { fn from(_: url::Url) -> X { X } }",
            "pub struct X; trait Y {} impl Y for X { }",
            "#[cfg(test)] mod tests { pub fn x(u: url::Url) {} }",
            "use url::Url;",
            "pub fn x(u: http::Uri, v: std::time::Duration) -> Result<String, serde_json::Error> {}",
            "use std::fmt; pub struct X; impl fmt::Display for X {}",
            "pub trait T { type A; fn x(&self) -> Self::A; }",
            "pub fn x<T: Iterator>(t: T) -> T::Item where T::Item: Clone {}",
        ] {
            assert_eq!(wrong(&[("lib.rs", text)]), [""; 0], "{text}");
        }
    }

    #[test]
    fn name_is_resolved_across_files_and_reported_with_its_line() {
        let files = [
            ("lib.rs", "mod a;\npub use a::b::x;"),
            ("a.rs", "pub(crate) mod b;\nuse url::Url;"),
            ("a/b.rs", "use super::Url as Address;\n\npub fn x(a: Address) {}"),
        ];
        assert_eq!(wrong(&files), ["a/b.rs:3: `x` names `Address`, a type of url"]);
    }

    #[test]
    fn unresolved_name_is_an_error() {
        assert_eq!(
            wrong(&[("lib.rs", "pub fn x(u: Url) {}")]),
            ["lib.rs:1: `x` names `Url`, and `Url` cannot be resolved"]
        );
        let unread = [("lib.rs", "make! { x => pub struct }")];
        let sources = unread.map(|(path, text)| (path.into(), text.to_owned())).into();
        assert!(foreign(&sources, &[]).is_err());
    }
}
