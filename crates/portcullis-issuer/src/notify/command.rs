//! The notifier that writes messages to the standard input of a program.

use std::fmt;
use std::io::ErrorKind;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Delivery, Message, Notifier, SETTING};
use crate::error::ConfigError;

/// Runs a program for each message. The program reads the message from standard input as one line
/// of JSON.
pub(super) struct CommandNotifier {
    program: String,
    arguments: Vec<String>,
}

impl CommandNotifier {
    /// Splits `command` at white space into the program and its arguments. No shell is used, and
    /// the arguments contain nothing of a message.
    pub(super) fn new(command: &str) -> Result<Self, ConfigError> {
        let mut words = command.split_whitespace().map(str::to_owned);
        let Some(program) = words.next() else {
            let expected = "exec: must be followed by a program, for example \
                            exec:/usr/local/bin/send-message";
            return Err(ConfigError::new(SETTING, "exec:", expected));
        };
        Ok(Self { program, arguments: words.collect() })
    }
}

impl Notifier for CommandNotifier {
    fn deliver(&self, message: Message) -> Delivery<'_> {
        Box::pin(async move {
            let mut line = zeroize::Zeroizing::new(serde_json::to_vec(&message)?);
            line.push(b'\n');
            let mut command = Command::new(&self.program);
            // The environment is cleared, since it may contain the key-encryption key.
            command.args(&self.arguments).env_clear().kill_on_drop(true);
            if let Some(path) = std::env::var_os("PATH") {
                command.env("PATH", path);
            }
            // The program's output is discarded, since it may contain the token.
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let program = &self.program;
            let started = command.spawn();
            let mut child = started.map_err(|error| format!("cannot run {program}: {error}"))?;
            if let Some(mut stdin) = child.stdin.take() {
                // A program that ends without reading closes the pipe: its exit code says why.
                match stdin.write_all(&line).await {
                    Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
                    _ => {}
                }
            }
            let status = child.wait().await?;
            if status.success() {
                Ok(())
            } else {
                Err(format!("{program} ended with {status}").into())
            }
        })
    }
}

/// Omits the arguments, which may be secrets.
impl fmt::Debug for CommandNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandNotifier").field("program", &self.program).finish_non_exhaustive()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::notify::MessageKind;

    fn message() -> Message {
        let message = Message::new(MessageKind::PasswordReset, "id", "alice", "alice@example.com");
        message.with_token(Zeroizing::new("t0ken".to_owned()), 900)
    }

    #[tokio::test]
    async fn program_reads_a_line_of_json_and_sees_no_setting() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("send");
        let written = directory.path().join("written");
        let text = format!("env > {0}; cat >> {0}\n", written.display());
        std::fs::write(&script, text).unwrap();
        let command = format!("/bin/sh {}", script.display());
        CommandNotifier::new(&command).unwrap().deliver(message()).await.unwrap();
        let written = std::fs::read_to_string(&written).unwrap();
        let line = written.lines().last().unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(line).unwrap(),
            serde_json::json!({
                "kind": "password_reset", "user_id": "id", "name": "alice",
                "address": "alice@example.com", "token": "t0ken", "expires_at": 900,
            })
        );
        assert!(!written.contains("CARGO"), "{written}");
    }

    #[tokio::test]
    async fn failed_program_is_an_error_without_the_token() {
        for (command, reason) in [
            ("/bin/false", "/bin/false ended with exit status: 1"),
            ("/nonexistent/program --key s3cret", "cannot run /nonexistent/program: "),
        ] {
            let sent = CommandNotifier::new(command).unwrap().deliver(message()).await;
            let error = sent.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("t0ken") && !error.contains("s3cret"), "{error}");
        }
    }

    #[tokio::test]
    async fn program_that_ends_without_reading_is_reported_with_its_exit_code() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("send");
        std::fs::write(&script, "exec 0<&-\nexit 3\n").unwrap();
        let notifier = CommandNotifier::new(&format!("/bin/sh {}", script.display())).unwrap();
        // Larger than a pipe's buffer, so that the write cannot end before the program does.
        let name = "a".repeat(1 << 20);
        let long = Message::new(MessageKind::NameTaken, "id", &name, "alice@example.com");
        let error = notifier.deliver(long).await.unwrap_err().to_string();
        assert!(error.contains("ended with exit status: 3"), "{error}");
    }
}
