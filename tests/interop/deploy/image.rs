//! Checks that the root directories of the images contain everything that the issuer and the API
//! need. The script that the Dockerfile runs creates these directories. The tests enter them with
//! `chroot`, which needs no container engine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_test_support::example;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::compose;
use crate::tools::{shipped, tell, text};

const READY_WITHIN: Duration = Duration::from_secs(30);
const PASSWORD: &str = "correct horse battery staple";
/// The user and group id in `USER` of the Dockerfile.
const USER: u32 = 65532;

fn make_root(program: &Path, root: &Path) -> (bool, String) {
    tell(Command::new("sh").arg(shipped("rootfs.sh")).arg(program).arg(root))
}

/// Returns the programs that the Dockerfile copies, in the order of the stages: the issuer, the
/// API, the sidecar.
fn programs() -> [&'static str; 3] {
    let copied = ["portcullis-issuer", "example-axum", "portcullis-sidecar"];
    for name in copied {
        assert!(text("Dockerfile").contains(&format!(" target/dist/{name} /rootfs")), "{name}");
        assert!(text("Dockerfile").contains(&format!("[\"/usr/local/bin/{name}\"]")), "{name}");
    }
    copied
}

/// An image's root directory. A program in it can use only the kernel and the network of this
/// machine.
struct Image {
    root: TempDir,
    program: String,
}

impl Image {
    fn of(name: &'static str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (right, told) = make_root(&example::binary(name), root.path());
        assert!(right, "{told}");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { root, program: format!("/usr/local/bin/{name}") }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Returns the command that runs the program as the image's user, with only these environment
    /// variables.
    fn command(&self, variables: &[(String, String)]) -> Command {
        let (_, user) = tell(Command::new("id").arg("-u"));
        let mut command = if user.trim() == "0" {
            // This call has the effect of `COPY --chown`.
            chown(self.path("var/lib/portcullis"), Some(USER), Some(USER)).unwrap();
            let mut chroot = Command::new("chroot");
            chroot.arg(format!("--userspec={USER}:{USER}"));
            chroot
        } else {
            let mut unshare = Command::new("unshare");
            unshare.args(["--map-root-user", "chroot"]);
            unshare
        };
        command.arg(self.root.path()).arg(&self.program).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the program at this address, and waits until the path `ready` responds with 200.
    fn serve(&self, address: &str, ready: &str, variables: &[(String, String)]) -> Running {
        let mut running = Running(self.command(variables).spawn().unwrap());
        let start = Instant::now();
        while get(address, ready, "").is_none_or(|answer| !answer.starts_with("HTTP/1.0 200")) {
            assert!(running.0.try_wait().unwrap().is_none(), "it ended by itself");
            assert!(start.elapsed() < READY_WITHIN, "it is not ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    }
}

/// A process that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Sends a request with these header lines. Returns the whole response, or `None` if no server
/// listens at the address.
fn send(address: &str, line: &str, headers: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let head =
        format!("{line} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}");
    write!(stream, "{head}\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn get(address: &str, path: &str, headers: &str) -> Option<String> {
    send(address, &format!("GET {path}"), headers, "")
}

fn with(mut variables: Vec<(String, String)>, more: &[(&str, &str)]) -> Vec<(String, String)> {
    for (name, value) in more {
        variables.retain(|(known, _)| known != name);
        variables.push(((*name).to_owned(), (*value).to_owned()));
    }
    variables
}

/// Runs the images without Docker, with the settings of Compose. Only the database (SQLite instead
/// of PostgreSQL) and the ports, which must be free, differ. The API and the sidecar in front of it
/// fetch the keys from `http://issuer`, by name.
#[test]
#[ignore = "needs root and PyYAML, and builds the issuer: run cargo xtask test"]
fn api_accepts_the_issuers_tokens_with_the_settings_of_compose() {
    let [issuer, api, sidecar] = programs().map(Image::of);
    let [issuer_address, api_address, sidecar_address] = [(); 3].map(|()| free_address());
    let mut settings = with(
        compose::environment("issuer"),
        &[
            ("IDENTSPHERE_LISTEN", &issuer_address),
            ("IDENTSPHERE_DATABASE", "/var/lib/portcullis/identsphere.db"),
        ],
    );
    settings.retain(|(name, _)| name != "IDENTSPHERE_DATABASE_URL");
    let mut add = issuer.command(&settings);
    add.args(["users", "add", "alice", "--scope", "orders:read", "--password-stdin"]);
    let mut adding = add.stdin(Stdio::piped()).spawn().unwrap();
    adding.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(adding.wait().unwrap().success());
    let _issuer = issuer.serve(&issuer_address, "/readyz", &settings);
    let database = issuer.path("var/lib/portcullis/identsphere.db");
    assert_eq!(fs::metadata(database).unwrap().permissions().mode() & 0o777, 0o600);

    let (_, port) = issuer_address.split_once(':').unwrap();
    let keys = format!("http://issuer:{port}/.well-known/jwks.json");
    let settings = with(
        compose::environment("api"),
        &[("LISTEN", &api_address), ("PORTCULLIS_JWKS_URL", &keys)],
    );
    fs::write(api.path("etc/hosts"), "127.0.0.1 issuer\n").unwrap();
    let _api = api.serve(&api_address, "/health", &settings);

    let set = |name: &str| {
        let variable = settings.iter().find(|(known, _)| known == name);
        variable.map(|(_, value)| value.as_str()).unwrap()
    };
    let file = format!(
        "listen = '{sidecar_address}'\nupstream = 'http://{api_address}'\n\
         [[issuer]]\nissuer = '{}'\naudience = '{}'\njwks_url = '{keys}'\nallow_http_host = 'issuer'\n\
         [[route]]\npath = '/health'\ntoken = 'none'\n\
         [[route]]\npath = '/orders'\npass_credentials = true\n",
        set("PORTCULLIS_ISSUER"),
        set("PORTCULLIS_AUDIENCE"),
    );
    fs::write(sidecar.path("etc/hosts"), "127.0.0.1 issuer\n").unwrap();
    let place = text("Dockerfile");
    let (_, place) = place.split_once("\nENV PORTCULLIS_SIDECAR_CONFIG=").unwrap();
    let place = place.lines().next().unwrap();
    let inside = sidecar.path(place.trim_start_matches('/'));
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::write(inside, file).unwrap();
    let named = [("PORTCULLIS_SIDECAR_CONFIG".to_owned(), place.to_owned())];
    let _sidecar = sidecar.serve(&sidecar_address, "/health", &named);

    let body = json!({ "username": "alice", "password": PASSWORD }).to_string();
    let headers = "Content-Type: application/json\r\n";
    let answer = send(&issuer_address, "POST /v1/auth/login", headers, &body).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let tokens: Value = serde_json::from_str(body).unwrap();
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for address in [&api_address, &sidecar_address] {
        let answer = get(address, "/orders", &bearer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        let answer = get(address, "/orders", "").unwrap();
        assert!(answer.starts_with("HTTP/1.0 401"), "{answer}");
    }
}

#[test]
#[ignore = "needs openssl: run cargo xtask test"]
fn program_that_loads_another_library_is_refused() {
    let (_, openssl) = tell(Command::new("sh").args(["-c", "command -v openssl"]));
    let root = tempfile::tempdir().unwrap();
    let (right, told) = make_root(Path::new(openssl.trim()), root.path());
    assert!(!right && told.contains("which the image would not have"), "{told}");
}

#[test]
fn images_have_no_root_user_and_the_workspaces_rust() {
    const MANIFEST: &str = include_str!("../../../Cargo.toml");
    let dockerfile = text("Dockerfile");
    let (_, rust) = MANIFEST.split_once("rust-version = \"").unwrap();
    let rust = rust.split('"').next().unwrap();
    assert!(dockerfile.contains(&format!("\nFROM rust:{rust}-")), "Rust is {rust}");
    let stages: Vec<_> = dockerfile.split("\nFROM scratch AS ").skip(1).collect();
    assert_eq!(stages.len(), programs().len());
    for stage in stages {
        assert!(stage.contains("\nUSER 65532:65532\n") && stage.contains("\nENTRYPOINT ["));
    }
    // The Dockerfile builds the versions in `Cargo.lock`, and fetches nothing else.
    let mut builds = dockerfile.lines().filter(|line| line.contains("cargo build"));
    assert!(builds.all(|line| line.contains("--locked")));
    assert!(dockerfile.lines().all(|line| !line.starts_with("ADD ")));
}
