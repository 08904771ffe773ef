//! `cargo xtask fuzz`: runs every fuzz target for a limited time, with the installed toolchain.
//!
//! cargo-fuzz needs a nightly compiler for its sanitizers, which find little in code without `unsafe`.
//! libFuzzer itself only needs coverage, which the stable compiler's LLVM provides. So the targets are built
//! with plain cargo, in a separate target directory.

use std::fs;
use std::time::Duration;

use crate::install;
use crate::run::{Failure, cargo, output, program, root, run, target_dir};

/// The fuzz targets: the binaries in `fuzz/fuzz_targets`.
const TARGETS: [&str; 9] =
    ["jws", "jwk", "jwks", "der", "claims", "readers", "credentials", "challenge", "status_list"];

/// LLVM's coverage instrumentation for libFuzzer.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0";

/// The maximum size of an input, which is above the maximum length of a token.
const MAX_INPUT_BYTES: usize = 20_000;

/// Runs each target for `each`; fails at the first input that panics or violates an assertion.
pub(crate) fn fuzz(each: Duration) -> Result<(), Failure> {
    install::c_compiler()?;
    let host = host()?;
    let target_dir = target_dir().join("fuzz");
    // With `--target`, the flags do not apply to build scripts.
    run(cargo(&["build", "--release", "--locked", "--bins", "--target", &host])
        .args(["--manifest-path", "fuzz/Cargo.toml", "--target-dir"])
        .arg(&target_dir)
        .env("RUSTFLAGS", COVERAGE))?;
    for target in TARGETS {
        // New inputs are stored in the target directory; the seeds in the repository stay unchanged.
        let found = target_dir.join("corpus").join(target);
        let artifacts = target_dir.join("artifacts").join(target);
        for directory in [&found, &artifacts] {
            fs::create_dir_all(directory)
                .map_err(|error| Failure::new(format!("{}: {error}", directory.display())))?;
        }
        let binary = target_dir.join(&host).join("release").join(target);
        run(program(binary)
            .arg(format!("-max_total_time={}", each.as_secs()))
            .arg(format!("-max_len={MAX_INPUT_BYTES}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"])
            .arg(found)
            .arg(root().join("fuzz/corpus").join(target)))?;
    }
    println!("{} targets, {} s each: clean", TARGETS.len(), each.as_secs());
    Ok(())
}

/// Returns the compiler's host triple.
fn host() -> Result<String, Failure> {
    let told = output(program("rustc").arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("`rustc -vV` printed no host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_run_and_has_seeds() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let there = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
        let mut there: Vec<_> = there.filter_map(|rest| rest.strip_suffix(".rs\"")).collect();
        let mut run = TARGETS.to_vec();
        there.sort_unstable();
        run.sort_unstable();
        assert_eq!(there, run);
        for target in TARGETS {
            let seeds = fs::read_dir(root().join("fuzz/corpus").join(target)).unwrap();
            assert!(seeds.count() > 2, "{target}");
        }
    }
}
