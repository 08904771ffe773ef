//! Finds import cycles between the modules of a crate, by its source text.
//!
//! A module's children belong to it: a parent may use its children, and they may use the parent's own items.
//! Siblings must not form a cycle. Module `a` depends on its sibling `b` if a path in `a` or below names `b` or
//! an item below it. A path through a re-export counts for each module on the way: `super::X` in `a` is a
//! dependency on `b` if the parent has `pub use b::X`.
//!
//! Code under `#[cfg(test)]` is ignored. Dependencies without a path are not found, such as a call of an
//! inherent method that is implemented in another module than its type.

mod graph;
pub(crate) mod scan;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use self::graph::Cycle;
use crate::run::{Failure, root};

/// The packages that must not have cycles.
const WITHOUT_CYCLES: [&str; 12] = [
    "portcullis",
    "portcullis-actix",
    "portcullis-axum",
    "portcullis-graviola",
    "portcullis-hyper",
    "portcullis-issuer",
    "portcullis-issuer-client",
    "portcullis-postgres",
    "portcullis-redis",
    "portcullis-sidecar",
    "portcullis-testing",
    "portcullis-tower",
];

/// The text of each source file, by its path below `src`.
pub(crate) type Sources = BTreeMap<PathBuf, String>;

/// `cargo xtask cycles`: fails for each cycle in these packages, by default in all of [`WITHOUT_CYCLES`].
pub(crate) fn check(packages: &[String]) -> Result<(), Failure> {
    let all = WITHOUT_CYCLES.map(str::to_owned);
    let packages = if packages.is_empty() { &all[..] } else { packages };
    let mut found = Vec::new();
    for package in packages {
        let sources = sources_of(package)?;
        let mut cycles = 0;
        for crate_root in ["lib.rs", "main.rs"].map(Path::new) {
            if sources.contains_key(crate_root) {
                let crate_cycles = cycles_of(&sources, crate_root)
                    .map_err(|why| Failure::new(format!("{package}: {why}")))?;
                cycles += crate_cycles.len();
                found.extend(crate_cycles.iter().map(|cycle| format!("{package}: {cycle}")));
            }
        }
        println!("{package}: {cycles} import cycles");
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::new(found.join("\n"))) }
}

fn cycles_of(sources: &Sources, crate_root: &Path) -> Result<Vec<Cycle>, String> {
    Ok(graph::cycles(&scan::modules(sources, crate_root)?))
}

pub(crate) fn sources_of(package: &str) -> Result<Sources, Failure> {
    let directory = root().join("crates").join(package).join("src");
    let mut sources = Sources::new();
    read_below(&directory, &directory, &mut sources)
        .map_err(|error| Failure::new(format!("{}: {error}", directory.display())))?;
    Ok(sources)
}

fn read_below(source: &Path, directory: &Path, sources: &mut Sources) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read_below(source, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(source).unwrap_or(&path).to_owned();
            sources.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the modules of each cycle in a crate of these files.
    fn found(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let sources: Sources =
            files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        let cycles = cycles_of(&sources, Path::new("lib.rs"))?;
        Ok(cycles.iter().map(|cycle| cycle.modules().join(" ")).collect())
    }

    fn cycles(files: &[(&str, &str)]) -> Vec<String> {
        found(files).unwrap()
    }

    #[test]
    fn siblings_that_import_each_other_are_a_cycle() {
        let uses = [
            "use crate::b::X;",
            "use crate::b::{self, X};",
            "use crate::{b::X, c};",
            "use super::b as other;",
            "pub(crate) use super::super::a::super::b::X;",
            "fn f() { crate::b::x() }",
            "fn f() -> super::b::X { todo!() }",
            "fn f() { format!(\"{}\", crate::b::x()); }",
            "macro_rules! m { () => { $crate::b::x() } }",
            "mod inner { fn f() { super::super::b::x() } }",
            "fn f() { use super::b; }",
            "#[cfg(not(test))] use crate::b::X;",
            "#[cfg(any(test, unix))] use crate::b::X;",
        ];
        for text in uses {
            let files = [("lib.rs", "mod a; mod b; mod c;"), ("a.rs", text), ("c.rs", "")];
            let b = ("b.rs", "use crate::a::Y;");
            assert_eq!(cycles(&[&files[..], &[b]].concat()), ["crate::a crate::b"], "{text}");
            assert!(cycles(&[&files[..], &[("b.rs", "")]].concat()).is_empty(), "{text}");
        }
    }

    #[test]
    fn text_without_a_path_to_a_sibling_is_not_a_dependency() {
        for text in [
            "// use crate::b::X;",
            "/// See [`X`](crate::b::X).\nstruct Y;",
            "const TEXT: &str = \"crate::b::X\";",
            "const TEXT: &str = r#\"\" crate::b::X\"#;",
            "use other::b::X;",
            "fn f<'b>(value: &'b str) { value.b::<u8>() }",
            "pub use b::b; fn f() { b::x() }",
            "#[cfg(test)] mod tests { use crate::b::X; }",
            "#[cfg(test)] use crate::b::X;",
            "#[cfg(all(test, unix))] fn f() -> [u8; 3] { crate::b::x() }",
            "struct S { #[cfg(test)] x: crate::b::X, y: u8 }",
        ] {
            let files = [("lib.rs", "mod a; mod b;"), ("a.rs", text), ("b.rs", "use crate::a;")];
            assert!(cycles(&files).is_empty(), "{text}");
        }
    }

    #[test]
    fn parents_and_children_may_use_each_other() {
        let files = [
            ("lib.rs", "mod a; pub use self::a::X; fn f() { a::x() }"),
            ("a.rs", "mod child; pub struct X; fn f() { child::y(); crate::f() }"),
            ("a/child.rs", "use super::X; fn f() { crate::f() }"),
        ];
        assert!(cycles(&files).is_empty());
    }

    #[test]
    fn path_through_a_re_export_is_a_dependency_on_the_module_behind_it() {
        let files = |b| {
            [
                ("lib.rs", "mod parent;"),
                ("parent.rs", "mod a; mod b; pub use self::b::X; use self::a::Y as Z;"),
                ("parent/a.rs", "use super::X;"),
                ("parent/b.rs", b),
            ]
        };
        let cycle = ["crate::parent::a crate::parent::b"];
        assert_eq!(cycles(&files("use super::Z;")), cycle);
        assert_eq!(cycles(&files("use super::super::parent::Z;")), cycle);
        assert_eq!(cycles(&files("use crate::parent as p; fn f() -> p::Z { todo!() }")), cycle);
        assert!(cycles(&files("use super::Other;")).is_empty());
        // The re-exporting module is a dependency, too.
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "pub struct X; use crate::c::Y;"),
            ("b.rs", "pub use crate::a::X;"),
            ("c.rs", "use crate::b::X;"),
        ];
        assert_eq!(cycles(&files), ["crate::a crate::b crate::c"]);
    }

    #[test]
    fn cycle_is_found_at_the_level_where_its_modules_are_siblings() {
        let files = [
            ("lib.rs", "mod a; mod b { mod y { use crate::a::Z; } pub struct W; }"),
            ("a/mod.rs", "mod x; mod z;"),
            ("a/x.rs", "use crate::b::W; use super::z::V;"),
            ("a/z.rs", "fn f() -> super::x::U { todo!() }"),
        ];
        assert_eq!(cycles(&files), ["crate::a crate::b", "crate::a::x crate::a::z"]);
    }

    #[test]
    fn long_cycle_is_reported_with_its_lines() {
        let sources: Sources = [
            ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
            ("a.rs", "use crate::b::X;"),
            ("b.rs", "\n\nuse crate::c;"),
            ("c.rs", "fn f() {\n    crate::a::g();\n    crate::a::h()\n}\nuse super::d;"),
            ("d.rs", ""),
        ]
        .map(|(path, text)| (path.into(), text.to_owned()))
        .into();
        let cycles = cycles_of(&sources, Path::new("lib.rs")).unwrap();
        let [cycle] = &cycles[..] else { panic!("{cycles:?}") };
        assert_eq!(
            cycle.to_string(),
            "import cycle between modules: crate::a crate::b crate::c\n    \
             a -> b: a.rs:1 crate::b::X\n    \
             b -> c: b.rs:3 crate::c\n    \
             c -> a: c.rs:2 crate::a::g (and 1 more)"
        );
    }

    #[test]
    fn unresolvable_import_is_an_error() {
        for (files, why) in [
            (&[("lib.rs", "mod a;")][..], "lib.rs:1: there is no file for `mod a`"),
            (
                &[("lib.rs", "mod a;"), ("a.rs", "use crate::b::*;")],
                "a.rs:1: a glob import hides its names; import them by name",
            ),
            (
                &[("lib.rs", "\n#[path = \"x.rs\"]\nmod a;"), ("x.rs", "")],
                "lib.rs:3: `#[path]` is not supported; name the file after its module",
            ),
            (&[("lib.rs", "fn f() {")], "cannot parse lib.rs: "),
        ] {
            let error = found(files).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
        // A glob import from another crate is allowed.
        let glob = [("lib.rs", "mod a;"), ("a.rs", "use other::*; use std::io::prelude::*;")];
        assert!(cycles(&glob).is_empty());
    }
}
