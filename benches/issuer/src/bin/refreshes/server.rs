//! The issuer's binary on a database of its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_bench_issuer::{PASSWORD, cpu_of};

/// A running issuer, with one user. It ends when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    metrics: String,
    pub(crate) home: tempfile::TempDir,
}

impl Server {
    /// Starts an issuer on SQLite, or in its own schema of this PostgreSQL database.
    pub(crate) fn start(binary: &Path, postgres: Option<&str>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (address, metrics) = (free(), free());
        let mut settings = vec![
            ("IDENTSPHERE_ISSUER", format!("http://{address}")),
            ("IDENTSPHERE_LISTEN", address.clone()),
            ("IDENTSPHERE_METRICS_LISTEN", metrics.clone()),
            ("IDENTSPHERE_AUDIENCES", "https://api.example.com".to_owned()),
            ("IDENTSPHERE_ACCESS_EXPIRY_SECS", "60".to_owned()),
            ("IDENTSPHERE_REFRESHES_PER_SESSION", "0".to_owned()),
            (
                "IDENTSPHERE_KEY_ENCRYPTION_KEY",
                "a2V5LWVuY3J5cHRpb24ta2V5LWZvci10ZXN0cy0hISE=".to_owned(),
            ),
        ];
        if let Some(postgres) = postgres {
            let name = home.path().file_name().unwrap().to_str().unwrap();
            let schema = format!("refreshes_{}", name.trim_start_matches('.').to_lowercase());
            let made = Command::new("psql")
                .args([postgres, "-qc", &format!("CREATE SCHEMA {schema}")])
                .status();
            assert!(made.unwrap().success());
            let url = format!("{postgres}?options=-c%20search_path={schema}");
            settings.push(("IDENTSPHERE_DATABASE_URL", url));
        } else {
            let file = home.path().join("issuer.db").display().to_string();
            settings.push(("IDENTSPHERE_DATABASE", file));
        }
        let binary = std::fs::canonicalize(binary).unwrap();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(&binary);
            command.args(arguments).env_clear().envs(settings.clone()).current_dir(home.path());
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let mut add = command(&["users", "add", "alice", "--password-stdin"]).spawn().unwrap();
        writeln!(add.stdin.take().unwrap(), "{PASSWORD}").unwrap();
        assert!(add.wait().unwrap().success());
        let child = command(&["serve"]).spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, address, metrics, home }
    }

    /// Returns the processor time of the issuer so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string())
    }

    /// Returns the number of grouped commits of the issuer so far, or `None` if it does not count
    /// them.
    pub(crate) fn commits(&self) -> Option<f64> {
        let mut stream = TcpStream::connect(&self.metrics).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line =
            text.lines().find(|line| line.starts_with("portcullis_issuer_group_commits_total"))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
