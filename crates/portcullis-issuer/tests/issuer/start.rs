//! Starts and stops of the issuer: a failed start explains its error and overwrites nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::Connection as _;

use crate::common::{Home, ISSUER, PASSWORD, execute, stranger};
use crate::process::{Running, program, program_at, request, run, wait_for};
use portcullis_issuer::{Error, Issuer, IssuerConfig};

async fn refused(config: IssuerConfig) -> (Error, String) {
    let error = Issuer::open(config).await.unwrap_err();
    let message = error.to_string();
    (error, message)
}

#[tokio::test]
async fn files_are_created_once_and_for_their_owner_only() {
    let home = Home::new();
    drop(home.open().await);
    let key = fs::read(home.key_file()).unwrap();
    drop(home.open().await);
    assert_eq!(fs::read(home.key_file()).unwrap(), key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for file in [home.key_file(), home.database()] {
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_behind_a_symlink_are_for_their_owner_only() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let home = Home::new();
    symlink("second", home.database()).unwrap();
    symlink("third", home.path().join("second")).unwrap();
    drop(home.open().await);
    let mode = fs::metadata(home.path().join("third")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Replicas on one volume may start at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_starts_use_one_key() {
    for _ in 0..20 {
        let home = Home::new();
        let starts: Vec<_> = (0..4).map(|_| tokio::spawn(Issuer::open(home.config()))).collect();
        let mut kids = Vec::new();
        for start in starts {
            let issuer = start.await.unwrap().unwrap();
            kids.extend(issuer.keys().await.unwrap().into_iter().map(|key| key.kid));
        }
        assert_eq!(kids.len(), 4);
        assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
        let files = fs::read_dir(home.path()).unwrap().count();
        assert!(files <= 4, "temporary files are left");
    }
}

#[tokio::test]
async fn closed_issuer_leaves_one_database_file() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    issuer.close().await;
    let names = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    assert_eq!(names, ["identsphere.db", "identsphere.db.key"]);
    assert_eq!(home.open().await.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn missing_key_file_is_not_replaced() {
    let home = Home::new();
    drop(home.open().await);
    let aside = home.path().join("aside");
    fs::rename(home.key_file(), &aside).unwrap();
    let (error, message) = refused(home.config()).await;
    assert!(matches!(error, Error::KeyFileMissing { .. }), "{error:?}");
    assert!(message.contains("identsphere.db.key is missing"), "{message}");
    assert!(!home.key_file().exists());
    fs::rename(&aside, home.key_file()).unwrap();
    home.open().await;
}

#[tokio::test]
async fn wrong_key_encryption_key_is_reported_and_changes_nothing() {
    let home = Home::new();
    let issuer = home.open().await;
    let signing = issuer.rotate_keys_now().await.unwrap();
    // The old key is due to be withdrawn.
    home.advance(100_000);
    let before = issuer.keys().await.unwrap();
    assert_eq!(before.len(), 2);
    let wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let mut config = home.config();
    config.key_encryption_key = portcullis_issuer::KeyEncryptionKey::from_base64(wrong);
    let (error, message) = refused(config).await;
    assert!(matches!(error, Error::WrongKeyEncryptionKey { .. }), "{error:?}");
    assert!(message.contains("IDENTSPHERE_KEY_ENCRYPTION_KEY is not the key"), "{message}");
    assert!(message.contains(&signing) && !message.contains("AAAA"), "{message}");

    fs::write(home.key_file(), wrong).unwrap();
    let (_, message) = refused(home.config()).await;
    assert!(message.contains("identsphere.db.key is not the key"), "{message}");
    fs::write(home.key_file(), "hunter2").unwrap();
    let (error, message) = refused(home.config()).await;
    assert!(matches!(error, Error::KeyFile { .. }), "{error:?}");
    assert!(message.contains("base64 of 32 bytes") && !message.contains("hunter2"), "{message}");
    assert!(message.contains("from your backup. Only if this issuer has never"), "{message}");
    assert_eq!(issuer.keys().await.unwrap(), before);
}

#[tokio::test]
async fn file_that_is_not_the_issuers_database_is_not_changed() {
    let home = Home::new();
    let mut other = stranger(&home).await;
    execute(&mut other, "CREATE TABLE theirs (x)").await;
    let without_migrations = fs::read(home.database()).unwrap();
    execute(
        &mut other,
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
         installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
         checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)",
    )
    .await;
    let with_migrations = fs::read(home.database()).unwrap();
    other.close().await.unwrap();
    for (content, problem) in [
        ("This is no database. ".repeat(100).into_bytes(), "damaged or not an SQLite file"),
        (without_migrations, "belongs to another program"),
        (with_migrations, "belongs to another program"),
    ] {
        fs::write(home.database(), &content).unwrap();
        let (_, message) = refused(home.config()).await;
        assert!(message.contains("identsphere.db") && message.contains(problem), "{message}");
        assert!(message.contains("IDENTSPHERE_DATABASE"), "{message}");
        assert_eq!(fs::read(home.database()).unwrap(), content);
        assert!(!home.key_file().exists());
    }
}

#[tokio::test]
async fn damaged_database_is_rejected() {
    let home = Home::new();
    let _issuer = home.open_with_alice().await;
    // Copies the database into one file, and overwrites all pages but the first.
    let copy = home.path().join("copy.db");
    let url = format!("sqlite://{}", home.database().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("VACUUM INTO ?").bind(copy.to_str().unwrap()).execute(&pool).await.unwrap();
    let mut config = home.config();
    config.database.clone_from(&copy);
    let mut content = fs::read(&copy).unwrap();
    content.iter_mut().skip(4096).for_each(|byte| *byte ^= 0x5A);
    fs::write(&copy, &content).unwrap();
    let (_, message) = refused(config).await;
    assert!(message.contains("copy.db") && message.contains("damaged"), "{message}");
    assert_eq!(fs::read(&copy).unwrap(), content);
}

#[tokio::test]
async fn read_only_database_and_missing_directory_are_reported() {
    let home = Home::new();
    drop(home.open().await);
    let mut permissions = fs::metadata(home.database()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(home.database(), permissions).unwrap();
    let (_, message) = refused(home.config()).await;
    assert!(message.contains("identsphere.db cannot be used: it is read-only"), "{message}");

    let mut config = home.config();
    config.database = home.path().join("no/such/directory/identsphere.db");
    let (_, message) = refused(config).await;
    assert!(message.contains("no/such/directory/identsphere.db cannot be used"), "{message}");
    assert!(message.contains("directory exists"), "{message}");
}

#[tokio::test]
async fn locked_database_is_reported_as_locked() {
    let home = Home::new();
    home.open().await.close().await;
    let mut other = stranger(&home).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let (_, message) = refused(home.config()).await;
    assert!(
        message.ends_with(
            "identsphere.db cannot be used: another program has kept it locked for 5 seconds. \
             Close open sqlite3 shells and backups, and try again"
        ),
        "{message}"
    );
    execute(&mut other, "COMMIT").await;
    home.open().await;
}

#[test]
fn port_in_use_or_wrong_setting_stops_the_program() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (setting, value, expected) in [
        (
            "IDENTSPHERE_LISTEN",
            address.as_str(),
            format!("cannot listen on {address}: another process listens there. Stop it, or"),
        ),
        ("IDENTSPHERE_ISSUER", "http://auth.example.com", "loopback host only".to_owned()),
        ("IDENTSPHERE_KEY_ENCRYPTION_KEY", "hunter2", "must be the base64".to_owned()),
    ] {
        let output = run(home.path(), &[(setting, value)], &["serve"], "");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{told}");
        assert!(told.contains(setting) && told.contains(&expected), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(!home.database().exists(), "{setting}");
    }
}

/// The user of the process may read the file, but not write it. SQLite would open it for reading.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn database_that_is_not_writable_is_not_opened() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;

    let home = Home::new();
    home.open().await.close().await;
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    allow(home.path(), 0o777).unwrap();
    allow(&home.database(), 0o446).unwrap();
    let mut command = program(home.path(), &[], &["serve"]);
    // Permissions do not apply to root, so root runs the program as another user. That user may
    // have no access to the build's directory, so the program is copied.
    if fs::metadata(home.path()).unwrap().uid() == 0 {
        let copy = home.path().join("program");
        fs::copy(env!("CARGO_BIN_EXE_portcullis-issuer"), &copy).unwrap();
        command = program_at(&copy, home.path(), &[], &["serve"]);
        command.uid(65534);
    }
    let before = fs::read_dir(home.path()).unwrap().count();
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("identsphere.db cannot be used: it is read-only"), "{told}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), before, "a new file is left");
}

#[test]
fn commands_name_the_database_and_create_none_by_mistake() {
    let home = Home::new();
    let path = home.database().display().to_string();
    for arguments in [["users", "list"], ["keys", "list"], ["keys", "rotate"]] {
        let output = run(home.path(), &[], &arguments, "");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(&format!("there is no database {path}. Set")), "{told}");
        assert!(!output.status.success() && !home.database().exists());
    }
    let output = run(home.path(), &[], &["users", "add", "alice"], "");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.starts_with("added alice (") && told.contains(&format!(") to {path}\n")),
        "{told}"
    );
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.lines().count() == 1 && log.contains("created a key-encryption key"), "{log}");
    assert!(!home.path().join("identsphere.db-wal").exists());

    let rotated = |arguments: &[&str]| {
        let output = run(home.path(), &[], arguments, "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let told = rotated(&["keys", "rotate", "--now", "--algorithm", "EdDSA"]);
    let (new, old) = told.split_once('\n').unwrap();
    assert!(new.contains(" (EdDSA): active, signs since 20"), "{told}");
    assert!(old.contains(" (ES256): retired, published until 20"), "{told}");
    let told = rotated(&["keys", "rotate"]);
    assert!(told.contains(" (EdDSA): next, signs from 20"), "{told}");
    assert_eq!(told, rotated(&["keys", "rotate"]), "the next key is published already");
    let kid = new.split(' ').next().unwrap();
    let output = run(home.path(), &[], &["keys", "withdraw", kid], "");
    assert!(!output.status.success(), "without --now nothing is withdrawn");
    let told = rotated(&["keys", "withdraw", kid, "--now"]);
    assert!(told.contains("verifiers reject its tokens within 300 s"), "{told}");
    let listed = rotated(&["keys", "list"]);
    for state in ["active, signs since", "retired, published until", "withdrawn at"] {
        assert!(listed.contains(state), "{listed}");
    }
}

#[cfg(unix)]
#[test]
fn world_readable_or_missing_database_is_warned_about() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new();
    let add = |name: &str| {
        let output = run(home.path(), &[], &["users", "add", name], "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    add("alice");
    fs::set_permissions(home.database(), fs::Permissions::from_mode(0o644)).unwrap();
    let told = add("bob");
    assert!(told.contains("other users may read") && told.contains("identsphere.db"), "{told}");
    fs::remove_file(home.database()).unwrap();
    let told = add("carol");
    assert!(told.contains("the database is empty, but there is a key file for it"), "{told}");
}

#[test]
fn unavailable_listen_address_is_explained() {
    let home = Home::new();
    let settings = [("IDENTSPHERE_LISTEN", "192.0.2.1:8080")];
    let output = run(home.path(), &settings, &[], "");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("this machine has no such address. Set IDENTSPHERE_LISTEN"), "{told}");
    assert!(told.contains("or to 0.0.0.0:8080 for all"), "{told}");
}

#[test]
fn program_serves_and_follows_a_rotation_from_the_command_line() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let issuer = format!("http://{address}");
    let settings = [("IDENTSPHERE_ISSUER", issuer.as_str()), ("IDENTSPHERE_LISTEN", &address)];
    let arguments = ["users", "add", "alice", "--scope", "a:read", "--password-stdin"];
    let added = run(home.path(), &settings, &arguments, &format!("{PASSWORD}\n"));
    assert!(added.status.success(), "{added:?}");
    assert!(!run(home.path(), &settings, &arguments, &format!("{PASSWORD}\n")).status.success());
    let generated = run(home.path(), &settings, &["users", "add", "bob"], "");
    let told = String::from_utf8_lossy(&generated.stdout).into_owned();
    assert!(told.contains("added bob") && told.contains("password: "), "{told}");

    let _running = Running(program(home.path(), &settings, &[]).spawn().unwrap());
    let jwks = format!("GET /.well-known/jwks.json HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let published = || request(&address, &jwks).unwrap().matches("\"kid\"").count();
    wait_for(&address);
    assert_eq!(published(), 1);
    let body = format!("{{\"username\":\"ALICE\",\"password\":\"{PASSWORD}\"}}");
    let login = format!(
        "POST /v1/auth/login HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = request(&address, &login).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(answer.contains("\"scope\":\"a:read\""), "{answer}");

    let rotated = run(home.path(), &settings, &["keys", "rotate", "--now"], "");
    assert!(rotated.status.success(), "{rotated:?}");
    assert_eq!(published(), 2);
    let listed = run(home.path(), &settings, &["keys", "list"], "");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("active") && listed.contains("retired"), "{listed}");
    let listed = run(home.path(), &settings, &["sessions", "list", "Alice"], "");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("since 20") && listed.lines().count() == 1, "{listed}");
    let ended = run(home.path(), &settings, &["sessions", "end", "alice"], "");
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(told, "ended the sessions of alice (1); their access tokens expire within 900 s\n");
    let listed = run(home.path(), &settings, &["sessions", "list", "alice"], "");
    assert!(listed.status.success() && listed.stdout.is_empty(), "{listed:?}");
    assert!(!run(home.path(), &settings, &["sessions", "end", "eve"], "").status.success());
    let log = run(home.path(), &settings, &["audit", "--after", "1"], "");
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    let events: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["user_added", "user_added", "login", "key_active", "logout_everywhere"]);
    assert_eq!(events[2]["address"], "127.0.0.1");
    let lost = request(&address, &format!("GET /nowhere HTTP/1.0\r\nHost: {ISSUER}\r\n\r\n"));
    assert!(lost.unwrap().contains("urn:portcullis:problem:not-found"));
}

/// A service manager stops the program while a slow client sends a request.
#[cfg(unix)]
#[test]
fn program_stops_on_sigterm_despite_a_slow_client() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let settings = [("IDENTSPHERE_LISTEN", address.as_str())];
    let mut running = Running(program(home.path(), &settings, &[]).spawn().unwrap());
    wait_for(&address);
    let body = "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 9\r\n\r\n{";
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(body.as_bytes()).unwrap();
    // The response to a second client shows that the first client's request was read.
    request(&address, "GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    let start = Instant::now();
    terminate(&running);
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{status:?}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let mut told = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("connections closed after the grace period of 5 s"), "{told}");
    assert!(told.contains("stopping: finishing the requests in progress"), "{told}");
    assert!(told.contains("stopped serving") && told.contains("audiences=[]"), "{told}");
    assert!(!told.contains("issuer configured"), "{told}");
    assert!(told.contains("IDENTSPHERE_ISSUER is http://127.0.0.1:8080, but this pro"), "{told}");
    assert!(told.contains(&format!("database={}", home.database().display())), "{told}");
    assert!(!home.path().join("identsphere.db-wal").exists(), "the database was not closed");
}

/// The program listens before it opens the database.
#[cfg(unix)]
#[test]
fn program_stopped_during_its_start_closes_the_database() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let settings = [("IDENTSPHERE_LISTEN", address.as_str())];
    let mut running = Running(program(home.path(), &settings, &[]).spawn().unwrap());
    while TcpStream::connect(&address).is_err() {
        assert!(running.0.try_wait().unwrap().is_none(), "the program ended by itself");
    }
    terminate(&running);
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{status:?}");
    assert!(home.database().exists());
    assert!(!home.path().join("identsphere.db-wal").exists(), "the database was not closed");
}

/// A verifier that waits for a status list does not delay a stop. Health probes have a listener of
/// their own.
#[cfg(unix)]
#[test]
fn waiting_verifier_is_answered_on_sigterm() {
    let home = Home::new();
    let [address, health] = [(); 2]
        .map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string());
    let settings = [
        ("IDENTSPHERE_LISTEN", address.as_str()),
        ("IDENTSPHERE_HEALTH_LISTEN", health.as_str()),
        ("IDENTSPHERE_ISSUER", ISSUER),
        ("IDENTSPHERE_TRUSTED_ORIGINS", "https://app.example.org"),
    ];
    let mut running = Running(program(home.path(), &settings, &[]).spawn().unwrap());
    wait_for(&address);
    for path in ["healthz", "readyz"] {
        let fine = request(&health, &format!("GET /{path} HTTP/1.0\r\n\r\n")).unwrap();
        assert!(fine.starts_with("HTTP/1.0 200"), "{fine}");
    }
    let none = request(&health, "GET /.well-known/jwks.json HTTP/1.0\r\n\r\n").unwrap();
    assert!(none.starts_with("HTTP/1.0 404"), "{none}");

    let list = "GET /v1/status-lists/0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let first = request(&address, &format!("{list}\r\n")).unwrap();
    let etag = first.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let wait = format!("{list}If-None-Match: {etag}\r\nPrefer: wait=60\r\n\r\n");
    let mut waiting = TcpStream::connect(&address).unwrap();
    waiting.write_all(wait.as_bytes()).unwrap();
    // The response to a second client shows that the first client's request was read.
    request(&address, "GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    let start = Instant::now();
    terminate(&running);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 304"), "{answer}");
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{status:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let mut told = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    for warning in [
        "IDENTSPHERE_CLIENT_ADDRESS_HEADER is not set",
        "IDENTSPHERE_TRUSTED_ORIGINS has https://app.example.org, which is not the same site as",
    ] {
        assert!(told.contains(warning), "no {warning} in {told}");
    }
}

#[cfg(unix)]
fn terminate(running: &Running) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", running.0.id())])
        .status()
        .unwrap();
    assert!(sent.success());
}
