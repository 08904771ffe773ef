//! A PostgreSQL server of one test, on loopback, that can be killed and started again.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::private_ca::Made;

/// Long enough for a busy machine. If the server exits, the test notices at once.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server, stopped and deleted when it is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    directory: TempDir,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl PostgresServer {
    /// Starts a server with these settings, such as `fsync=off`, beside the defaults.
    pub fn start(settings: &[&str]) -> Self {
        let programs = std::env::var_os("PORTCULLIS_POSTGRES_PROGRAMS");
        let programs = programs.expect("PORTCULLIS_POSTGRES_PROGRAMS: run `cargo xtask test`");
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server =
            Self { programs: programs.into(), directory, port: free_port(), settings, child: None };
        let mut initdb = server.command("initdb");
        initdb.args(["--pgdata=data", "--username=portcullis", "--auth=trust", "--no-sync"]);
        let made = initdb.args(["--encoding=UTF8", "--locale=C.UTF-8"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.start_again();
        server
    }

    /// Starts a server with a certificate. It accepts connections without TLS, too.
    pub fn start_with_tls(certificate: &Made) -> Self {
        let mut server = Self::start(&[]);
        server.kill();
        for (name, text) in [("crt", &certificate.certificate), ("key", &certificate.key)] {
            let path = server.directory.path().join(format!("server.{name}"));
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((user, group)) = unprivileged() {
                chown(&path, Some(user), Some(group)).unwrap();
            }
        }
        let settings = ["ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key"];
        server.settings.extend(settings.map(str::to_owned));
        server.start_again();
        server
    }

    /// Returns the URL of the database.
    pub fn url(&self) -> String {
        format!("postgres://portcullis@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills all of the server's processes, as a power failure would. None of them can write any more.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let parent = child.id().to_string();
        // The parent is stopped first, so that it starts no further process. All processes are killed
        // in one call, because the rest of a server could still write. A process may already have
        // ended.
        signal("-STOP", &[&parent]);
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let children = children.unwrap_or_default();
        let children: Vec<_> = children.split_whitespace().collect();
        signal("-KILL", &[&children[..], &[&*parent]].concat());
        child.wait().unwrap();
        // The next server refuses to start until all processes of this one have ended.
        while children.iter().any(|child| is_running(child)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Shuts the server down regularly, so that it needs no recovery and starts quickly.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        child.wait().unwrap();
    }

    /// Stops the server, and starts it as a standby whose primary no longer exists.
    pub fn become_standby(&mut self) {
        self.stop();
        fs::write(self.directory.path().join("data/standby.signal"), "").unwrap();
        self.start_again();
    }

    /// Starts the server at the same address, with the data that it wrote.
    pub fn start_again(&mut self) {
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-h", "127.0.0.1", "-k", "", "-p", &self.port.to_string()]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        let start = Instant::now();
        while !self.is_ready() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let is_late = start.elapsed() > READY_WITHIN;
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && !is_late, "PostgreSQL did not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_ready(&self) -> bool {
        let mut asked = self.command("pg_isready");
        asked.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        asked.status().unwrap().success()
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.directory.path());
        // PostgreSQL refuses to run as root.
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(signal: &str, processes: &[&str]) {
    Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status().unwrap();
}

/// Returns whether a process runs. A process that has ended but was not waited for (`Z`) does not run.
fn is_running(process: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit_once(')').is_some_and(|(_, state)| !state.trim_start().starts_with('Z'))
}

/// If this user is root, returns the user and group to run as: those of Debian's package, or of the
/// system's unprivileged user.
fn unprivileged() -> Option<(u32, u32)> {
    const UNPRIVILEGED: u32 = 65_534;
    let id = |arguments: &[&str]| {
        let id = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8_lossy(&id.stdout).trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let of_package = id(&["-u", "postgres"]).zip(id(&["-g", "postgres"]));
    Some(of_package.unwrap_or((UNPRIVILEGED, UNPRIVILEGED)))
}

/// Returns a port on which nothing listens now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
