//! The runbook docs/runbooks/leaked-password.md: after one command, a service that follows the
//! status lists rejects the tokens.

use std::time::{Duration, Instant};

use portcullis::{Authenticator, Gate, Revocation};

use crate::common::{API, Home, login, on_every_store, refresh};
use crate::process::run;
use crate::status_lists::{ask, bearer, serving};

on_every_store!(one_command_ends_the_sessions_of_a_leaked_password);

/// The bound in the runbook for a service that waits for changes of the lists.
const PUSHED_WITHIN: Duration = Duration::from_secs(5);

const RUNBOOK: &str = include_str!("../../../../docs/runbooks/leaked-password.md");

async fn one_command_ends_the_sessions_of_a_leaked_password(home: Home) {
    let (issuer, url, server) = serving(&home).await;
    let auth = Authenticator::builder(&url, API).build().await.unwrap();
    // The bound is 30 s, so an earlier rejection is due to the issuer's push.
    let revocation = Revocation::status_list(Duration::from_secs(30));
    let gate = Gate::new(auth).revocation(revocation).unwrap();
    for arguments in [&["users", "passwd", "alice"][..], &["users", "disable", "alice"]] {
        let command = format!("portcullis-issuer {}", arguments.join(" "));
        assert!(RUNBOOK.contains(&command), "{command}");
        issuer.enable_user("alice").await.unwrap();
        issuer.set_password("alice", crate::common::PASSWORD).await.unwrap();
        let stolen = login(&issuer).await.expect(200);
        let request = bearer(&stolen);
        assert_eq!(ask(&gate, &request).await, "passes");

        let settings = home.settings(&url, "127.0.0.1:0");
        let settings: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let output = tokio::task::block_in_place(|| run(home.path(), &settings, arguments, ""));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{told} {}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("ended 1 session, whose"), "{told}");
        let acknowledged = Instant::now();
        while ask(&gate, &request).await == "passes" {
            assert!(acknowledged.elapsed() < PUSHED_WITHIN, "no push arrived");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("rejected {:?} after {arguments:?}", acknowledged.elapsed());
        assert_eq!(ask(&gate, &request).await, "revoked");
        refresh(&issuer, &stolen.text("refresh_token")).await.expect(401);
        login(&issuer).await.expect(401);
        let events = issuer.events(0, 1000).await.unwrap();
        let last = events.last_chunk::<3>().unwrap();
        let did = last.iter().find(|event| event.actor.is_some()).unwrap();
        assert!(["password_changed", "user_disabled"].contains(&&*did.kind), "{did:?}");
        assert_eq!(did.actor.as_deref(), Some("operator"));
        assert_eq!(did.user_id, Some(issuer.account("alice").await.unwrap().id));
    }
    server.abort();
}
