//! Finds known vulnerabilities among the dependencies, offline.

use std::fs;
use std::path::{Path, absolute};

use crate::install;
use crate::run::{Failure, program, root, run};

/// `cargo xtask advisories`: fails for each advisory about a version in `Cargo.lock`, except those
/// that `deny.toml` ignores. `db` is a clone of the RustSec advisory database.
pub(crate) fn check(db: &Path) -> Result<(), Failure> {
    let deny = fs::read_to_string(root().join("deny.toml"))
        .map_err(|error| Failure::new(format!("deny.toml: {error}")))?;
    audit(db, &root().join("Cargo.lock"), &ignored(&deny))
}

fn audit(db: &Path, lock: &Path, ignored: &[&str]) -> Result<(), Failure> {
    let db = absolute(db).map_err(|error| Failure::new(format!("{}: {error}", db.display())))?;
    // With an empty database, cargo-audit would report no advisory.
    if !db.join("crates").is_dir() {
        let why = "not a clone of the RustSec advisory database: it has no folder `crates`";
        return Err(Failure::new(format!("{}: {why}", db.display())));
    }
    let mut audit = program(install::cargo_audit()?);
    audit.args(["audit", "--no-fetch", "--stale", "--db"]).arg(db).arg("--file").arg(lock);
    run(audit.args(ignored.iter().flat_map(|id| ["--ignore", id])))
}

/// Returns the ignored ids in `deny.toml`.
fn ignored(deny: &str) -> Vec<&str> {
    let ids = deny.lines().filter_map(|line| line.trim().strip_prefix("{ id = \""));
    ids.filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const H2: &str = "RUSTSEC-2026-0258";

    #[test]
    #[ignore = "needs cargo-audit: run cargo xtask test"]
    fn vulnerable_lock_file_fails_unless_its_advisory_is_ignored() {
        let fixtures = root().join("crates/xtask/fixtures/advisories");
        let (db, vulnerable) = (fixtures.join("db"), fixtures.join("vulnerable.lock"));
        assert!(audit(&db, &vulnerable, &[]).is_err());
        assert!(audit(&db, &vulnerable, &["RUSTSEC-2026-0001"]).is_err());
        audit(&db, &vulnerable, &[H2]).unwrap();
        audit(&db, &fixtures.join("patched.lock"), &[]).unwrap();
        // The workspace's lock file has h2 0.3, for the tests of actix-web.
        check(&db).unwrap();
        assert!(audit(&db, &root().join("Cargo.lock"), &[]).is_err());
    }

    #[test]
    fn folder_without_advisories_is_rejected() {
        let error = audit(&root().join("docs"), &root().join("Cargo.lock"), &[]).unwrap_err();
        assert!(error.to_string().contains("no folder `crates`"), "{error}");
    }

    #[test]
    fn ignored_advisories_are_read_from_deny_toml() {
        let list = "ignore = [\n    { id = \"A-1\", reason = \"x\" },\n    { id = \"A-2\" },\n]\n";
        assert_eq!(ignored(list), ["A-1", "A-2"]);
        const RSA: &str = "RUSTSEC-2023-0071";
        assert_eq!(ignored(&fs::read_to_string(root().join("deny.toml")).unwrap()), [H2, RSA]);
    }
}
