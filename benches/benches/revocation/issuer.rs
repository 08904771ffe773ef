//! The issuer that is measured, in a process of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portcullis_benches::scenario::AUDIENCE;
use portcullis_issuer::{Issuer, IssuerConfig, NewClient, NewUser, PasswordCost};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// As what services ask it about tokens.
pub(crate) const CLIENT: &str = "api";

pub(crate) fn config(url: &str, folder: &Path, ttl: u64) -> IssuerConfig {
    let mut config = IssuerConfig::new(url, folder.join("issuer.db"));
    config.audiences = vec![AUDIENCE.to_owned()];
    config.status_list_ttl = Duration::from_secs(ttl);
    // A thousand logins from one address are what is wanted here, and not what is measured.
    (config.attempts_per_account, config.attempts_per_address) = (1_000_000, 1_000_000);
    config.password_cost = PasswordCost { memory_kib: 7168, iterations: 5 };
    config
}

/// What this program is with the argument `issuer`: says where it listens, and serves until its
/// standard input ends.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn serve(folder: &Path, ttl: u64) {
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

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
}

/// A session of the one user.
pub(crate) struct Session {
    id: String,
    pub(crate) token: String,
}

impl Server {
    /// One with a user and a client, whose lists have this TTL, in seconds. `prepare` is given its
    /// database before it starts.
    pub(crate) async fn start(ttl: u64, prepare: impl AsyncFnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(config("http://127.0.0.1", folder.path(), ttl)).await.unwrap();
        issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
        let secret = issuer.add_client(NewClient::new(CLIENT)).await.unwrap().unwrap();
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

    /// Processor time until now, of all its threads, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string())
    }
}

/// Processor time of a process, of its threads that have ended as well, in seconds.
pub(crate) fn cpu_of(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name, which may hold anything: `utime` and `stime` are the 14th and 15th.
    let rest = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 =
        rest.split_whitespace().skip(11).take(2).map(|t| t.parse::<f64>().unwrap()).sum();
    // USER_HZ is 100 on every Linux.
    ticks / 100.0
}

pub(crate) async fn log_in(client: &reqwest::Client, issuer: &str) -> Session {
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

/// Ends it; the answer is the acknowledgement.
pub(crate) async fn end(client: &reqwest::Client, issuer: &str, session: &Session) {
    let url = format!("{issuer}/v1/auth/sessions/{}", session.id);
    let answer = client.delete(url).bearer_auth(&session.token).send().await.unwrap();
    assert_eq!(answer.status(), 204);
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
