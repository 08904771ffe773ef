//! Runs the commands of `console` blocks in Markdown. The output of a command must contain every line that the
//! page shows, in order; `…` matches any part of a line. Documented ports are replaced with free ports, so that
//! other services on the machine do not interfere.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::run::{Failure, output, program, run};

/// Environment variables of a command.
pub(crate) type Variables = [(String, String)];

/// The ports of 127.0.0.1 in the READMEs, each with the variable that sets the address.
const DOCUMENTED: [(u16, &str); 3] =
    [(3000, "LISTEN"), (8080, "IDENTSPHERE_LISTEN"), (8081, "SECOND_LISTEN")];

/// Timeout of the start, which includes the build.
const STARTED_WITHIN: Duration = Duration::from_secs(1800);

/// Timeout of all commands of a page, in seconds.
const ANSWERED_WITHIN: &str = "600";

/// A command, and the output that the page shows.
#[derive(Debug, PartialEq)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) text: String,
    shown: Vec<String>,
}

impl Command {
    /// Fails with the first shown line that is missing from the output.
    fn check<'l>(&self, came: impl IntoIterator<Item = &'l str>) -> Result<(), Failure> {
        let mut shown = self.shown.iter().peekable();
        let mut seen = String::new();
        for line in came {
            seen.push_str("\n    ");
            seen.push_str(line);
            shown.next_if(|pattern| is_like(line.trim_end(), pattern));
        }
        match shown.next() {
            None => Ok(()),
            Some(missing) => {
                Err(self.failure(&format!("{missing:?} is missing from the output:{seen}")))
            }
        }
    }

    fn failure(&self, why: &str) -> Failure {
        Failure::new(format!("{}: `{}`: {why}", self.line, self.text))
    }
}

/// Returns every command of the README's `console` blocks. Other code blocks are an error, since their commands
/// would not be checked.
pub(crate) fn commands(readme: &str) -> Result<Vec<Command>, Failure> {
    let mut commands: Vec<Command> = Vec::new();
    let (mut inside, mut unfinished) = (false, false);
    for (index, line) in readme.lines().enumerate() {
        let number = index + 1;
        if let Some(kind) = line.strip_prefix("```") {
            if !inside && kind != "console" {
                return Err(Failure::new(format!(
                    "{number}: a {kind:?} block is not checked; use `console`"
                )));
            }
            inside = !inside;
        } else if inside && unfinished {
            if let Some(command) = commands.last_mut() {
                command.text.push('\n');
                command.text.push_str(line);
            }
            unfinished = goes_on(line);
        } else if let Some(text) = line.strip_prefix("$ ").filter(|_| inside) {
            commands.push(Command { line: number, text: text.to_owned(), shown: Vec::new() });
            unfinished = goes_on(text);
        } else if inside {
            let command = commands.last_mut();
            let command = command
                .ok_or_else(|| Failure::new(format!("{number}: output without a command")))?;
            command.shown.push(line.to_owned());
        }
    }
    Ok(commands)
}

fn goes_on(line: &str) -> bool {
    line.ends_with(['\\', '|'])
}

/// Returns whether `line` matches `pattern`, in which `…` is a wildcard.
fn is_like(line: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else { return line == pattern };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut rest = rest.split('…').peekable();
    while let Some(part) = rest.next() {
        if rest.peek().is_none() {
            return line.ends_with(part);
        }
        let Some((_, after)) = line.split_once(part) else { return false };
        line = after;
    }
    true
}

/// A free port for each documented port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports([u16; 3]);

impl Ports {
    /// Finds free ports. They are below the range for outgoing connections, since an outgoing connection could
    /// take a port before the server is built and listens.
    pub(crate) fn free() -> Result<Self, Failure> {
        // Concurrent runs start at different ports.
        let first = 20_000 + u16::try_from(std::process::id() % 900).unwrap_or_default() * 10;
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let mut free = (first..32_000).filter(is_free);
        let mut next = || free.next().ok_or_else(|| Failure::new(" no port is free".to_owned()));
        Ok(Self([next()?, next()?, next()?]))
    }

    /// Replaces the documented ports in the page.
    pub(crate) fn applied(self, page: &str) -> String {
        DOCUMENTED.iter().zip(self.0).fold(page.to_owned(), |text, ((documented, _), port)| {
            text.replace(&format!(":{documented}"), &format!(":{port}"))
        })
    }

    /// Returns the variables that set the addresses of the examples.
    pub(crate) fn variables(self) -> Vec<(String, String)> {
        let addresses = self.0.map(|port| format!("127.0.0.1:{port}"));
        DOCUMENTED.iter().zip(addresses).map(|((_, name), at)| ((*name).to_owned(), at)).collect()
    }
}

/// A running server.
pub(crate) struct Server {
    process: Child,
    /// The lines of the process's output, which are read continuously so that the process never
    /// blocks.
    lines: Receiver<String>,
}

impl Server {
    /// Runs `before` and then the server's command in one shell, and waits for the output that the page shows.
    pub(crate) fn start(
        folder: &Path,
        before: &[Command],
        command: &Command,
        variables: &Variables,
    ) -> Result<Self, Failure> {
        println!("$ {}", command.text);
        let before: String = before.iter().map(|command| format!("{}\n", command.text)).collect();
        let mut shell = program("bash");
        shell.args(["-ec", &format!("{before}exec {}", command.text)]).stdout(Stdio::piped());
        shell.current_dir(folder).envs(variables.iter().cloned());
        let failure = |error| command.failure(&format!("{error}"));
        let mut process = shell.spawn().map_err(failure)?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = process.stdout.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(stdout).lines().map_while(Result::ok);
                lines.map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
            });
        }
        let server = Self { process, lines };
        match server.ready(command) {
            Ok(()) => Ok(server),
            Err(failure) => server.stop().and(Err(failure)),
        }
    }

    fn ready(&self, command: &Command) -> Result<(), Failure> {
        let (begin, mut came) = (Instant::now(), Vec::<String>::new());
        loop {
            let outcome = command.check(came.iter().map(String::as_str));
            if outcome.is_ok() {
                return outcome;
            }
            match self.lines.recv_timeout(STARTED_WITHIN.saturating_sub(begin.elapsed())) {
                Ok(line) => came.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return outcome,
            }
        }
    }

    /// Ends the server with SIGTERM.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        let ended = self.process.try_wait().ok().flatten();
        if ended.is_none() {
            let id = self.process.id().to_string();
            run(program("bash").args(["-c", &format!("kill -TERM {id}")]))?;
        }
        self.process.wait().map(drop).map_err(|error| Failure::new(format!(" {error}")))
    }
}

/// Runs all commands in one shell, so that variables persist.
pub(crate) fn ask(
    folder: &Path,
    commands: &[Command],
    variables: &Variables,
) -> Result<(), Failure> {
    /// Separates the output of a command from its status.
    const END: &str = "--- ended with ";
    let mut script = "set -o pipefail\n".to_owned();
    for command in commands {
        script.push_str(&format!("{}\nprintf '\\n%s%s\\n' '{END}' $?\n", command.text));
    }
    let written = output(
        program("timeout")
            .args([ANSWERED_WITHIN, "bash", "-c", &script])
            .current_dir(folder)
            .envs(variables.iter().cloned()),
    )?;
    let mut lines = written.lines();
    for command in commands {
        let came: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with(END)).collect();
        command.check(came)?;
    }
    // The lines with the statuses are read again, since each `take_while` consumed one of them.
    let ends = written.lines().filter_map(|line| line.strip_prefix(END));
    for (command, status) in commands.iter().zip(ends.chain(std::iter::repeat("nothing"))) {
        if status != "0" {
            return Err(command.failure(&format!("ended with {status}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# a\n\n```console\n$ serve\nlistening on 1\n```\n\nThen:\n\n```console\n\
                          $ A=$(echo \\\n  1)\n$ ask\n200 OK\n{\"a\":\"…\"}\n```\n";

    #[test]
    fn commands_are_parsed_with_their_lines_and_output() {
        let commands = commands(README).unwrap();
        let parts: Vec<_> = commands.iter().map(|c| (c.line, c.text.as_str())).collect();
        assert_eq!(parts, [(4, "serve"), (11, "A=$(echo \\\n  1)"), (13, "ask")]);
        assert_eq!(commands[0].shown, ["listening on 1"]);
        assert!(commands[1].shown.is_empty());
        assert_eq!(commands[2].shown, ["200 OK", "{\"a\":\"…\"}"]);
    }

    #[test]
    fn documented_ports_are_replaced_by_free_ones() {
        let ports = Ports::free().unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.0[0])).unwrap();
        assert!(!Ports::free().unwrap().0.contains(&ports.0[0]), "{taken:?}");
        let readme = "http://127.0.0.1:8080 a.localhost:3000/3000 127.0.0.1:8081 Max-Age=8080";
        assert_eq!(
            Ports([20_001, 20_002, 20_003]).applied(readme),
            "http://127.0.0.1:20002 a.localhost:20001/3000 127.0.0.1:20003 Max-Age=8080",
        );
    }

    #[test]
    fn block_of_another_language_is_an_error() {
        let failure = commands("```sh\nls\n```\n").unwrap_err().to_string();
        assert!(failure.starts_with("1: "), "{failure}");
        assert!(commands("```console\nno command\n```\n").is_err());
    }

    #[test]
    fn shown_lines_must_occur_in_order() {
        let command = commands(README).unwrap().remove(2);
        assert!(command.check(["200 OK", "date: now", "{\"a\":\"b\"}"]).is_ok());
        for wrong in [
            &["401 Unauthorized", "{\"a\":\"b\"}"][..],
            &["{\"a\":\"b\"}", "200 OK"],
            &["200 OK"],
            &["200 OK and more", "{\"a\":\"b\"}"],
            &["200 OK", "{\"b\":\"b\"}"],
        ] {
            let failure = command.check(wrong.iter().copied()).unwrap_err().to_string();
            assert!(failure.starts_with("13: `ask`: "), "{failure}");
        }
    }

    #[test]
    fn failed_command_is_reported() {
        let command = |text: &str| Command { line: 1, text: text.into(), shown: Vec::new() };
        let ask = |commands: &[Command]| ask(Path::new("/"), commands, &[]);
        assert!(ask(&[command("A=1"), command("test $A = 1")]).is_ok());
        let failure = ask(&[command("true"), command("false")]).unwrap_err().to_string();
        assert_eq!(failure, "1: `false`: ended with 1");
        assert!(ask(&[command("exit 0"), command("true")]).is_err());
    }

    #[test]
    fn ellipsis_matches_any_part_of_a_line() {
        for (line, pattern, is) in [
            ("a b c", "a…c", true),
            ("a b c", "…", true),
            ("a b c", "a…b…c", true),
            ("a b c", "a…d…c", false),
            ("a b c", "b…", false),
            ("a b c", "…b", false),
            ("abc", "abc", true),
            ("abcd", "abc", false),
        ] {
            assert_eq!(is_like(line, pattern), is, "{line} {pattern}");
        }
    }
}
