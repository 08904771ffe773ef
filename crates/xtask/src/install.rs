//! What the tests against real components need on a bare Debian machine. Only apt-get, npm,
//! pip and cargo are used, what is already there is left alone, and every step says what it does and why.

mod unpacked;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::postgres;
use crate::run::{Failure, cargo, output, program, root, run, tools_dir, version};

/// The oldest Node that runs the third-party issuer.
const OLDEST_NODE: u32 = 20;

/// What is installed when there is none, or an older one.
const NODE_PACKAGE: &str = "node@24";

/// `deny.toml` is written for this version.
const CARGO_DENY: &str = "cargo-deny@^0.20";

const CARGO_AUDIT: &str = "cargo-audit@^0.22";

/// What the score in SECURITY.md was taken with.
const CARGO_MUTANTS: &str = "cargo-mutants@^27.1";

/// The third-party issuer: a package of its own with a lock file.
const ISSUER: &str = "tests/interop/third_party/oidc-provider";

/// Another implementation of status lists: a package of its own with a lock file.
const STATUS_LISTS: &str = "tests/interop/third_party/status-list";

/// What drives the browser.
const BROWSER_DRIVER: &str = "examples/browser-session/browser";

/// What sends the issuer whatever its OpenAPI document allows, and much that it does not: a Python
/// package, with those that it needs, by their versions.
const SCHEMATHESIS: &str = "tests/interop/third_party/schemathesis";

/// Envoy's binary, as a Python package.
const ENVOY: &str = "tests/interop/third_party/envoy";

/// What checks the manifests in `deploy`: Python packages that bring the schemas along.
const MANIFESTS: &str = "tests/interop/third_party/manifests";

/// typos' binary, as a Python package.
const SPELLING: &str = "crates/xtask/spelling";

/// The guide's programs for other languages: each a package with its lock file or its list.
const OTHER_LANGUAGES: &str = "docs/other-languages";

/// What the tests have to be told about what was installed.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) node: PathBuf,
    pub(crate) postgres: postgres::Programs,
    /// A Python that has schemathesis.
    pub(crate) schemathesis: PathBuf,
    /// A Python that has the libraries of the guide's chapter on other languages.
    pub(crate) python: PathBuf,
    /// The proxies of the guide's chapter on them.
    pub(crate) nginx: PathBuf,
    pub(crate) caddy: PathBuf,
    pub(crate) envoy: PathBuf,
    /// What tests the alarms.
    pub(crate) promtool: PathBuf,
    /// A Python that has the schemas for the manifests in `deploy`.
    pub(crate) manifests: PathBuf,
}

/// Installs everything that `cargo xtask test` needs.
pub(crate) fn for_tests() -> Result<Installed, Failure> {
    c_compiler()?;
    npm()?;
    let node = node()?;
    npm_packages("third-party issuer", ISSUER)?;
    chromium()?;
    npm_packages("browser driver", BROWSER_DRIVER)?;
    let postgres = postgres()?;
    let schemathesis = schemathesis()?;
    npm_packages("other languages", &format!("{OTHER_LANGUAGES}/node"))?;
    npm_packages("status lists", STATUS_LISTS)?;
    let python = python_packages("other-languages", &format!("{OTHER_LANGUAGES}/python"))?;
    ruby()?;
    let of_proxies = "for the guide's chapter on proxies";
    let nginx = unpacked::program_of("nginx", "usr/sbin/nginx", "-v", of_proxies)?;
    let caddy = unpacked::program_of("caddy", "usr/bin/caddy", "version", of_proxies)?;
    let of_alarms = "to test the alarms in `monitoring`";
    let promtool = unpacked::program_of("prometheus", "usr/bin/promtool", "--version", of_alarms)?;
    let envoy = python_packages("envoy", ENVOY)?.with_file_name("envoy");
    let manifests = python_packages("manifests", MANIFESTS)?;
    systemd_analyze()?;
    sqlite()?;
    curl()?;
    Ok(Installed { node, postgres, schemathesis, python, nginx, caddy, envoy, promtool, manifests })
}

/// A Python that has schemathesis.
pub(crate) fn schemathesis() -> Result<PathBuf, Failure> {
    python_packages("schemathesis", SCHEMATHESIS)
}

/// What is measured beside node: its packages, as their lock file names them.
pub(crate) fn for_node_benchmark() -> Result<PathBuf, Failure> {
    npm()?;
    let node = node()?;
    npm_packages("fast-jwt", "benches/peers/node")?;
    Ok(node)
}

/// What draws the pictures of the browser's session.
pub(crate) fn for_browser_session() -> Result<PathBuf, Failure> {
    npm()?;
    let node = node()?;
    npm_packages("browser driver", BROWSER_DRIVER)?;
    Ok(node)
}

/// valgrind, which counts instructions.
pub(crate) fn valgrind() -> Result<(), Failure> {
    if version("valgrind").is_some() {
        return Ok(());
    }
    step("valgrind", "not here: installing it, to count instructions");
    apt_install("valgrind")
}

/// cargo-deny, which checks the licences and the sources of the dependencies.
pub(crate) fn cargo_deny() -> Result<PathBuf, Failure> {
    cargo_tool(
        "cargo-deny",
        CARGO_DENY,
        "to check licences and sources (about two minutes on two cores)",
    )
}

/// cargo-audit, which holds a lock file against a local database of advisories.
pub(crate) fn cargo_audit() -> Result<PathBuf, Failure> {
    cargo_tool("cargo-audit", CARGO_AUDIT, "to look for advisories (a few minutes on two cores)")
}

/// cargo-mutants, which changes the code to see whether the tests notice.
pub(crate) fn cargo_mutants() -> Result<PathBuf, Failure> {
    cargo_tool("cargo-mutants", CARGO_MUTANTS, "to change the code (about a minute on two cores)")
}

/// typos, which checks spelling.
pub(crate) fn typos() -> Result<PathBuf, Failure> {
    Ok(python_packages("spelling", SPELLING)?.with_file_name("typos"))
}

fn cargo_tool(name: &str, package: &str, why: &str) -> Result<PathBuf, Failure> {
    let own = tools_dir().join("bin").join(name);
    for candidate in [own.clone(), PathBuf::from(name)] {
        // A subcommand of cargo's may want to be called as one.
        let subcommand = name.strip_prefix("cargo-").unwrap_or(name);
        let mut asked = program(&candidate);
        asked.args([subcommand, "--version"]).stderr(Stdio::null());
        if let Ok(version) = output(&mut asked) {
            step(name, &format!("{} is here", version.trim()));
            return Ok(candidate);
        }
    }
    step(name, &format!("missing: building it into target/tools, {why}"));
    // Without optimisation it builds in a fraction of the time, and is not what takes time here.
    let tools = tools_dir();
    let mut install = cargo(&["install", "--quiet", "--locked", "--debug", package, "--root"]);
    run(install.arg(tools))?;
    Ok(own)
}

pub(crate) fn c_compiler() -> Result<(), Failure> {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    if let Some(version) = version(&compiler) {
        step("C compiler", &format!("{version} is here"));
        return Ok(());
    }
    step("C compiler", "missing: installing build-essential, to build aws-lc and SQLite");
    apt_install("build-essential")
}

pub(crate) fn curl() -> Result<(), Failure> {
    if let Some(version) = version("curl") {
        step("curl", &format!("{version} is here"));
        return Ok(());
    }
    step("curl", "missing: installing Debian's, to run the examples' READMEs and the runbooks");
    apt_install("curl")
}

pub(crate) fn jq() -> Result<(), Failure> {
    if let Some(version) = version("jq") {
        step("jq", &format!("{version} is here"));
        return Ok(());
    }
    step("jq", "missing: installing Debian's, for the steps of the guide's pages on issuers");
    apt_install("jq")
}

/// What judges the unit in `deploy`. The package starts nothing where systemd does not run already.
fn systemd_analyze() -> Result<(), Failure> {
    if let Some(version) = version("systemd-analyze") {
        step("systemd-analyze", &format!("{version} is here"));
        return Ok(());
    }
    step("systemd-analyze", "missing: installing Debian's systemd, to check the unit in `deploy`");
    apt_install("systemd")
}

/// SQLite's shell, which the runbooks use.
fn sqlite() -> Result<(), Failure> {
    if let Some(version) = version("sqlite3") {
        step("sqlite3", &format!("{version} is here"));
        return Ok(());
    }
    step("sqlite3", "missing: installing Debian's, to run the commands of the runbooks");
    apt_install("sqlite3")
}

/// A browser that draws a page without a screen.
pub(crate) fn chromium() -> Result<PathBuf, Failure> {
    if version("chromium").is_none() {
        step("chromium", "missing: installing Debian's, to draw pictures and to hold a session");
        apt_install("chromium")?;
    }
    Ok(PathBuf::from("chromium"))
}

fn npm() -> Result<(), Failure> {
    if let Some(version) = version("npm") {
        step("npm", &format!("{version} is here"));
        return Ok(());
    }
    step("npm", "missing: installing Debian's, to install the third-party issuer");
    apt_install("npm")
}

fn node() -> Result<PathBuf, Failure> {
    let own = tools_dir().join("node/node_modules/node/bin/node");
    let named = env::var_os("PORTCULLIS_NODE").map(PathBuf::from);
    for candidate in named.into_iter().chain([PathBuf::from("node"), own.clone()]) {
        if let Some(version) = version(&candidate).filter(|version| recent_enough(version)) {
            step("node", &format!("{version} is here"));
            return Ok(candidate);
        }
    }
    step(
        "node",
        &format!(
            "none of version {OLDEST_NODE} or newer: installing npm's package {NODE_PACKAGE} into target/tools, to run the third-party issuer"
        ),
    );
    // A package.json keeps npm from looking for a project further up.
    let directory = tools_dir().join("node");
    write(&directory.join("package.json"), "{ \"private\": true }\n")?;
    // The package fetches its binary in an install script, which a machine may have turned off.
    run(program("npm").current_dir(&directory).args([
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts=false",
        NODE_PACKAGE,
    ]))?;
    match version(&own) {
        Some(version) if recent_enough(&version) => Ok(own),
        found => Err(Failure::new(format!(
            "{NODE_PACKAGE} was installed, but `{}` answers {found:?}: install Node {OLDEST_NODE} or newer and run this again",
            own.display(),
        ))),
    }
}

fn npm_packages(what: &str, package: &str) -> Result<(), Failure> {
    let directory = root().join(package);
    let stamp = directory.join("node_modules/.installed-from");
    let lock = fs::read_to_string(directory.join("package-lock.json"))
        .map_err(|error| Failure::new(format!("{package}/package-lock.json: {error}")))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        step(what, "its npm packages are here");
        return Ok(());
    }
    step(what, "installing its npm packages, as its lock file names them");
    run(program("npm").current_dir(&directory).arg("ci"))?;
    write(&stamp, &lock)
}

/// A Python of its own in target/tools, with the packages of `requirements.txt` in the folder.
fn python_packages(what: &str, folder: &str) -> Result<PathBuf, Failure> {
    let requirements = root().join(folder).join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| Failure::new(format!("{}: {error}", requirements.display())))?;
    let environment = tools_dir().join(what);
    let stamp = environment.join(".installed-from");
    let python = environment.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        step(what, "its Python packages are here");
        return Ok(python);
    }
    step(what, "installing its Python packages into target/tools, as its list names them");
    let make = || run(program("python3").args(["-m", "venv", "--clear"]).arg(&environment));
    if version("python3").is_none() || make().is_err() {
        step("python3", "it or its venv is missing: installing Debian's");
        apt_install("python3-venv")?;
        make()?;
    }
    let mut install = program(&python);
    run(install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    write(&stamp, &wanted)?;
    Ok(python)
}

/// Ruby and its JWT library.
fn ruby() -> Result<(), Failure> {
    let mut library = program("ruby");
    library.args(["-e", "require 'jwt'; puts JWT::VERSION::STRING"]).stderr(Stdio::null());
    if let Ok(version) = output(&mut library) {
        step("Ruby", &format!("ruby-jwt {} is here", version.trim()));
        return Ok(());
    }
    step("Ruby", "it or its JWT library is missing: installing Debian's, for the guide's programs");
    // The library's package leaves open which Ruby it is for.
    apt_install("ruby")?;
    apt_install("ruby-jwt")
}

/// PostgreSQL's programs; the server is started by whoever needs it.
pub(crate) fn postgres() -> Result<postgres::Programs, Failure> {
    // Debian's PostgreSQL brings it along; another one may not.
    if !output(program("openssl").arg("version")).is_ok_and(|version| version.contains("OpenSSL")) {
        step("openssl", "missing: installing Debian's, to make PostgreSQL a certificate");
        apt_install("openssl")?;
    }
    if let Some(programs) = postgres::Programs::find()? {
        step("PostgreSQL", &format!("{} is here", programs.version()?));
        return Ok(programs);
    }
    step("PostgreSQL", "missing: installing Debian's, for the issuer's tests on it");
    apt_install("postgresql")?;
    postgres::Programs::find()?.ok_or_else(|| {
        Failure::new("Debian's postgresql was installed, but there is no initdb: install PostgreSQL your way and run this again")
    })
}

fn apt_install(package: &str) -> Result<(), Failure> {
    update_package_lists(package)?;
    run(apt_get()?.args(["install", "--yes", "--no-install-recommends", package]))
}

pub(crate) fn update_package_lists(package: &str) -> Result<(), Failure> {
    if version("apt-get").is_none() {
        return Err(Failure::new(format!(
            "there is no apt-get here to install {package} with: install it your way and run this again"
        )));
    }
    run(apt_get()?.arg("update"))
}

fn apt_get() -> Result<Command, Failure> {
    let mut command = if output(program("id").arg("-u"))?.trim() == "0" {
        program("apt-get")
    } else if version("sudo").is_some() {
        let mut command = program("sudo");
        // A person at a terminal may be asked for a password.
        command.stdin(Stdio::inherit()).arg("apt-get");
        command
    } else {
        return Err(Failure::new(
            "apt-get needs root, and there is no sudo: run this as root, or install what is named above",
        ));
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

fn step(what: &str, state: &str) {
    println!("{what}: {state}");
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// Whether `node --version` (`v22.1.0`) names a version that runs the third-party issuer.
fn recent_enough(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next().unwrap_or_default();
    major.parse::<u32>().is_ok_and(|major| major >= OLDEST_NODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_recent_enough_from_version_20() {
        for version in ["v20.0.0", "v20.20.2", "v24.1.0", "v100.0.0"] {
            assert!(recent_enough(version), "{version}");
        }
        for version in ["v18.20.4", "v19.9.9", "v4.0.0", "", "v", "node"] {
            assert!(!recent_enough(version), "{version}");
        }
    }
}
