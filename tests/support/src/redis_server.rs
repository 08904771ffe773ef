//! A Redis or Valkey server of one test, on loopback, that can be killed and started again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::postgres_server::free_port;
use crate::private_ca::Made;

/// Long enough for a busy machine. If the server exits, the test notices at once.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The settings of a server that does not lose acknowledged writes.
pub const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// The directory of the append-only files.
const APPEND_ONLY: &str = "appendonlydir";

/// The program that the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Redis 7.0 of Debian, which lacks WAITAOF.
    Redis,
    /// Valkey.
    Valkey,
}

/// A server, stopped and deleted when it is dropped.
#[derive(Debug)]
pub struct RedisServer {
    program: Program,
    directory: TempDir,
    port: u16,
    settings: Vec<String>,
    is_tls: bool,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server with these arguments, such as [`DURABLE`].
    pub fn start(program: Program, settings: &[&str]) -> Self {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut server = Self { program, directory, port, settings, is_tls: false, child: None };
        server.start_again();
        server
    }

    /// Starts a durable server that accepts only connections with TLS, on the port of
    /// [`url`](Self::url).
    pub fn start_with_tls(certificate: &Made) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut settings: Vec<_> = DURABLE.map(str::to_owned).into();
        settings.extend(["--tls-auth-clients", "no", "--tls-port"].map(str::to_owned));
        settings.push(port.to_string());
        for (option, name, text) in [
            ("--tls-cert-file", "server.crt", &certificate.certificate),
            ("--tls-key-file", "server.key", &certificate.key),
            ("--tls-ca-cert-file", "ca.crt", &certificate.authority),
        ] {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            settings.extend([option.to_owned(), path.to_str().unwrap().to_owned()]);
        }
        let program = Program::Redis;
        let mut server = Self { program, directory, port, settings, is_tls: true, child: None };
        server.start_again();
        server
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server, which then writes nothing any more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Makes a backup: copies the files that the server wrote. The server must not be running.
    pub fn copy_data(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_into(self.append_only(), &copy.path().join(APPEND_ONLY));
        copy
    }

    /// Restores a backup. The server must not be running.
    pub fn replace_data(&self, backup: &TempDir) {
        assert!(self.child.is_none(), "the server is running");
        fs::remove_dir_all(self.append_only()).unwrap();
        copy_into(backup.path().join(APPEND_ONLY), &self.append_only());
    }

    fn append_only(&self) -> PathBuf {
        self.directory.path().join(APPEND_ONLY)
    }

    /// Starts the server at the same address, with the data that it wrote.
    pub fn start_again(&mut self) {
        let variable = match self.program {
            Program::Redis => "PORTCULLIS_REDIS",
            Program::Valkey => "PORTCULLIS_VALKEY",
        };
        let program = std::env::var_os(variable);
        let program = program.unwrap_or_else(|| panic!("{variable}: run `cargo xtask test`"));
        let log = self.directory.path().join("log");
        let mut command = Command::new(program);
        let port = if self.is_tls { "0".to_owned() } else { self.port.to_string() };
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", ""]);
        command.arg("--dir").arg(self.directory.path()).args(&self.settings);
        let output = fs::File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::inherit()).spawn();
        self.child = Some(child.unwrap());
        let start = Instant::now();
        while !self.is_ready() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let is_late = start.elapsed() > READY_WITHIN;
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none() && !is_late, "{:?} did not start: {}", self.program, log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the server is ready. A server that still loads its data answers with an error. With TLS,
    /// a connection is enough, because that server has no data to load.
    fn is_ready(&self) -> bool {
        let answer = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            if self.is_tls {
                return Ok(true);
            }
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer)?;
            std::io::Result::Ok(answer == *b"+PONG")
        };
        answer().unwrap_or(false)
    }
}

fn copy_into(from: PathBuf, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
