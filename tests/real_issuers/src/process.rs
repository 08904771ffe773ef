//! An issuer as a process: a bash script in its own process group, so that everything it starts
//! ends with it.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::failure::{Failure, Outcome};

/// A running script. It is killed when it is dropped, with everything that it started.
#[derive(Debug)]
pub(crate) struct Script {
    child: Child,
    group: Option<Pid>,
}

impl Script {
    /// Runs `text` in `folder`, and appends what it writes to `log`.
    pub(crate) fn start(text: &str, folder: &Path, log: &Path) -> Outcome<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new("bash");
        command
            .args(["-e", "-u", "-o", "pipefail", "-c", text])
            .current_dir(folder)
            // A local issuer is never behind a proxy.
            .env("no_proxy", "127.0.0.1,localhost")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, group })
    }

    /// Runs `text` to its end.
    pub(crate) async fn run(text: &str, folder: &Path, log: &Path) -> Outcome<()> {
        let mut script = Self::start(text, folder, log)?;
        let status = script.child.wait().await?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("the script ended with {status}; it wrote to {}", log.display())))
    }

    /// Waits until `url` responds with 200.
    pub(crate) async fn ready(&mut self, url: &str, within: Duration) -> Outcome<()> {
        let client = crate::http::client()?;
        let begin = Instant::now();
        while begin.elapsed() < within {
            if let Some(status) = self.child.try_wait()? {
                // A script that starts a process in the background may end before the URL responds.
                if !status.success() {
                    return Err(Failure::new(format!(
                        "it ended with {status} before it was ready"
                    )));
                }
            }
            let answer = client.get(url).timeout(Duration::from_secs(15)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::new(format!("{url} did not answer 200 within {within:?}")))
    }

    /// Kills the script without warning, like a crash.
    pub(crate) async fn kill(mut self) -> Outcome<()> {
        self.kill_group();
        self.child.wait().await?;
        Ok(())
    }

    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            // Fails only if the whole group has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.kill_group();
    }
}
