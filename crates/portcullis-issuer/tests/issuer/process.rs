//! Helpers that run the issuer's program as a process.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Home, PASSWORD};

/// Returns the command that runs the program in the directory `home`.
pub(crate) fn program(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Command {
    program_at(Path::new(env!("CARGO_BIN_EXE_portcullis-issuer")), home, settings, arguments)
}

pub(crate) fn program_at(
    path: &Path,
    home: &Path,
    settings: &[(&str, &str)],
    arguments: &[&str],
) -> Command {
    let mut command = Command::new(path);
    command
        .args(arguments)
        .current_dir(home)
        .env_clear()
        // Another process may listen on the default port.
        .env("IDENTSPHERE_LISTEN", "127.0.0.1:0")
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn run(
    home: &Path,
    settings: &[(&str, &str)],
    arguments: &[&str],
    input: &str,
) -> Output {
    let mut child = program(home, settings, arguments).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A process that is killed on drop.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn wait_for(address: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the process does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a request over a real socket, and returns the whole response.
pub(crate) fn request(address: &str, text: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(text.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// An issuer process that can be killed and restarted on the same address.
pub(crate) struct Server {
    home: PathBuf,
    settings: Vec<(String, String)>,
    pub(crate) address: String,
    running: Option<Running>,
}

impl Server {
    /// Creates a server on a free port, without starting it. `issuer` is the issuer's URL if it
    /// differs from the server's own URL, as behind a proxy.
    pub(crate) fn new(home: &Home, issuer: Option<&str>, more: &[(&str, &str)]) -> Self {
        let address = free_address();
        let own = format!("http://{address}");
        let mut settings = home.settings(issuer.unwrap_or(&own), &address);
        settings.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        Self { home: home.path().to_owned(), settings, address, running: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn start(&mut self) {
        let settings: Vec<_> = self.settings.iter().map(|(n, v)| (&**n, &**v)).collect();
        let mut command = program(&self.home, &settings, &["serve"]);
        // The output is not read, so a pipe would fill up and block the process.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(Running(command.spawn().unwrap()));
        wait_for(&self.address);
    }

    /// Sends SIGKILL, so the process cannot finish any operation.
    pub(crate) fn kill(&mut self) {
        drop(self.running.take());
    }

    /// Runs a command as another process on the same database, and returns its standard output.
    pub(crate) fn command(&self, arguments: &[&str], input: &str) -> String {
        let settings: Vec<_> = self.settings.iter().map(|(n, v)| (&**n, &**v)).collect();
        let output = run(&self.home, &settings, arguments, input);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Returns an address that no other program uses. Otherwise another program could get the port
/// between a kill and the next start.
pub(crate) fn free_address() -> String {
    static NUMBER: AtomicU8 = AtomicU8::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    // On Linux, all of 127.0.0.0/8 is loopback, and other programs use 127.0.0.1.
    let host =
        if cfg!(target_os = "linux") { [127, high | 128, low, number] } else { [127, 0, 0, 1] };
    TcpListener::bind((IpAddr::from(host), 0)).unwrap().local_addr().unwrap().to_string()
}

/// Returns the number that `cargo xtask soak` sets in `variable`, otherwise `short`.
pub(crate) fn how_many(variable: &str, short: u32) -> u32 {
    std::env::var(variable).map_or(short, |long| long.parse().unwrap())
}

/// An HTTP client of the issuer, over real sockets.
#[derive(Clone)]
pub(crate) struct HttpClient {
    http: reqwest::Client,
    url: String,
}

impl HttpClient {
    pub(crate) fn of(url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { http, url: url.to_owned() }
    }

    /// Sends a `POST`. Returns status and body, or `None` if no response arrived.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body.to_string());
        Self::answer(request).await
    }

    /// Sends a `GET`. Returns status and body, or `None` if no response arrived.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, Value)> {
        Self::answer(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn answer(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    pub(crate) async fn login(&self) -> Option<(u16, Value)> {
        let body = json!({ "username": "alice", "password": PASSWORD });
        self.post("/v1/auth/login", &body).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Option<(u16, Value)> {
        self.post("/v1/auth/refresh", &json!({ "refresh_token": token })).await
    }
}
