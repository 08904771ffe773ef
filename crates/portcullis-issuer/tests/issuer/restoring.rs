//! The runbook docs/runbooks/restore.md: a restored backup does not bring back withdrawn keys or
//! ended sessions.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portcullis::{Authenticator, Gate, Revocation};
use portcullis_issuer::{Issuer, NewClient};
use serde_json::json;

use crate::common::{API, Answer, Home, call, login, on_every_store, part, post, refresh};
use crate::process::run;
use crate::status_lists::{ask, bearer, bit, serving};

on_every_store!(restored_database_voids_all_tokens);

const RUNBOOK: &str = include_str!("../../../../docs/runbooks/restore.md");
const BACKUP: &str = include_str!("../../../../docs/runbooks/backup.md");

/// Runs a command of the runbooks, with paths below `home`.
fn step(home: &Path, command: &str) {
    assert!(RUNBOOK.contains(command) || BACKUP.contains(command), "{command}");
    let here = command
        .replace("/var/lib/portcullis-issuer", ".")
        .replace("/var/backups/portcullis", "./backups")
        .replace("-o portcullis -g portcullis ", "");
    let done = Command::new("sh").args(["-c", &here]).current_dir(home).output().unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
}

/// Runs `portcullis-issuer restored`, as in the runbook, and returns its output.
fn restored(home: &Home, url: &str) -> String {
    assert!(RUNBOOK.contains("portcullis-issuer restored --stopped"));
    let settings = home.settings(url, "127.0.0.1:0");
    let settings: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
    let output = run(home.path(), &settings, &["restored", "--stopped"], "");
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains(" new_kid=") && log.contains(" withdrawn="), "{log}");
    String::from_utf8(output.stdout).unwrap()
}

async fn kids(issuer: &Issuer) -> Vec<String> {
    let keys = call(issuer, "GET /.well-known/jwks.json", &[]).await.expect(200).json;
    let keys = keys["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(grant: &Answer) -> String {
    part(&grant.text("access_token"), 0)["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_backup_does_not_revive_withdrawn_keys_or_ended_sessions() {
    let home = Home::new();
    let (issuer, url, server) = serving(&home).await;
    let ended = login(&issuer).await.expect(200);
    let compromised = kid(&ended);
    std::fs::create_dir(home.path().join("backups")).unwrap();
    step(
        home.path(),
        "sqlite3 /var/lib/portcullis-issuer/identsphere.db \
         \".backup /var/backups/portcullis/identsphere.db\"",
    );
    let logout = json!({ "refresh_token": ended.text("refresh_token") });
    post(&issuer, "/v1/auth/logout", &logout).await.expect(204);
    issuer.withdraw_key_now(&compromised).await.unwrap();
    let later = login(&issuer).await.expect(200);
    server.abort();
    issuer.close().await;

    step(home.path(), "mkdir -m 700 /var/lib/portcullis-issuer/damaged");
    step(
        home.path(),
        "mv /var/lib/portcullis-issuer/identsphere.db* /var/lib/portcullis-issuer/damaged/",
    );
    step(
        home.path(),
        "install -o portcullis -g portcullis -m 600 /var/backups/portcullis/identsphere.db \
         /var/lib/portcullis-issuer/identsphere.db",
    );
    step(
        home.path(),
        "install -o portcullis -g portcullis -m 600 \
         /var/lib/portcullis-issuer/damaged/identsphere.db.key \
         /var/lib/portcullis-issuer/identsphere.db.key",
    );
    let told = tokio::task::block_in_place(|| restored(&home, &url));
    assert!(told.contains("ended 1 session, began"), "{told}");

    let mut config = home.config();
    config.issuer = url;
    config.clock = std::sync::Arc::new(portcullis::clock::SystemClock::new());
    let issuer = Issuer::open(config).await.unwrap();
    let published = kids(&issuer).await;
    assert_eq!(published.len(), 1);
    assert!(published[0] != compromised && published[0] != kid(&later), "{published:?}");
    for grant in [&ended, &later] {
        refresh(&issuer, &grant.text("refresh_token")).await.expect(401);
        assert!(revoked_in(&issuer, grant).await);
    }
    login(&issuer).await.expect(200);
}

/// Returns whether the access token is revoked in its status list.
async fn revoked_in(issuer: &Issuer, grant: &Answer) -> bool {
    let token = grant.text("access_token");
    let uri = part(&token, 1)["status"]["status_list"]["uri"].as_str().unwrap().to_owned();
    let path = uri.split_once("/v1/").unwrap().1.to_owned();
    let list = call(issuer, &format!("GET /v1/{path}"), &[]).await.expect(200);
    list.header("content-type") == "application/statuslist+jwt"
        && bit(issuer, &format!("/v1/{path}"), &token).await
}

async fn restored_database_voids_all_tokens(home: Home) {
    let (issuer, url, server) = serving(&home).await;
    let secret = issuer.add_client(NewClient::new("reports").audiences([API])).await.unwrap();
    let auth = Authenticator::builder(&url, API).build().await.unwrap();
    let gate = Gate::new(auth).revocation(Revocation::status_list(Duration::from_secs(30)));
    let gate = gate.unwrap();
    issuer.rotate_keys().await.unwrap();
    let before = login(&issuer).await.expect(200);
    assert_eq!(ask(&gate, &bearer(&before)).await, "passes");
    let old = kids(&issuer).await;
    assert_eq!(old.len(), 2, "the active and the next key");

    let told = tokio::task::block_in_place(|| restored(&home, &url));
    assert!(told.contains("ended 1 session, began"), "{told}");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while kids(&issuer).await.iter().any(|kid| old.contains(kid)) {
        assert!(std::time::Instant::now() < deadline, "an old key is still published");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    refresh(&issuer, &before.text("refresh_token")).await.expect(401);
    while ask(&gate, &bearer(&before)).await == "passes" {
        assert!(std::time::Instant::now() < deadline, "no push arrived");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let fresh = login(&issuer).await.expect(200);
    assert_eq!(ask(&gate, &bearer(&fresh)).await, "passes");
    let list = |grant: &Answer| {
        part(&grant.text("access_token"), 1)["status"]["status_list"]["uri"].clone()
    };
    assert_ne!(list(&before), list(&fresh));
    assert!(secret.is_some() && !revoked_in(&issuer, &fresh).await);
    let kinds: Vec<_> =
        issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert!(
        kinds.contains(&"restored".to_owned()) && kinds.contains(&"all_sessions_ended".to_owned())
    );
    // The command can be repeated, for example after an interruption.
    tokio::task::block_in_place(|| restored(&home, &url));
    server.abort();
}
