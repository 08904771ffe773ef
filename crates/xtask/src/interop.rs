//! Runs `tests/real_issuers` with the issuers whose requirements are installed.

use crate::install;
use crate::run::{Failure, cargo, output, program, root, run, target_dir, version};

/// The issuers, each with the programs that it needs and that this task does not install.
const ISSUERS: [(&str, &[&str]); 6] = [
    ("keycloak", &["java", "mvn"]),
    ("spring", &["java", "mvn"]),
    ("hydra", &["go", "cc"]),
    ("dex", &["go", "cc"]),
    ("oidc-provider", &["node", "npm"]),
    ("glewlwyd", &["apt-get", "dpkg-deb"]),
];

const RESULTS: &str = "tests/real_issuers/RESULTS.md";

/// `cargo xtask interop`: tests these issuers, by default all.
pub(crate) fn interop(names: &[String]) -> Result<(), Failure> {
    let unknown = names.iter().find(|name| !ISSUERS.iter().any(|(known, _)| known == name));
    if let Some(unknown) = unknown {
        let known: Vec<_> = ISSUERS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::new(format!(
            "unknown issuer {unknown:?}; known are {}",
            known.join(", ")
        )));
    }
    install::curl()?;
    install::jq()?;
    let (mut here, mut left_out) = (Vec::new(), Vec::new());
    for (name, needs) in ISSUERS {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        match needs.iter().find(|needed| !is_here(needed)) {
            None => here.push(name),
            Some(missing) => left_out.push(format!("{name} skipped: `{missing}` is missing")),
        }
    }
    if here.contains(&"glewlwyd") {
        // The steps of glewlwyd's page download Debian packages.
        install::update_package_lists("glewlwyd")?;
    }
    let outcome = if here.is_empty() { Ok(()) } else { run_issuers(&here) };
    for line in &left_out {
        println!("{line}");
    }
    // Skipping an issuer that the user named is an error.
    if !names.is_empty() && !left_out.is_empty() {
        return outcome.and(Err(Failure::new(left_out.join("\n"))));
    }
    outcome
}

fn run_issuers(names: &[&str]) -> Result<(), Failure> {
    let date = output(program("date").args(["-u", "+%F"]))?;
    // The steps of the pages run `portcullis`.
    run(&mut cargo(&["build", "--package", "portcullis-cli"]))?;
    let mut rows = cargo(&["run", "--quiet", "--package", "portcullis-real-issuers", "--"]);
    rows.arg("--folder").arg(target_dir().join("interop"));
    rows.arg("--tools").arg(target_dir().join("debug"));
    rows.arg("--results").arg(root().join(RESULTS));
    run(rows.args(["--date", date.trim()]).args(names))
}

fn is_here(name: &str) -> bool {
    match name {
        "go" => output(program("go").arg("version")).is_ok(),
        name => version(name).is_some(),
    }
}
