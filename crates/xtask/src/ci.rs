//! Every check that a change must pass.

use crate::report::Report;
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
    report.step("models", proof::loom_models);
    report.step("doc tests", test::run_doc_tests);
    report.step("features", test::run_with_features);
    report.step("migrations", migrations::migrations);
    report.step("crypto providers", test::run_with_other_providers);
    report.step("examples", || examples::examples(&[]));
    report.step("quickstart", quickstart);
    report.finish()
}

fn clippy() -> Result<(), Failure> {
    let all = ["clippy", "--workspace", "--all-targets", "--features", COMMAND];
    run(cargo(&all).args(["--", "-D", "warnings"]))?;
    // These packages are checked separately, since other members of the workspace enable their
    // features and those of their dependencies.
    for (package, features) in [
        ("portcullis", "--no-default-features"),
        // All features but `fips`, which needs Go and CMake.
        ("portcullis", "--features=streams,test-util"),
        ("portcullis-actix", "--no-default-features"),
        ("portcullis-axum", "--no-default-features"),
        ("portcullis-hyper", "--no-default-features"),
        ("portcullis-tower", "--no-default-features"),
        ("portcullis-cli", "--no-default-features"),
        // The README's first command builds it alone, with an issuer without `postgres`.
        ("quickstart", "--all-features"),
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

/// Checks the licences and sources of all dependencies.
pub(crate) fn dependencies() -> Result<(), Failure> {
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

/// Runs what the README's first command runs, from the build of the examples. A build with `--release`
/// or of this package alone takes minutes and shows nothing that [`clippy`] does not show.
fn quickstart() -> Result<(), Failure> {
    run(&mut cargo(&["run", "--bin", "quickstart", "--", "--once"]))
}
