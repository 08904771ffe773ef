//! The issuer that benchmarks measure, in a process of its own.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has failed"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portcullis::testing::AUDIENCE;
use portcullis_issuer::{ClientRight, Issuer, IssuerConfig, NewClient, NewUser, PasswordCost};
use serde_json::{Value, json};

/// The password of the one user, `alice`.
pub const PASSWORD: &str = "correct horse battery staple";

/// The client id with which services introspect tokens.
pub const CLIENT: &str = "api";

/// Returns the settings of an issuer at `url`, with its database in `folder`. `ttl` is the TTL of
/// its status lists, in seconds.
#[must_use]
pub fn config(url: &str, folder: &Path, ttl: u64) -> IssuerConfig {
    let mut config = IssuerConfig::new(url, folder.join("issuer.db"));
    config.audiences = vec![AUDIENCE.to_owned()];
    config.status_list_ttl = Duration::from_secs(ttl);
    // The benchmark needs a thousand logins from one address, and does not measure them.
    (config.attempts_per_account, config.attempts_per_address) = (1_000_000, 1_000_000);
    config.refreshes_per_session = 0;
    config.password_cost = PasswordCost { memory_kib: 7168, iterations: 5 };
    config
}

/// Runs the issuer in a process that was started with the argument `issuer`: prints the issuer's
/// address, and serves until standard input ends.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub fn serve(folder: &Path, ttl: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Issuer::open(config(&url, folder, ttl)).await.unwrap();
        println!("{url}");
        issuer.serve(listener, std::future::pending()).await.unwrap();
    });
}

/// A running issuer, which ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The issuer's URL.
    pub url: String,
    /// The folder of the issuer's database. The file `secret` in the folder has the client's
    /// secret.
    pub folder: tempfile::TempDir,
}

/// A session of the one user.
#[derive(Debug)]
pub struct Session {
    id: String,
    /// The session's access token.
    pub token: String,
}

impl Server {
    /// Starts an issuer with a user and a client. `ttl` is the TTL of its status lists, in seconds.
    /// `prepare` receives the path of the database before the issuer starts.
    pub async fn start(ttl: u64, prepare: impl AsyncFnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(config("http://127.0.0.1", folder.path(), ttl)).await.unwrap();
        issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
        let client = NewClient::new(CLIENT).rights([ClientRight::IntrospectAll]);
        let secret = issuer.add_client(client).await.unwrap().unwrap();
        std::fs::write(folder.path().join("secret"), secret).unwrap();
        issuer.close().await;
        prepare(&folder.path().join("issuer.db")).await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("issuer")
            .arg(folder.path())
            .arg(ttl.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned(), folder }
    }

    /// Returns the processor time that all threads of the issuer have used so far, in seconds.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string())
    }
}

/// Processor time of a process, including its ended threads, in seconds.
#[must_use]
pub fn cpu_of(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The fields are counted after the process name, because the name may contain anything. `utime`
    // and `stime` are the 14th and 15th field.
    let rest = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 =
        rest.split_whitespace().skip(11).take(2).map(|t| t.parse::<f64>().unwrap()).sum();
    // USER_HZ is 100 on every Linux.
    ticks / 100.0
}

/// Logs the one user in at the issuer of this URL.
pub async fn log_in(client: &reqwest::Client, issuer: &str) -> Session {
    let answer = client
        .post(format!("{issuer}/v1/auth/login"))
        .json(&json!({"username": "alice", "password": PASSWORD}))
        .send()
        .await
        .unwrap();
    let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    Session { id: text("session_id"), token: text("access_token") }
}

/// Ends a session; returns when the issuer has acknowledged it.
pub async fn end(client: &reqwest::Client, issuer: &str, session: &Session) {
    let url = format!("{issuer}/v1/auth/sessions/{}", session.id);
    let answer = client.delete(url).bearer_auth(&session.token).send().await.unwrap();
    assert_eq!(answer.status(), 204);
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process exits when its standard input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
