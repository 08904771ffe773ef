//! Checks the systemd unit with `systemd-analyze`, and the settings file beside it.

use std::fs;
use std::process::Command;

use crate::settings::issuer;
use crate::tools::{shipped, tell, text};

const UNIT: &str = "systemd/portcullis-issuer.service";

/// Runs `systemd-analyze` on the unit with this change.
fn analyze(arguments: &[&str], change: (&str, &str)) -> (bool, String) {
    let unit = text(UNIT);
    for part in ["/usr/local/bin/portcullis-issuer", change.0] {
        assert!(unit.contains(part), "there is no {part}");
    }
    // The program is not installed on this machine, and `systemd-analyze` requires an executable
    // file.
    let unit = unit
        .replacen(change.0, change.1, 1)
        .replace("/usr/local/bin/portcullis-issuer", "/bin/true");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis-issuer.service");
    fs::write(&path, unit).unwrap();
    let mut command = Command::new("systemd-analyze");
    tell(command.args(arguments).arg(path).env("SYSTEMD_PAGER", ""))
}

#[test]
#[ignore = "needs systemd-analyze: run cargo xtask test"]
fn unit_is_verified_without_a_warning() {
    let none = ("Type=exec", "Type=exec");
    let about_the_unit = |told: String| -> Vec<String> {
        let about = |line: &&str| line.contains("portcullis-issuer.service");
        told.lines().filter(about).map(str::to_owned).collect()
    };
    let (right, told) = analyze(&["verify"], none);
    assert!(right, "{told}");
    assert_eq!(about_the_unit(told), [""; 0]);
    let (_, told) = analyze(&["verify"], ("ProtectSystem=", "ProtectTheSystem="));
    assert!(!about_the_unit(told).is_empty(), "a misspelt directive is not noticed");
}

/// The limit is in the unit of `systemd-analyze security`, from 0 (best) to 10.
#[test]
#[ignore = "needs systemd-analyze: run cargo xtask test"]
fn unit_is_exposed_by_at_most_1_5_of_10() {
    let security = ["security", "--offline=true", "--threshold=15", "--no-pager"];
    let (right, told) = analyze(&security, ("Type=exec", "Type=exec"));
    assert!(right, "{told}");
    let (right, told) = analyze(&security, ("SystemCallFilter=@system-service", ""));
    assert!(!right, "{told}");
}

#[test]
#[ignore = "needs systemd-sysusers: run cargo xtask test"]
fn user_of_the_unit_is_made() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let mut sysusers = Command::new("systemd-sysusers");
    sysusers.arg(format!("--root={}", root.path().display()));
    let file = shipped("systemd/portcullis.sysusers.conf").canonicalize().unwrap();
    let (right, told) = tell(sysusers.arg(file));
    assert!(right, "{told}");
    let users = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    assert!(users.starts_with("portcullis:") && users.contains("nologin"), "{users}");
}

#[test]
fn unit_names_the_files_that_are_shipped() {
    let unit = text(UNIT);
    let settings = "--config /etc/portcullis/issuer.toml";
    assert!(
        unit.contains(&format!("\nExecStart=/usr/local/bin/portcullis-issuer {settings} serve\n"))
    );
    assert!(shipped("systemd/issuer.toml").exists());
    let user = text("systemd/portcullis.sysusers.conf");
    assert!(user.contains("\nu portcullis - ") && unit.contains("\nUser=portcullis\n"));
}

#[test]
fn settings_are_accepted() {
    let key = "IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE";
    assert!(text(UNIT).contains(&format!("\nEnvironment={key}=%d/key-encryption-key\n")));
    let variables = [(key.to_owned(), "/run/credentials/key-encryption-key".to_owned())];
    let config = issuer(&text("systemd/issuer.toml"), &variables).unwrap();
    assert!(config.database.starts_with("/var/lib/portcullis-issuer"));
    assert_eq!(config.client_address_header.unwrap(), "x-forwarded-for");
}
