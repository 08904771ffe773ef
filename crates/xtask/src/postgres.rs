//! A temporary PostgreSQL server for tests, on loopback and with a temporary directory.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use crate::run::{Failure, output, program, run};

/// Timeout of the server's start, long enough for a busy machine. A server that exits early is
/// reported at once.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// PostgreSQL's programs, and the user to run them as: PostgreSQL refuses to run as root.
#[derive(Debug)]
pub(crate) struct Programs {
    directory: PathBuf,
    /// User and group, if the current user is root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds the newest installed version. Debian's versions are not in the search path.
    pub(crate) fn find() -> Result<Option<Self>, Failure> {
        let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
        versions.sort_by_key(|path| {
            let version = path.parent().and_then(Path::file_name);
            version.and_then(|name| name.to_str()?.parse::<u32>().ok())
        });
        let path = env::var_os("PATH").unwrap_or_default();
        let found = versions
            .into_iter()
            .rev()
            .chain(env::split_paths(&path))
            .find(|directory| directory.join("initdb").exists());
        let Some(directory) = found else { return Ok(None) };
        Ok(Some(Self { directory, user: unprivileged()? }))
    }

    /// Returns the directory of the programs, for tests that start servers of their own.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn version(&self) -> Result<String, Failure> {
        Ok(output(program(self.directory.join("postgres")).arg("--version"))?.trim().to_owned())
    }

    fn command(&self, name: &str) -> Command {
        self.as_user(program(self.directory.join(name)))
    }

    fn as_user(&self, mut command: Command) -> Command {
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

/// Returns the user and group for the server if the current user is root: the user of Debian's package, or the
/// system's unprivileged user.
fn unprivileged() -> Result<Option<(u32, u32)>, Failure> {
    let id = |arguments: &[&str]| -> Result<u32, Failure> {
        let id = output(program("id").args(arguments).stderr(Stdio::null()))?;
        id.trim().parse().map_err(|_| Failure::new(format!("`id` printed {id:?}, not a number")))
    };
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    let name = if id(&["-u", "postgres"]).is_ok() { "postgres" } else { "nobody" };
    Ok(Some((id(&["-u", name])?, id(&["-g", name])?)))
}

/// A running server. Dropping it stops the server and deletes its directory.
#[derive(Debug)]
pub(crate) struct Server {
    directory: PathBuf,
    child: Child,
    /// Connection URL of a superuser, with a random password.
    pub(crate) url: String,
    /// The CA of the server's certificate for 127.0.0.1.
    pub(crate) ca: PathBuf,
}

impl Server {
    pub(crate) fn start(programs: &Programs) -> Result<Self, Failure> {
        let directory = env::temp_dir().join(format!("portcullis-postgres-{}", process::id()));
        let in_directory =
            |error: io::Error| Failure::new(format!("{}: {error}", directory.display()));
        fs::create_dir(&directory).map_err(in_directory)?;
        let prepared = prepare(programs, &directory);
        let started = prepared.map_err(in_directory).and_then(|password| {
            run(programs.command("initdb").current_dir(&directory).args([
                "--pgdata=data",
                "--username=portcullis",
                "--pwfile=password",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                // Folds and sorts as Unicode does, as most servers do: `lower` of U+212A (Kelvin) is
                // `k`, which the C locale hides.
                "--locale=C.UTF-8",
                "--no-sync",
            ]))?;
            make_certificates(programs, &directory)?;
            let port = free_port().map_err(in_directory)?;
            let log = fs::File::create(directory.join("log")).map_err(in_directory)?;
            let child = programs
                .command("postgres")
                .current_dir(&directory)
                .args(["-D", "data", "-p", &port.to_string(), "-k", ""])
                // fsync is off, since the tests kill the issuer, not the machine.
                .args(["-h", "127.0.0.1", "-c", "fsync=off", "-c", "max_connections=300"])
                .args(["-c", "ssl=on", "-c", "ssl_cert_file=../server.crt"])
                .args(["-c", "ssl_key_file=../server.key"])
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .map_err(in_directory)?;
            let url = format!("postgres://portcullis:{password}@127.0.0.1:{port}/postgres");
            Ok((child, url, port))
        });
        match started {
            Ok((child, url, port)) => {
                let ca = directory.join("ca.crt");
                let mut server = Self { directory, child, url, ca };
                server.wait_until_ready(programs, port)?;
                println!("PostgreSQL: listening on 127.0.0.1:{port} until the tests end");
                Ok(server)
            }
            Err(failure) => {
                // The original failure is reported, not one of the cleanup.
                let _ = fs::remove_dir_all(&directory);
                Err(failure)
            }
        }
    }

    fn wait_until_ready(&mut self, programs: &Programs, port: u16) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            let mut asked = programs.command("pg_isready");
            asked.current_dir("/").args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            if asked.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || start.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                return Err(Failure::new(format!("PostgreSQL did not start ({ended:?}):\n{log}")));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Gives the directory to the server's user, writes a random password into it, and returns the password.
fn prepare(programs: &Programs, directory: &Path) -> io::Result<String> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    let mut random = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let file = directory.join("password");
    fs::write(&file, &password)?;
    if let Some((user, group)) = programs.user {
        for path in [directory, &file] {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
        }
    }
    Ok(password)
}

/// Generates a CA, and a certificate for the server's address without a host name.
fn make_certificates(programs: &Programs, directory: &Path) -> Result<(), Failure> {
    let make = |name: &str, more: &[&str]| {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let mut openssl = programs.as_user(program("openssl"));
        openssl.current_dir(directory).stderr(Stdio::null());
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-days", "30", "-keyout", &key, "-out", &certificate]);
        run(openssl.args(["-subj", &format!("/CN=portcullis {name}")]).args(more))
    };
    make("ca", &["-addext", "keyUsage=critical,keyCertSign"])?;
    let of_the_authority = ["-CA", "ca.crt", "-CAkey", "ca.key"];
    let for_the_server =
        ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    make("server", &[of_the_authority, for_the_server].concat())
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it closes connections and frees shared memory.
        let pid = self.child.id().to_string();
        let asked = program("kill").args(["-INT", &pid]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs PostgreSQL: run cargo xtask test"]
    fn dropped_server_is_stopped_and_its_directory_deleted() {
        let programs = Programs::find().unwrap().unwrap();
        let server = Server::start(&programs).unwrap();
        let (directory, pid) = (server.directory.clone(), server.child.id());
        assert!(directory.join("data").exists());
        drop(server);
        assert!(!directory.exists());
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
