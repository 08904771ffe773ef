//! The image: its root directory, made by the script that the Dockerfile runs, holds all that the
//! issuer needs. It is entered with `chroot`, which needs root but no container engine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_test_support::example;

use crate::tools::{shipped, tell, text};

const READY_WITHIN: Duration = Duration::from_secs(30);

fn make_root(program: &Path, root: &Path) -> (bool, String) {
    tell(Command::new("sh").arg(shipped("rootfs.sh")).arg(program).arg(root))
}

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn status_line(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.lines().next().map(str::to_owned)
}

/// As the image's user, with nothing of this machine but its kernel and network.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs root, and builds the issuer: run cargo xtask test"]
fn issuer_serves_from_the_root_directory_of_the_image() {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    let root = tempfile::tempdir().unwrap();
    let (right, told) = make_root(&example::binary("portcullis-issuer"), root.path());
    assert!(right, "{told}");
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (_, user) = tell(Command::new("id").arg("-u"));
    let mut command = if user.trim() == "0" {
        // What `COPY --chown` does.
        chown(root.path().join("var/lib/portcullis"), Some(65532), Some(65532)).unwrap();
        let mut chroot = Command::new("chroot");
        chroot.arg("--userspec=65532:65532");
        chroot
    } else {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "chroot"]);
        unshare
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let child = command
        .arg(root.path())
        .arg("/usr/local/bin/portcullis-issuer")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("IDENTSPHERE_LISTEN", &address)
        .env("IDENTSPHERE_DATABASE", "/var/lib/portcullis/identsphere.db")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let start = Instant::now();
    while status_line(&address, "/readyz").as_deref() != Some("HTTP/1.0 200 OK") {
        assert!(running.0.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(start.elapsed() < READY_WITHIN, "it is not ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    let database = root.path().join("var/lib/portcullis/identsphere.db");
    assert_eq!(fs::metadata(database).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
#[ignore = "needs openssl: run cargo xtask test"]
fn program_that_loads_another_library_is_refused() {
    let (_, openssl) = tell(Command::new("sh").args(["-c", "command -v openssl"]));
    let root = tempfile::tempdir().unwrap();
    let (right, told) = make_root(Path::new(openssl.trim()), root.path());
    assert!(!right && told.contains("which the image would not have"), "{told}");
}

#[test]
fn images_have_no_root_user_and_the_workspaces_rust() {
    const MANIFEST: &str = include_str!("../../../Cargo.toml");
    let dockerfile = text("Dockerfile");
    let (_, rust) = MANIFEST.split_once("rust-version = \"").unwrap();
    let rust = rust.split('"').next().unwrap();
    assert!(dockerfile.contains(&format!("\nFROM rust:{rust}-")), "Rust is {rust}");
    let stages: Vec<_> = dockerfile.split("\nFROM scratch AS ").skip(1).collect();
    assert_eq!(stages.len(), 2);
    for stage in stages {
        assert!(stage.contains("\nUSER 65532:65532\n") && stage.contains("\nENTRYPOINT ["));
    }
    // Builds what Cargo.lock says, and fetches nothing else.
    let builds = dockerfile.lines().filter(|line| line.contains("cargo build"));
    assert!(builds.into_iter().all(|line| line.contains("--locked")));
    assert!(dockerfile.lines().all(|line| !line.starts_with("ADD ")));
}
