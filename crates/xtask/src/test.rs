//! Every test of the workspace, those that need real components included.

use crate::install;
use crate::postgres::Server;
use crate::run::{COMMAND, Failure, cargo, run};

/// What would need a container engine or a cluster. Said at the end of each run, so that a green one
/// is not taken for more than it is.
const NOT_CHECKED: [&str; 3] = [
    "docker build -f deploy/Dockerfile (its last step is: deploy/rootfs.sh and a start in a chroot)",
    "docker compose up in deploy/compose (its schema, references, nginx.conf and settings are)",
    "kubectl apply -f deploy/kubernetes (its schemas, references and settings are)",
];

/// `cargo xtask test`.
pub(crate) fn test() -> Result<(), Failure> {
    let installed = install::for_tests()?;
    let tests = run_tests(&installed);
    tests.and(run_doc_tests()).and(run_with_features())
}

/// Unit and integration tests, the ignored ones too.
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
        .env("PORTCULLIS_SCHEMATHESIS", &installed.schemathesis));
    for what in NOT_CHECKED {
        println!("NOT CHECKED: {what}");
    }
    outcome
}

/// The command once more without its optional parts. The core once more with a feature of
/// serde_json's on that changes how numbers are read: any crate of a user's build may switch it on,
/// and no verdict may depend on it.
pub(crate) fn run_with_features() -> Result<(), Failure> {
    run(&mut cargo(&["test", "--package", "portcullis-cli", "--test", "exit"]))?;
    run(&mut cargo(&[
        "test",
        "--package",
        "portcullis",
        "--lib",
        "--features",
        "serde_json/arbitrary_precision",
    ]))
}

/// The examples in the documentation. Apart, because `--include-ignored` would run those that are
/// marked `ignore` as well, and such an example is one that can not be built.
pub(crate) fn run_doc_tests() -> Result<(), Failure> {
    run(&mut cargo(&["test", "--workspace", "--doc", "--features", COMMAND, "--no-fail-fast"]))
}
