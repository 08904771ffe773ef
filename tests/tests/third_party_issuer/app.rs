//! The axum example, built and run as a user would.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::Value;
use tokio::process::Command;

use crate::process::Process;

#[derive(Debug)]
pub(crate) struct App {
    url: String,
    client: reqwest::Client,
    _process: Process,
}

/// What the app said to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The `WWW-Authenticate` header, empty if there is none.
    pub(crate) challenge: String,
    /// For the message of a failed assertion.
    #[expect(dead_code, reason = "read by Debug alone")]
    body: String,
}

impl App {
    /// Starts one on a port of its own, and with no tolerance for clocks, since issuer and app
    /// read the same one.
    pub(crate) async fn start(issuer: &str, audience: &str) -> Self {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTCULLIS_") {
                command.env_remove(name);
            }
        }
        command
            .env("LISTEN", "127.0.0.1:0")
            .env("PORTCULLIS_ISSUER", issuer)
            .env("PORTCULLIS_AUDIENCE", audience)
            .env("PORTCULLIS_LEEWAY_SECS", "0");
        let (process, url) = Process::start("example-axum", &mut command, |line| {
            line.split_once("listening on ").map(|(_, url)| url.trim().to_owned())
        })
        .await;
        Self { url, client: http_client(), _process: process }
    }

    pub(crate) async fn orders(&self, token: Option<&str>) -> Answer {
        self.get("/orders", token).await
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        Answer {
            status: response.status().as_u16(),
            challenge: challenge
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default(),
            body: response.text().await.unwrap(),
        }
    }
}

impl Answer {
    pub(crate) fn assert_refused(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.challenge.starts_with("Bearer"), "{self:?}");
        assert!(self.challenge.contains(&format!(r#"error="{error}""#)), "{self:?}");
    }
}

/// A client that a proxy in the environment does not concern.
pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The example's binary. Cargo tells a test about the binaries of its own package only, and builds
/// no other package's for it, so it is asked to, in the workspace's root, as for the examples'
/// READMEs: that is right for any selection of packages, and never runs a stale one.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let built = std::process::Command::new(env!("CARGO"))
            .args(["build", "--bin", "example-axum"])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(built.status.success(), "the example does not build");
        String::from_utf8(built.stdout)
            .unwrap()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == "example-axum")
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .expect("cargo names the executable that it has built")
    })
}
