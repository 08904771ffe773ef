//! `cargo xtask no-c`: builds and runs `tests/no_c`, a service without a C compiler. The linker is
//! a script that calls the real one, and fails if it is asked to compile.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::run::{Failure, cargo, output, root, run, target_dir};

/// The names under which build scripts look for a compiler or an assembler.
const COMPILERS: [&str; 8] = ["cc", "gcc", "clang", "c++", "g++", "clang++", "nasm", "cmake"];

pub(crate) fn check() -> Result<(), Failure> {
    let compilers = compilers()?;
    run(with(&mut cargo(&["run", "--quiet", "--locked"]), &compilers)?)?;
    // The script would be worthless if it did not notice a C compiler.
    let mut broken = cargo(&["build", "--quiet", "--locked", "--features", "aws-lc"]);
    let built = with(&mut broken, &compilers)?.output();
    let built = built.map_err(|error| Failure::new(format!("cargo: {error}")))?;
    let error = String::from_utf8_lossy(&built.stderr);
    if built.status.success() || !error.contains("aws-lc-sys") {
        return Err(Failure::new(format!("aws-lc was built without a C compiler:\n{error}")));
    }
    println!("with aws-lc, the build fails");
    Ok(())
}

/// Returns a folder in which each compiler is the script that only links.
fn compilers() -> Result<PathBuf, Failure> {
    let folder = target_dir().join("no-c/bin");
    let script = root().join("tests/no_c/cc");
    fs::create_dir_all(&folder).map_err(|error| Failure::new(error.to_string()))?;
    for name in COMPILERS {
        fs::copy(&script, folder.join(name))
            .map_err(|error| Failure::new(format!("{}: {error}", script.display())))?;
    }
    Ok(folder)
}

fn with<'c>(command: &'c mut Command, compilers: &Path) -> Result<&'c mut Command, Failure> {
    let real = output(Command::new("sh").args(["-c", "command -v cc"]))?;
    let host = output(Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())).arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let linker = format!("CARGO_TARGET_{}_LINKER", host.to_uppercase().replace('-', "_"));
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(compilers.to_path_buf()).chain(env::split_paths(&path));
    let path = env::join_paths(paths).map_err(|error| Failure::new(error.to_string()))?;
    let script = compilers.join("cc");
    Ok(command
        .args(["--manifest-path", "tests/no_c/Cargo.toml", "--target-dir"])
        .arg(target_dir().join("no-c"))
        .env("PATH", path)
        .env("REAL_CC", real.trim())
        .envs(["CC", "CXX", "TARGET_CC", "HOST_CC"].map(|name| (name, &script)))
        .env(linker, &script))
}
