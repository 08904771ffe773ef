//! Checks the minimum supported Rust version (MSRV) of the libraries ([ADR 14](../../../docs/adr/0014-rust-1.88-for-the-libraries.md)).
//!
//! Two of the three checks always run and build nothing. They read the `rust-version` of the
//! dependencies of each published package, and search for newer syntax (clippy's
//! `incompatible_msrv` finds newer functions of the standard library). The third check builds the
//! libraries with the MSRV's toolchain, if rustup has the toolchain or can install it.

mod demands;
mod syntax;

use std::process::{Command, Stdio};

use crate::run::{Failure, foreign_cargo, program, run, target_dir};

/// The MSRV of the libraries.
const OLDEST: &str = "1.88";

/// The packages with this MSRV. Other packages have their own `rust-version`.
const LIBRARIES: [&str; 10] = [
    "portcullis",
    "portcullis-axum",
    "portcullis-hyper",
    "portcullis-issuer-client",
    "portcullis-jsonwebtoken",
    "portcullis-postgres",
    "portcullis-redis",
    "portcullis-sidecar",
    "portcullis-testing",
    "portcullis-tower",
];

/// Fails if a package needs a newer Rust than its `rust-version`, or does not build with it.
pub(crate) fn check() -> Result<(), Failure> {
    let demands = demands::check(&LIBRARIES, OLDEST);
    let syntax = syntax::check(&LIBRARIES);
    demands.and(syntax).and(build())
}

fn build() -> Result<(), Failure> {
    if !has_toolchain() && !has_installed_toolchain() {
        println!(
            "NOT BUILT WITH RUST {OLDEST}: rustup does not have it and could not install it \
             (`rustup toolchain install {OLDEST} --profile minimal`). The libraries were checked by \
             their dependencies' `rust-version`, by their syntax, and by clippy's `incompatible_msrv`."
        );
        return Ok(());
    }
    let libraries = LIBRARIES.iter().flat_map(|library| ["--package", library]);
    let libraries: Vec<&str> = libraries.collect();
    for (packages, features) in [
        (libraries.as_slice(), &[][..]),
        (&libraries, &["--no-default-features"]),
        // All features but `fips`, which needs Go and CMake.
        (&["--package", "portcullis"], &["--features=streams,test-util"]),
    ] {
        let mut check = foreign_cargo("rustup");
        check.args(["run", OLDEST, "cargo", "check", "--locked"]).args(packages).args(features);
        // Nothing runs, so its C code need not be optimized.
        check.args(["--config", "profile.dev.package.aws-lc-sys.opt-level=0"]);
        // This build has a separate target directory: two toolchains that share one would rebuild
        // each other's crates.
        run(check.env("CARGO_TARGET_DIR", target_dir().join("msrv")))?;
    }
    Ok(())
}

fn has_toolchain() -> bool {
    let mut rustc = program("rustup");
    is_success(rustc.args(["run", OLDEST, "rustc", "--version"]))
}

fn has_installed_toolchain() -> bool {
    let mut install = program("rustup");
    is_success(install.args(["toolchain", "install", OLDEST, "--profile", "minimal"]))
        && has_toolchain()
}

fn is_success(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
