//! Every check that a change must pass.

use std::fmt;
use std::time::{Duration, Instant};

use crate::run::{COMMAND, Failure, cargo, program, run};
use crate::{
    api, boundary, cycles, examples, former_name, install, migrations, msrv, proof, spelling,
    stands_on, test, words,
};

/// `cargo xtask ci`: runs every check. Continues after a failure, so that one run shows all
/// failures.
pub(crate) fn ci() -> Result<(), Failure> {
    let mut report = Report::default();
    report.step("format", || run(&mut cargo(&["fmt", "--all", "--check"])));
    report.step("clippy", clippy);
    report.step("rustdoc", rustdoc);
    report.step("boundaries", boundary::check);
    report.step("public types", api::check);
    report.step("import cycles", || cycles::check(&[]));
    report.step("direct dependencies", stands_on::check);
    report.step("former name", former_name::check);
    report.step("words", words::check);
    report.step("spelling", spelling::check);
    report.step("dependencies", dependencies);
    report.step("oldest Rust", msrv::check);
    if let Some(installed) = report.step("install", install::for_tests) {
        report.step("tests", || test::run_tests(&installed));
    }
    report.step("models", || proof::proof(true, None));
    report.step("doc tests", test::run_doc_tests);
    report.step("features", test::run_with_features);
    report.step("migrations", migrations::migrations);
    report.step("examples", || examples::examples(&[]));
    report.step("quickstart", quickstart);
    report.finish()
}

fn clippy() -> Result<(), Failure> {
    let all = ["clippy", "--workspace", "--all-targets", "--features", COMMAND];
    run(cargo(&all).args(["--", "-D", "warnings"]))?;
    // These packages are checked separately, since other members of the workspace enable their
    // features.
    for (package, features) in [
        ("portcullis", "--no-default-features"),
        ("portcullis", "--all-features"),
        ("portcullis-actix", "--no-default-features"),
        ("portcullis-axum", "--no-default-features"),
        ("portcullis-hyper", "--no-default-features"),
        ("portcullis-tower", "--no-default-features"),
        ("portcullis-cli", "--no-default-features"),
    ] {
        let one = ["clippy", "--package", package, features];
        run(cargo(&one).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn rustdoc() -> Result<(), Failure> {
    run(cargo(&["doc", "--workspace", "--no-deps", "--features", COMMAND])
        .env("RUSTDOCFLAGS", "-D warnings"))
}

fn dependencies() -> Result<(), Failure> {
    let cargo_deny = install::cargo_deny()?;
    run(program(cargo_deny).args([
        "--workspace",
        "--all-features",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]))
}

/// Runs the README's first command without `--release`: a release build of the whole tree takes as long as all
/// tests and shows nothing more.
fn quickstart() -> Result<(), Failure> {
    run(&mut cargo(&["run", "--package", "quickstart", "--", "--once"]))
}

/// The outcome and the duration of each step.
#[derive(Debug, Default)]
struct Report {
    steps: Vec<(&'static str, Duration, Option<Failure>)>,
}

impl Report {
    fn step<T>(
        &mut self,
        name: &'static str,
        action: impl FnOnce() -> Result<T, Failure>,
    ) -> Option<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let (value, failure) = match action() {
            Ok(value) => (Some(value), None),
            Err(failure) => (None, Some(failure)),
        };
        if let Some(failure) = &failure {
            println!("{failure}");
        }
        self.steps.push((name, start.elapsed(), failure));
        value
    }

    fn finish(self) -> Result<(), Failure> {
        println!("\n{self}");
        let failed: Vec<&str> = self
            .steps
            .iter()
            .filter(|(_, _, failure)| failure.is_some())
            .map(|(name, _, _)| *name)
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(format!("failed: {}", failed.join(", "))))
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, duration, failure) in &self.steps {
            let outcome = if failure.is_some() { "FAILED" } else { "ok" };
            writeln!(f, "{name:<14}{outcome:<8}{:>6.1} s", duration.as_secs_f64())?;
        }
        let total: Duration = self.steps.iter().map(|(_, duration, _)| *duration).sum();
        write!(f, "{:<22}{:>6.1} s", "total", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_step_is_reported_and_later_steps_run() {
        let mut report = Report::default();
        assert_eq!(report.step("first", || Ok(1)), Some(1));
        assert_eq!(report.step::<()>("second", || Err(Failure::new("no"))), None);
        assert_eq!(report.step("third", || Ok(3)), Some(3));

        let lines: Vec<String> = report.to_string().lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("first") && lines[0].contains("ok"), "{lines:?}");
        assert!(lines[1].starts_with("second") && lines[1].contains("FAILED"), "{lines:?}");
        assert!(lines[3].starts_with("total"), "{lines:?}");
        assert_eq!(report.finish().unwrap_err().to_string(), "failed: second");
    }
}
