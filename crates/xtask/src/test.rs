//! Runs every test of the workspace, including those that need real components.

use crate::install;
use crate::postgres::Server;
use crate::run::{COMMAND, Failure, cargo, run};

/// What only a container engine or a cluster could check. Printed at the end of each run, so that a
/// successful run is not mistaken for a complete check.
const NOT_CHECKED: [&str; 3] = [
    "docker build -f deploy/Dockerfile (only its last step is checked: deploy/rootfs.sh and a \
     start in a chroot)",
    "docker compose up in deploy/compose (only its schema, references, nginx.conf and settings are \
     checked)",
    "kubectl apply -f deploy/kubernetes (only its schemas, references and settings are checked)",
];

pub(crate) fn test() -> Result<(), Failure> {
    let installed = install::for_tests()?;
    let tests = run_tests(&installed);
    tests.and(run_doc_tests()).and(run_with_features()).and(run_with_other_providers())
}

/// Runs unit and integration tests, including ignored tests.
pub(crate) fn run_tests(installed: &install::Installed) -> Result<(), Failure> {
    let postgres = Server::start(&installed.postgres)?;
    let mut tests = cargo(&["test", "--workspace", "--tests", "--features", COMMAND]);
    let outcome = run(tests
        .args(["--no-fail-fast", "--", "--include-ignored"])
        .env("PORTCULLIS_NODE", &installed.node)
        .env("PORTCULLIS_PYTHON", &installed.python)
        .env("PORTCULLIS_NGINX", &installed.nginx)
        .env("PORTCULLIS_CADDY", &installed.caddy)
        .env("PORTCULLIS_ENVOY", &installed.envoy)
        .env("PORTCULLIS_PROMTOOL", &installed.promtool)
        .env("PORTCULLIS_MANIFESTS", &installed.manifests)
        .env("PORTCULLIS_POSTGRES", &postgres.url)
        .env("PORTCULLIS_POSTGRES_CA", &postgres.ca)
        .env("PORTCULLIS_POSTGRES_PROGRAMS", installed.postgres.directory())
        .env("PORTCULLIS_REDIS", &installed.redis)
        .env("PORTCULLIS_VALKEY", &installed.valkey)
        .env("PORTCULLIS_SCHEMATHESIS", &installed.schemathesis));
    for what in NOT_CHECKED {
        println!("NOT CHECKED: {what}");
    }
    outcome
}

/// Tests the command without its optional features, and the core with serde_json's
/// `arbitrary_precision`. This feature changes how numbers are parsed, and any crate of a user's
/// build may enable it, so no verdict may depend on it.
pub(crate) fn run_with_features() -> Result<(), Failure> {
    // From the workspace, so that the dependencies are those of the other tests.
    run(&mut cargo(&["test", "--workspace", "--test", "exit"]))?;
    run(&mut cargo(&[
        "test",
        "--package",
        "portcullis",
        "--lib",
        "--features",
        "serde_json/arbitrary_precision",
    ]))
}

/// Runs the bug classes with the other crypto providers. The vectors and the differential test
/// include all providers.
pub(crate) fn run_with_other_providers() -> Result<(), Failure> {
    let mut classes = cargo(&["test", "--package", "portcullis-bug-class", "--test", "bug_class"]);
    run(classes.env("PORTCULLIS_CRYPTO_PROVIDER", "graviola"))
}

/// Runs the examples in the documentation. They run separately, because `--include-ignored` would
/// also run examples marked `ignore`, which cannot be built.
pub(crate) fn run_doc_tests() -> Result<(), Failure> {
    run(&mut cargo(&["test", "--workspace", "--doc", "--features", COMMAND, "--no-fail-fast"]))
}
