//! `cargo xtask dist`: builds what a release on GitHub contains.

mod linked;
mod notices;
mod sbom;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use crate::clone;
use crate::packages::published;
use crate::run::{Failure, cargo, output, program, run, target_dir};

/// The programs of a release.
const PROGRAMS: [Program; 3] = [
    // Without `live`, which would contain the issuer, a preview, and its database.
    Program { package: "portcullis-cli", name: "portcullis", features: &["bench"] },
    Program { package: "portcullis-issuer", name: "portcullis-issuer", features: &[] },
    Program { package: "portcullis-sidecar", name: "portcullis-sidecar", features: &[] },
];

#[derive(Debug)]
struct Program {
    package: &'static str,
    name: &'static str,
    features: &'static [&'static str],
}

/// Builds all programs, checks what they are linked to, and writes their archives, their SBOMs and
/// the checksums of these files. Runs each program from its archive.
pub(crate) fn dist() -> Result<(), Failure> {
    let source = clone::of_last_commit()?;
    let host = host()?;
    let files = target_dir().join("dist-files");
    let staged = target_dir().join("dist-staged");
    for folder in [&files, &staged] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| failed(folder, &error))?;
        }
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    let packages = published()?;
    for packed in &PROGRAMS {
        let package = packages.iter().find(|package| package.name() == packed.package);
        let package = package.ok_or_else(|| {
            Failure::new(format!("{} is not a published package", packed.package))
        })?;
        let built = build(packed, &source)?;
        linked::check(&built)?;
        let name = format!("{}-{}", packed.name, package.version());
        let notices = staged.join("THIRD-PARTY-LICENSES.txt");
        notices::write(packed, &source, &host, &notices)?;
        let packed_file = files.join(format!("{name}-{host}.tar.gz"));
        archive(&built, &notices, packed, &source, &packed_file)?;
        trial::run_archive(&packed_file, packed.name, package.version())?;
        sbom::write(packed, &source, &host, &files.join(format!("{name}-{host}.cdx.json")))?;
    }
    checksums(&files)
}

fn build(packed: &Program, source: &Path) -> Result<PathBuf, Failure> {
    let mut build = cargo(&["build", "--locked", "--profile", "dist"]);
    build.args(["--package", packed.package, "--bin", packed.name]);
    build.args(["--features", &packed.features.join(",")]);
    // Shares the dependencies with other builds.
    run(build.env("CARGO_TARGET_DIR", target_dir()).current_dir(source))?;
    Ok(target_dir().join("dist").join(packed.name))
}

/// Writes an archive of the program, its README, and the licences of all that it contains. The same
/// files give the same bytes: all have the time of the last commit.
fn archive(
    built: &Path,
    notices: &Path,
    packed: &Program,
    source: &Path,
    file: &Path,
) -> Result<(), Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_end_matches(".tar.gz");
    let staged = target_dir().join("dist-staged");
    let folder = staged.join(name);
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    let readme = source.join("crates").join(packed.package).join("README.md");
    let licences = ["LICENSE-APACHE", "LICENSE-MIT"].map(|licence| source.join(licence));
    for file in [built.to_owned(), notices.to_owned(), readme].iter().chain(&licences) {
        let copy = folder.join(file.file_name().unwrap_or_default());
        fs::copy(file, copy).map_err(|error| failed(file, &error))?;
    }
    let time = output(program("git").args(["log", "-1", "--format=%ct"]).current_dir(source))?;
    let mut tar = program("tar");
    tar.args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg("--mode=a+rX,u+w,go-w");
    tar.arg(format!("--mtime=@{}", time.trim())).arg("--file").arg(file);
    run(tar.arg("--directory").arg(&staged).arg(name))?;
    println!("{name}: {} kB, program {} kB", kilobytes(file)?, kilobytes(built)?);
    Ok(())
}

fn kilobytes(file: &Path) -> Result<u64, Failure> {
    let metadata = fs::metadata(file).map_err(|error| failed(file, &error))?;
    Ok(metadata.len() / 1000)
}

fn checksums(files: &Path) -> Result<(), Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(files).map_err(|error| failed(files, &error))? {
        let entry = entry.map_err(|error| failed(files, &error))?;
        names.push(entry.file_name());
    }
    names.sort_unstable();
    let sums = output(program("sha256sum").args(&names).current_dir(files))?;
    let list = files.join("SHA256SUMS");
    fs::write(&list, sums).map_err(|error| failed(&list, &error))?;
    run(program("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(files))
}

/// Returns the target of this machine, such as `x86_64-unknown-linux-gnu`.
fn host() -> Result<String, Failure> {
    let version = output(program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("`rustc -vV` prints no host"))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
