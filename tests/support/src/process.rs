//! A process that serves until the test ends.

use std::{process::Stdio, time::Duration};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// Long enough for a busy machine. If the process fails, it exits, and the test notices at once.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A process that is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    _child: Child,
    /// The process's standard input, held open: an issuer exits when its standard input closes,
    /// even if this test could not kill it.
    _stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts the command and waits for the line of its standard output in which `ready` finds a
    /// value. All other output is shown if the test fails.
    pub async fn start<T>(
        name: &'static str,
        command: &mut Command,
        ready: impl Fn(&str) -> Option<T>,
    ) -> (Self, T) {
        if let Some(started) = Self::attempt(name, command, &ready).await {
            return started;
        }
        eprintln!("{name} was not ready within {READY_WITHIN:?}, and is started again");
        let again = Self::attempt(name, command, &ready).await;
        again.unwrap_or_else(|| panic!("{name} was not ready within {READY_WITHIN:?}, twice"))
    }

    /// Starts the command once. Returns `None` if it was not ready in time.
    async fn attempt<T>(
        name: &'static str,
        command: &mut Command,
        ready: &impl Fn(&str) -> Option<T>,
    ) -> Option<(Self, T)> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let errors = tokio::spawn(show(name, stderr));

        let find = async {
            while let Some(line) = stdout.next_line().await.unwrap() {
                eprintln!("{name}: {line}");
                if let Some(found) = ready(&line) {
                    return Some(found);
                }
            }
            None
        };
        match timeout(READY_WITHIN, find).await {
            Ok(Some(found)) => {
                tokio::spawn(show(name, stdout));
                Some((Self { _child: child, _stdin: stdin }, found))
            }
            Ok(None) => {
                // All of the process's output is shown before the panic.
                errors.await.unwrap();
                panic!("{name} ended before it was ready: {:?}", child.wait().await);
            }
            Err(_) => None,
        }
    }
}

async fn show<R: AsyncRead + Unpin>(name: &str, mut lines: Lines<BufReader<R>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        eprintln!("{name}: {line}");
    }
}
