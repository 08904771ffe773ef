//! Runs `tests/real_issuers` with the issuers whose requirements are installed, and the guide's
//! programs in the languages whose compilers are installed.

use crate::install;
use crate::run::{COMMAND, Failure, cargo, output, program, root, run, target_dir, version};

/// The issuers, each with the programs that it needs and that this task does not install.
const ISSUERS: [(&str, &[&str]); 6] = [
    ("keycloak", &["java", "mvn"]),
    ("spring", &["java", "mvn"]),
    ("hydra", &["go", "cc"]),
    ("dex", &["go", "cc"]),
    ("oidc-provider", &["node", "npm"]),
    ("glewlwyd", &["apt-get", "dpkg-deb"]),
];

/// Other languages, whose programs are built and tested with our own issuer. `cargo xtask test` tests
/// the languages that need no compiler.
const LANGUAGES: [(&str, &[&str]); 2] = [("go", &["go"]), ("java", &["java", "mvn"])];

const RESULTS: &str = "tests/real_issuers/RESULTS.md";

/// `cargo xtask interop`: tests these issuers and languages, by default all.
pub(crate) fn interop(names: &[String]) -> Result<(), Failure> {
    let known: Vec<_> = ISSUERS.into_iter().chain(LANGUAGES).collect();
    let unknown = names.iter().find(|name| !known.iter().any(|(known, _)| known == name));
    if let Some(unknown) = unknown {
        let known: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        return Err(Failure::new(format!(
            "unknown name {unknown:?}; known are {}",
            known.join(", ")
        )));
    }
    install::curl()?;
    install::jq()?;
    let (mut here, mut left_out) = (Vec::new(), Vec::new());
    for (name, needs) in known {
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
    let (languages, issuers): (Vec<_>, Vec<_>) =
        here.into_iter().partition(|here| LANGUAGES.iter().any(|(name, _)| name == here));
    let outcome = if issuers.is_empty() { Ok(()) } else { run_issuers(&issuers) };
    let outcome = outcome.and(run_languages(&languages));
    for line in &left_out {
        println!("{line}");
    }
    // Skipping a name that the user gave is an error.
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

/// Builds the programs of these languages, and runs the tests of the guide's chapter with them.
fn run_languages(names: &[&str]) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    let folder = root().join("docs/other-languages");
    // The same libraries with their defaults, which the chapter describes.
    let defaults = root().join("tests/interop/third_party/defaults");
    // The features of `cargo xtask test`, whose build is used again.
    let mut tests = cargo(&["test", "--workspace", "--features", COMMAND]);
    tests.args(["--test", "third_party_issuer", "in_other_languages"]);
    // One after another: a JVM that shares the machine with three others may not start in time.
    tests.args(["--", "--include-ignored", "--nocapture", "--test-threads", "1"]);
    if names.contains(&"go") {
        // The separator at the end makes it a folder with a program for each package.
        let built = target_dir().join("interop").join("go").join("");
        for folder in [folder.join("go"), defaults.join("go")] {
            let mut build = program("go");
            run(build.current_dir(folder).args(["build", "-o"]).arg(&built).arg("./..."))?;
        }
        tests.env("PORTCULLIS_GO", built);
    }
    if names.contains(&"java") {
        for folder in [folder.join("java"), defaults.join("java")] {
            run(program("mvn").current_dir(folder).args(["-q", "-B", "package"]))?;
        }
        tests.env("PORTCULLIS_JAVA", folder.join("java/target/orders.jar"));
        tests.env("PORTCULLIS_JAVA_DEFAULTS", defaults.join("java/target/defaults.jar"));
    }
    run(&mut tests)
}

fn is_here(name: &str) -> bool {
    match name {
        "go" => output(program("go").arg("version")).is_ok(),
        name => version(name).is_some(),
    }
}
