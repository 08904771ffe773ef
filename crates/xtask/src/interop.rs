//! The product against real issuers: which of them can run here, and the program that runs them
//! (`tests/real_issuers`).

use crate::install;
use crate::run::{Failure, cargo, output, program, root, run, target_dir, version};

/// An issuer, and the programs that it needs and that are not installed for it.
const ISSUERS: [(&str, &[&str]); 6] = [
    ("keycloak", &["java", "mvn"]),
    ("spring", &["java", "mvn"]),
    ("hydra", &["go", "cc"]),
    ("dex", &["go", "cc"]),
    ("oidc-provider", &["node", "npm"]),
    ("glewlwyd", &["apt-get", "dpkg-deb"]),
];

const RESULTS: &str = "tests/real_issuers/RESULTS.md";

/// `cargo xtask interop`: these, or all if none is named.
pub(crate) fn interop(names: &[String]) -> Result<(), Failure> {
    let unknown = names.iter().find(|name| !ISSUERS.iter().any(|(known, _)| known == name));
    if let Some(unknown) = unknown {
        let known: Vec<_> = ISSUERS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::new(format!("no issuer {unknown:?}: there are {}", known.join(", "))));
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
            Some(missing) => left_out.push(format!("{name} was left out: no `{missing}` here")),
        }
    }
    if here.contains(&"glewlwyd") {
        // Its page downloads Debian's packages.
        install::update_package_lists("glewlwyd")?;
    }
    let outcome = if here.is_empty() { Ok(()) } else { run_issuers(&here) };
    for line in &left_out {
        println!("{line}");
    }
    // Who names an issuer wants it.
    if !names.is_empty() && !left_out.is_empty() {
        return outcome.and(Err(Failure::new("not every issuer that was named can run here")));
    }
    outcome
}

fn run_issuers(names: &[&str]) -> Result<(), Failure> {
    let date = output(program("date").args(["-u", "+%F"]))?;
    // The pages' steps call the command.
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
