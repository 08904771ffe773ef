//! Runs the commands of the runbooks as they are written, with the settings, paths and host of the
//! test.
//!
//! In a `console` block, a line with `$ ` is a command, and the lines below it are its expected
//! output. `…` matches any text. All commands of a section run in one shell.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::common::{Home, KEY};
use crate::process::free_address;

const UPGRADE: &str = include_str!("../../../../docs/runbooks/upgrade.md");
const BACKUP: &str = include_str!("../../../../docs/runbooks/backup.md");
const RESTORE: &str = include_str!("../../../../docs/runbooks/restore.md");
const REKEY: &str = include_str!("../../../../docs/runbooks/rekey.md");
const KEY_COMPROMISE: &str = include_str!("../../../../docs/runbooks/key-compromise.md");

/// A `systemctl` with only the commands that the runbooks need.
const SYSTEMCTL: &str = r#"#!/bin/sh
set -eu
test "$2" = portcullis-issuer
if [ "$1" = stop ] || [ "$1" = restart ]; then
    pid=$(cat "$ROOT/pid")
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
if [ "$1" = start ] || [ "$1" = restart ]; then
    portcullis-issuer serve </dev/null >>"$ROOT/log" 2>&1 &
    echo $! >"$ROOT/pid"
fi
"#;

/// A machine as `deploy/systemd` sets it up, with all paths below a temporary directory.
struct Machine {
    home: Home,
    address: String,
    /// The database's URL in the runbooks, and the URL that replaces it.
    database: Option<(String, String)>,
}

struct Step {
    command: String,
    expected: Vec<String>,
}

impl Machine {
    fn new() -> Self {
        let home = Home::new();
        let address = free_address();
        let root = home.path();
        for folder in ["bin", "etc", "var", "backups"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        let program = env!("CARGO_BIN_EXE_portcullis-issuer");
        for name in ["portcullis-issuer", "portcullis-issuer.new"] {
            std::os::unix::fs::symlink(program, root.join("bin").join(name)).unwrap();
        }
        write(&root.join("bin/systemctl"), SYSTEMCTL, 0o755);
        write(&root.join("etc/key-encryption-key"), KEY, 0o600);
        let database = root.join("var/identsphere.db");
        let settings = format!(
            "issuer = \"http://{address}\"\nlisten = \"{address}\"\ndatabase = {:?}\n",
            database.display().to_string()
        );
        write(&root.join("etc/issuer.toml"), &settings, 0o640);
        Self { home, address, database: None }
    }

    /// Replaces the paths and names in a runbook by those of this machine.
    fn here(&self, text: &str) -> String {
        let below = |folder: &str| self.home.path().join(folder).display().to_string();
        let mut text = text.to_owned();
        for (documented, here) in [
            ("/usr/local/bin", below("bin")),
            ("/etc/portcullis", below("etc")),
            ("/var/lib/portcullis-issuer", below("var")),
            ("/var/backups/portcullis", below("backups")),
            ("https://auth.example.com", format!("http://{}", self.address)),
            ("http://127.0.0.1:8080", format!("http://{}", self.address)),
            // This machine has no such user.
            ("-o portcullis -g portcullis ", String::new()),
        ]
        .into_iter()
        .chain(self.database.iter().map(|(from, to)| (from.as_str(), to.clone())))
        {
            text = text.replace(documented, &here);
        }
        text
    }

    /// Runs all steps in one shell. Panics if a step fails or prints another output.
    fn run(&self, text: &str) {
        let steps = steps(&self.here(text));
        assert!(steps.len() > 2, "the runbook has no commands");
        let mut script = String::from("set -u\n");
        for (number, step) in steps.iter().enumerate() {
            script +=
                &format!("{{ {}\n}} >out.{number} 2>&1; echo $? >code.{number}\n", step.command);
        }
        let root = self.home.path();
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("sh");
        shell.env_clear().env("PATH", format!("{}:{path}", root.join("bin").display()));
        shell.env("ROOT", root).current_dir(root).args(["-c", &script]);
        let output = shell.output().unwrap();
        assert!(output.stderr.is_empty(), "{output:?}");
        for (number, step) in steps.iter().enumerate() {
            let read = |name: &str| fs::read_to_string(root.join(format!("{name}.{number}")));
            let printed = read("out").unwrap();
            let log = fs::read_to_string(root.join("log")).unwrap_or_default();
            assert_eq!(read("code").unwrap(), "0\n", "{}: {printed}{log}", step.command);
            let lines: Vec<_> = printed.lines().collect();
            assert_eq!(lines.len(), step.expected.len(), "{}: {printed}", step.command);
            for (expected, line) in step.expected.iter().zip(lines) {
                assert!(fits(expected, line), "{}: {line:?} is not {expected:?}", step.command);
            }
        }
    }

    /// Starts the service. `more` is a shell script that exports settings that are not in the file.
    fn start(&self, more: &str) {
        let start = "export IDENTSPHERE_CONFIG=/etc/portcullis/issuer.toml\n\
                     export IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE=/etc/portcullis/key-encryption-key\n\
                     systemctl start portcullis-issuer\n\
                     curl -s --retry 100 --retry-connrefused --retry-delay 1 -o /dev/null \
                     https://auth.example.com/readyz\n";
        let path = std::env::var("PATH").unwrap();
        let bin = self.home.path().join("bin");
        let mut shell = Command::new("sh");
        shell.env_clear().env("PATH", format!("{}:{path}", bin.display()));
        shell.env("ROOT", self.home.path()).current_dir(self.home.path());
        let status = shell.args(["-euc", &format!("{more}\n{}", self.here(start))]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let stop = "test ! -e pid || kill -KILL $(cat pid)";
        let _ = Command::new("sh").args(["-c", stop]).current_dir(self.home.path()).status();
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.to_owned(), expected: Vec::new() });
        } else if let Some(step) = steps.last_mut().filter(|_| inside) {
            step.expected.push(line.to_owned());
        }
    }
    steps
}

/// Returns whether `line` matches `expected`, in which `…` matches any text.
fn fits(expected: &str, line: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = if part.is_empty() { "" } else { after };
    }
    rest.is_empty()
}

fn section<'a>(runbook: &'a str, name: &str) -> &'a str {
    runbook.split("\n## ").find(|section| section.starts_with(name)).unwrap()
}

#[test]
fn upgrade_runbook_works() {
    let machine = Machine::new();
    machine.start("");
    machine.run(UPGRADE);
}

#[test]
fn backup_runbook_works_on_sqlite() {
    let machine = Machine::new();
    machine.start("");
    machine.run(section(BACKUP, "SQLite"));
    assert!(machine.home.path().join("backups/identsphere.db").exists());
}

#[test]
fn restore_runbook_works_on_sqlite() {
    let machine = Machine::new();
    machine.start("");
    machine.run(section(BACKUP, "SQLite"));
    machine.run(section(RESTORE, "SQLite"));
}

#[test]
fn rekey_runbook_works() {
    let machine = Machine::new();
    machine.start("");
    machine.run(REKEY);
    let key = |name: &str| fs::read(machine.home.path().join("etc").join(name)).unwrap();
    assert_ne!(key("key-encryption-key"), key("key-encryption-key.old"));
}

#[test]
fn key_compromise_runbook_works() {
    let machine = Machine::new();
    machine.start("");
    machine.run(KEY_COMPROMISE);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn backup_runbook_works_on_postgresql() {
    let server = std::env::var("PORTCULLIS_POSTGRES").expect("run `cargo xtask test`");
    let own = format!("runbook_{}", std::process::id());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    for statement in [format!("DROP DATABASE IF EXISTS {own}"), format!("CREATE DATABASE {own}")] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    let mut machine = Machine::new();
    let settings = format!("issuer = \"http://{0}\"\nlisten = \"{0}\"\n", machine.address);
    write(&machine.home.path().join("etc/issuer.toml"), &settings, 0o640);
    let documented = "postgres://issuer:PASSWORD@127.0.0.1/issuer";
    let (base, _) = server.rsplit_once('/').unwrap();
    let here = format!("{base}/{own}");
    machine.database = Some((documented.to_owned(), here.clone()));
    machine.start(&format!("export IDENTSPHERE_DATABASE_URL='{here}'"));
    // The runbook's second database gets a name that no other test uses.
    let text = section(BACKUP, "PostgreSQL")
        .replace("DATABASE issuer_try", &format!("DATABASE {own}_try"));
    machine.run(&text);
    drop(machine);
    let drop = format!("DROP DATABASE {own} WITH (FORCE)");
    sqlx::query(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
}
