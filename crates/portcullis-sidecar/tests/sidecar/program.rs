//! The program: reload by signal, shutdown, metrics and probes.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_testing::TestIssuer;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::app::{App, PATIENCE, ask, settings};

const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis-sidecar");

struct Running {
    child: Child,
    log: mpsc::UnboundedReceiver<String>,
    at: SocketAddr,
    admin: SocketAddr,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sidecar.toml");
        let text = format!("listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n{text}");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(&file).env_remove("RUST_LOG");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let none = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut running = Self { child, log, at: none, admin: none, file, _folder: folder };
        running.admin = address(&running.line("serving metrics and probes").await);
        running.at = address(&running.line("serving listen").await);
        running
    }

    /// The next line of the log with this text.
    async fn line(&mut self, text: &str) -> String {
        let find = async {
            while let Some(line) = self.log.recv().await {
                if line.contains(text) {
                    return Some(line);
                }
            }
            None
        };
        timeout(PATIENCE, find).await.unwrap().unwrap()
    }

    fn write(&self, text: &str) {
        let text = format!("listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n{text}");
        std::fs::write(&self.file, text).unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &str) -> SocketAddr {
    let listen = line.split("listen=").nth(1).unwrap();
    listen.split(' ').next().unwrap().parse().unwrap()
}

fn check(file: &Path) -> (i32, String) {
    let output = Command::new(PROGRAM).args(["config", "check"]).arg(file).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(told).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_loses_no_request_and_a_bad_file_changes_nothing() {
    let (issuer, app) = (TestIssuer::start().await, App::start().await);
    let open =
        "[[route]]\npath = '/open'\ntoken = 'none'\n[[route]]\npath = '/always'\ntoken = 'none'";
    let closed = "[[route]]\npath = '/always'\ntoken = 'none'";
    let [open, closed] = [open, closed].map(|more| settings(&issuer, app.at, more));
    let mut running = Running::start(&open).await;
    let at = running.at;
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (done, answered) = (done.clone(), answered.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(ask(at, "GET /always").await.status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    assert_eq!(ask(at, "GET /open").await.status, 200);
    for round in 0..5 {
        running.write(&closed);
        running.signal("-HUP");
        running.line("settings reloaded").await;
        assert_eq!(ask(at, "GET /open").await.status, 401, "round {round}");
        running.write("upstraem = 'x'\n");
        running.signal("-HUP");
        let line = running.line("settings not reloaded: the previous ones remain").await;
        assert!(line.contains("ERROR") && line.contains("sidecar.toml:3: unknown field"), "{line}");
        assert_eq!(ask(at, "GET /open").await.status, 401, "round {round}");
        running.write(&open);
        running.signal("-HUP");
        running.line("settings reloaded").await;
        assert_eq!(ask(at, "GET /open").await.status, 200, "round {round}");
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 20);
    let metrics = ask(running.admin, "GET /metrics").await.body;
    for line in [
        "portcullis_sidecar_reloads_total{outcome=\"ok\"} 10",
        "portcullis_sidecar_reloads_total{outcome=\"failed\"} 5",
        "portcullis_sidecar_requests_total{outcome=\"refused\"} 10",
        "portcullis_sidecar_requests_total{outcome=\"upstream_timeout\"} 0",
        "portcullis_sidecar_upstream_seconds_bucket",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert_eq!(ask(running.admin, "GET /healthz").await.status, 200);
    assert_eq!(ask(running.admin, "GET /readyz").await.status, 200);
    // A changed address needs a restart.
    std::fs::write(&running.file, format!("listen = '127.0.0.1:1'\n{open}")).unwrap();
    running.signal("-HUP");
    running.line("`listen` has changed, which needs a restart").await;
    assert_eq!(ask(at, "GET /open").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_in_progress_is_finished_at_shutdown() {
    let issuer = TestIssuer::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = "[[route]]\nprefix = '/'\ntoken = 'none'";
    let mut running =
        Running::start(&settings(&issuer, listener.local_addr().unwrap(), open)).await;
    let at = running.at;
    let request = tokio::spawn(async move { ask(at, "GET /").await });
    let (mut app, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    running.signal("-TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate";
    tokio::io::AsyncWriteExt::write_all(&mut app, answer).await.unwrap();
    assert_eq!(request.await.unwrap().body, "late");
    running.line("stopped").await;
    assert!(running.child.wait().unwrap().success());
}

#[test]
fn config_check_says_what_is_wrong_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sidecar.toml");
    std::fs::write(&file, "upstream = 'http://127.0.0.1:1'\n[[issuer]]\nissuer = 'https://a.example'\naudience = 'b'\n").unwrap();
    let (code, told) = check(&file);
    assert_eq!((code, told), (0, format!("the settings in {} are right\n", file.display())));
    std::fs::write(&file, "upstream = 'http://127.0.0.1:1'\n\n[tokens]\ncooky = 'x'\n").unwrap();
    let (code, told) = check(&file);
    let begin =
        format!("portcullis-sidecar: {}:4: unknown field `cooky` in [tokens]", file.display());
    assert!(code == 1 && told.starts_with(&begin), "{code} {told}");
}
