//! nginx, Caddy and Envoy with the configurations of the guide, on loopback ports.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const NGINX: &str = include_str!("nginx.conf");
pub(crate) const CADDY: &str = include_str!("Caddyfile");
pub(crate) const ENVOY: &str = include_str!("envoy.yaml");

/// Long enough for a busy machine. A program that fails exits, which is noticed at once.
const READY_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
    Envoy,
}

impl Kind {
    /// An address in the form of the proxy's configuration.
    fn spelled(self, address: SocketAddr) -> String {
        match self {
            Self::Nginx | Self::Caddy => address.to_string(),
            Self::Envoy => format!("address: {}, port_value: {}", address.ip(), address.port()),
        }
    }
}

/// Starts a proxy in front of `upstream` that consults the `authority` at this path.
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Proxy {
    pub(crate) fn start(
        kind: Kind,
        authority: SocketAddr,
        path: &str,
        upstream: SocketAddr,
    ) -> Self {
        let recipe = match kind {
            Kind::Nginx => NGINX,
            Kind::Caddy => CADDY,
            Kind::Envoy => ENVOY,
        };
        Self::with_recipe(kind, recipe, authority, path, upstream)
    }

    /// Like [`start`](Self::start), with another configuration than the guide's.
    pub(crate) fn with_recipe(
        kind: Kind,
        recipe: &str,
        authority: SocketAddr,
        path: &str,
        upstream: SocketAddr,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let changed = |configuration: &str, listens: (String, String), logs: &str| {
            let mut configuration = configuration.to_owned();
            let logs = (logs, format!("{}/", folder.path().display()));
            let documented = |port| SocketAddr::from(([127, 0, 0, 1], port));
            for (from, to) in [
                listens,
                (logs.0.to_owned(), logs.1),
                (kind.spelled(documented(3000)), kind.spelled(authority)),
                ("/authorize".to_owned(), path.to_owned()),
                (kind.spelled(documented(9000)), kind.spelled(upstream)),
            ] {
                assert!(configuration.contains(&from), "there is no {from}");
                configuration = configuration.replace(&from, &to);
            }
            // Envoy derives the format from the file name's extension.
            let name = if kind == Kind::Envoy { "recipe.yaml" } else { "recipe" };
            fs::write(folder.path().join(name), configuration).unwrap();
        };
        let command = match kind {
            Kind::Nginx => {
                let listens = ("127.0.0.1:8080".to_owned(), address.to_string());
                changed(recipe, listens, "/var/log/nginx/");
                nginx(folder.path())
            }
            Kind::Caddy => {
                // Without `bind`, Caddy listens on all addresses, and the port may be taken on one.
                let site = format!("http://{address} {{\n\tbind {}", address.ip());
                let listens = ("api.example {".to_owned(), site);
                changed(recipe, listens, "/var/log/caddy/");
                caddy(folder.path())
            }
            Kind::Envoy => {
                let documented = SocketAddr::from(([127, 0, 0, 1], 8080));
                let listens = (kind.spelled(documented), kind.spelled(address));
                changed(recipe, listens, "/var/log/envoy/");
                envoy()
            }
        };
        Self::run(kind, command, folder, address)
    }

    /// Waits until the proxy listens; its files are in the folder.
    pub(crate) fn run(
        kind: Kind,
        mut command: Command,
        folder: TempDir,
        address: SocketAddr,
    ) -> Self {
        let output = fs::File::create(folder.path().join("output.log")).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.current_dir(folder.path()).spawn().unwrap_or_else(|error| {
            panic!("{command:?} could not be started ({error}): run cargo xtask test");
        });
        let mut proxy = Self { kind, address, folder, child };
        proxy.wait_until_ready();
        proxy
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || start.elapsed() > READY_WITHIN {
                panic!("{:?} is not ready ({ended:?}):\n{}", self.kind, self.log("output.log"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The access log that the recipe writes.
    pub(crate) fn access_log(&self) -> String {
        self.log("api.log")
    }

    /// All other output: the error log.
    pub(crate) fn error_log(&self) -> String {
        self.log("output.log")
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary that `cargo xtask test` found or unpacked.
pub(crate) fn named(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| name.into()).into()
}

/// Returns the command for an nginx that keeps all its files in `folder`.
pub(crate) fn nginx(folder: &Path) -> Command {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};\n"))
        .concat();
    let main = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\n{temporary}include recipe;\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), main).unwrap();
    let mut command = Command::new(named("PORTCULLIS_NGINX", "nginx"));
    command.arg("-p").arg(folder).args(["-e", "stderr", "-c", "nginx.conf"]);
    command
}

pub(crate) fn caddy(folder: &Path) -> Command {
    fs::write(folder.join("Caddyfile"), "{\n\tadmin off\n}\nimport recipe\n").unwrap();
    let mut command = Command::new(named("PORTCULLIS_CADDY", "caddy"));
    command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
    for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(variable, folder);
    }
    command
}

fn envoy() -> Command {
    let mut command = Command::new(named("PORTCULLIS_ENVOY", "envoy"));
    command.args(["--config-path", "recipe.yaml", "--log-level", "warning", "--concurrency", "1"]);
    // Several Envoy processes run at once.
    command.arg("--use-dynamic-base-id");
    command
}

/// Returns an address that no other program gets before the proxy starts.
pub(crate) fn free_address() -> SocketAddr {
    static NUMBER: AtomicU8 = AtomicU8::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    // On Linux, all of 127.0.0.0/8 is loopback, and other programs use the first addresses.
    let host =
        if cfg!(target_os = "linux") { [127, high | 128, low, number] } else { [127, 0, 0, 1] };
    TcpListener::bind((IpAddr::from(host), 0)).unwrap().local_addr().unwrap()
}
