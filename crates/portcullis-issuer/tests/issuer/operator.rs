//! What an operator learns: who changed what, and whether a command did what it says.

use portcullis_issuer::{ClientUpdate, Error, Issuer, KeyEncryptionKey, NewClient};

use crate::common::{API, Home, KEY, on_every_store};
use crate::process::run;

on_every_store!(changes_by_commands_have_the_operator_as_actor);

async fn changes_by_commands_have_the_operator_as_actor(home: Home) {
    let issuer = home.open_with_alice().await;
    issuer.add_client(NewClient::new("reports").audiences([API])).await.unwrap();
    issuer.update_client("reports", ClientUpdate::new().scopes(["orders:read"])).await.unwrap();
    issuer.rotate_client_secret("reports").await.unwrap();
    issuer.disable_client("reports").await.unwrap();
    issuer.enable_client("reports").await.unwrap();
    issuer.remove_client("reports").await.unwrap();
    let next = issuer.rotate_keys().await.unwrap();
    issuer.withdraw_key_now(&next).await.unwrap();
    issuer.rotate_keys_now().await.unwrap();
    let new =
        KeyEncryptionKey::from_base64("bmV3IGtleS1lbmNyeXB0aW9uIGtleSBmb3IgdGVzdHM=").unwrap();
    issuer.rekey(&new).await.unwrap();

    let events = issuer.events(0, 1000).await.unwrap();
    let (first, commands) = events.split_first().unwrap();
    // The start of the issuer creates the first key.
    assert_eq!((&*first.kind, &first.actor), ("key_active", &None));
    let told: Vec<_> = commands
        .iter()
        .map(|event| format!("{} by {}", event.kind, event.actor.as_deref().unwrap_or("?")))
        .collect();
    let kinds = [
        "user_added",
        "client_added",
        "client_updated",
        "client_credential_changed",
        "client_disabled",
        "client_enabled",
        "client_removed",
        "key_published",
        "key_withdrawn",
        "key_active",
        "key_encryption_key_changed",
    ];
    assert_eq!(told, kinds.map(|kind| format!("{kind} by operator")));
}

#[test]
fn undelivered_invitation_fails_the_command_and_can_be_sent_again() {
    let home = Home::new();
    let command = |notifier: &str, line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        let output = run(home.path(), &[("IDENTSPHERE_NOTIFIER", notifier)], &arguments, "");
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    let (code, told) = command("exec:/bin/false", "users add alice");
    assert_eq!(code, Some(0), "{told}");
    for (notifier, reason) in [
        ("exec:/bin/false", "/bin/false ended with exit status: 1"),
        ("exec:/nonexistent/send", "cannot run /nonexistent/send"),
    ] {
        let (code, told) = command(notifier, "users invite bob bob@example.com");
        assert_eq!(code, Some(1), "{told}");
        let exists = "the user \"bob\" was added, but the invitation was not delivered";
        assert!(told.contains(exists) && told.contains(reason), "{told}");
        assert!(!told.contains("invited bob"), "{told}");
    }
    let (code, told) = command("exec:/bin/true", "users invite bob bob@example.com");
    assert!(code == Some(0) && told.contains("invited bob"), "{told}");
}

#[test]
fn commands_that_void_what_a_process_has_need_a_confirmation() {
    let home = Home::new();
    let command = |settings: &[(&str, &str)], line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        let output = run(home.path(), settings, &arguments, "");
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (_, told) = command(&[], "users add alice");
    assert!(told.contains("created a key-encryption key; keep a copy"), "{told}");
    assert_eq!(command(&[], "users list"), (true, String::new()));
    for line in ["restored", "keys rekey --new-key-file new.key"] {
        let (succeeded, told) = command(&[], line);
        assert!(!succeeded && told.contains("--stopped"), "{told}");
    }
    // A wrong old key leaves no file of a new key behind.
    let wrong = [("IDENTSPHERE_KEY_ENCRYPTION_KEY", KEY)];
    let rekey = "keys rekey --stopped --new-key-file new.key";
    let (succeeded, told) = command(&wrong, rekey);
    assert!(!succeeded && told.contains("cannot be decrypted"), "{told}");
    assert!(!home.path().join("new.key").exists());
    assert!(command(&[], rekey).0);
}

#[test]
fn command_without_an_effect_says_so() {
    let home = Home::new();
    for (line, succeeds, expected) in [
        ("clients add billing", true, "added billing"),
        ("clients update billing", false, "nothing to update"),
        ("sessions end", false, "sessions end --all"),
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        let output = run(home.path(), &[], &arguments, "");
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.success(), succeeds, "{told}");
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn mistyped_audience_is_a_warning_that_names_the_known_ones() {
    let home = Home::new();
    let command = |audiences: &str, line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        let output = run(home.path(), &[("IDENTSPHERE_AUDIENCES", audiences)], &arguments, "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let api = "https://api.example.com";
    command(api, "users add alice");
    for (line, expected) in [
        ("clients add right --audience https://api.example.com", ""),
        (
            "clients add typo --audience https://apis.example.com",
            "did you mean `https://api.example.com`?",
        ),
        ("clients update typo --audience https://api.example.com", ""),
        (
            "clients add api --resource-server https://other.example.org",
            "known ones are https://api.example.com",
        ),
        ("clients add caller --audience https://other.example.org", ""),
    ] {
        let told = command(api, line);
        assert!(
            told.contains(expected) && told.is_empty() == expected.is_empty(),
            "{line}: {told}"
        );
    }
    let told = command(api, "users set-roles alice clerk");
    assert_eq!(told, "");
    let output = run(home.path(), &[], &["users", "set-roles", "alice", "site admin"], "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("`site-admin` instead of"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn absent_key_file_of_an_empty_postgresql_is_not_reported_as_lost() {
    let home = Home::on_postgres().await;
    let mut config = home.config();
    config.key_encryption_key = None;
    config.key_encryption_key_file = Some(home.path().join("absent.key"));
    let error = Issuer::open(config.clone()).await.unwrap_err();
    assert!(matches!(error, Error::NoKeyFile { .. }), "{error}");
    home.open().await.close().await;
    let error = Issuer::open(config).await.unwrap_err();
    assert!(matches!(error, Error::KeyFileMissing { .. }), "{error}");
}
