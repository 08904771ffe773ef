//! Runs the binary with keys in a file or on a server on this machine.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use portcullis::Algorithm;
use portcullis_testing::TestKey;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const AUDIENCE: &str = "https://api.example";
/// The issue time of every test token, in seconds since 1970.
pub(crate) const ISSUED: u64 = 1_700_000_000;

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    // `cargo xtask test` sets variables with the settings' prefix, and `check` would report them.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PORTCULLIS_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary to its end with this input.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Ended {
    run_with(&[], arguments, input)
}

/// Like [`run`], with these environment variables.
pub(crate) fn run_with(variables: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = command(arguments).envs(variables.iter().copied()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The binary may end before it has read all of the input.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ended::from(output)
}

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Parses each line of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// An issuer with its keys in a file.
pub(crate) struct Issuer {
    pub(crate) key: TestKey,
    dir: TempDir,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let issuer = Self {
            key: TestKey::generate("k1", Algorithm::Es256),
            dir: tempfile::tempdir().unwrap(),
        };
        issuer.write("keys.json", &TestKey::jwks([&issuer.key]).to_string());
        issuer
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    pub(crate) fn keys(&self) -> String {
        self.dir.path().join("keys.json").into_os_string().into_string().unwrap()
    }

    /// Returns a token with a lifetime of 300 s and `changes` to its claims.
    pub(crate) fn token(&self, changes: Value) -> String {
        self.key.token(&claims(ISSUER, changes))
    }

    /// Runs `check` as of 60 s after the issue of the tokens, unless `options` has `--at`.
    pub(crate) fn check(&self, options: &[&str], input: &str) -> Ended {
        self.check_in(&[], options, input)
    }

    /// Like [`check`](Self::check), with these environment variables.
    pub(crate) fn check_in(
        &self,
        variables: &[(&str, &str)],
        options: &[&str],
        input: &str,
    ) -> Ended {
        let (keys, at) = (self.keys(), (ISSUED + 60).to_string());
        let mut arguments =
            vec!["check", "--issuer", ISSUER, "--jwks", &keys, "--audience", AUDIENCE];
        if !options.contains(&"--at") {
            arguments.extend(["--at", &at]);
        }
        arguments.extend(options);
        run_with(variables, &arguments, input.as_bytes())
    }
}

pub(crate) fn claims(issuer: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "alice", "client_id": "web", "jti": "1",
        "iat": ISSUED, "exp": ISSUED + 300, "scope": "orders:read", "roles": ["clerk"],
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// Serves an issuer's metadata and keys over HTTP on this machine until the process ends. After
/// `times` fetches of the keys, the server answers 503 with `Retry-After: 60`.
pub(crate) fn serve(key: &TestKey, times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string();
    let keys = TestKey::jwks([key]).to_string();
    thread::spawn(move || {
        let mut left = times;
        for connection in listener.incoming() {
            answer(connection.unwrap(), &metadata, &keys, &mut left);
        }
    });
    issuer
}

fn answer(mut connection: TcpStream, metadata: &str, keys: &str, left: &mut usize) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    lines.map_while(Result::ok).find(String::is_empty);
    let (status, body) = match request.split(' ').nth(1) {
        Some("/.well-known/openid-configuration") => ("200 OK", metadata),
        Some("/keys") if *left == 0 => ("503 Service Unavailable\r\nretry-after: 60", ""),
        Some("/keys") => {
            *left -= 1;
            ("200 OK", keys)
        }
        _ => ("404 Not Found", ""),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    connection.write_all((head + body).as_bytes()).unwrap();
    let _ = connection.shutdown(std::net::Shutdown::Write);
    let _ = connection.read(&mut [0]);
}
