//! Token status lists across implementations: our issuer's lists read by `@sd-jwt/jwt-status-list`,
//! and its lists read by our validator.

use std::process::Stdio;
use std::time::Duration;

use portcullis::testing::{bearer, verdict};
use portcullis::{Authenticator, Gate, Revocation};
use portcullis_test_support::process::Process;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::API;
use crate::other_languages::{Ours, node};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/third_party/status-list");

fn script(name: &str) -> Command {
    let mut command = Command::new(node());
    command.arg(name).current_dir(DIRECTORY).env("no_proxy", "*").kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node 20 and the npm package @sd-jwt/jwt-status-list: run `cargo xtask test`"]
async fn our_status_lists_are_read_alike_by_another_implementation() {
    let ours = Ours::start().await;
    let mut logins = Vec::new();
    for ended in [false, true, false, true, true, false, false] {
        let (token, session) = ours.session().await;
        logins.push((token, session, ended));
    }
    for (token, session, _) in logins.iter().filter(|(_, _, ended)| *ended) {
        ours.end(token, session).await;
    }
    let mut reader = script("read.mjs");
    reader.env("ISSUER", ours.url()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = reader.spawn().unwrap();
    let lines: String = logins.iter().map(|(token, ..)| format!("{token}\n")).collect();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).await.unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let expected: String =
        logins.iter().map(|(_, _, ended)| if *ended { "1\n" } else { "0\n" }).collect();
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node 20 and the npm package @sd-jwt/jwt-status-list: run `cargo xtask test`"]
async fn status_lists_of_another_implementation_are_read_alike() {
    let (_process, served) = Process::start("status lists", &mut script("serve.mjs"), |line| {
        serde_json::from_str::<Value>(line).ok()
    })
    .await;
    let issuer = served["issuer"].as_str().unwrap();
    let auth = Authenticator::builder(issuer, API)
        .jwks_url(format!("{issuer}/keys"))
        .build()
        .await
        .unwrap();
    let revocation = Revocation::status_list(Duration::from_secs(60));
    let gate = Gate::new(auth.clone()).revocation(revocation).unwrap();
    let tokens = served["tokens"].as_array().unwrap();
    // The lists of 1, 2, 4 and 8 bits have every possible status twice, and eight more statuses.
    assert_eq!(tokens.len(), (4 + 8) + (8 + 8) + (32 + 8) + (512 + 8));
    for token in tokens {
        let (status, token) = (token["status"].as_u64().unwrap(), token["token"].as_str().unwrap());
        let refused_by = verdict(&gate, &bearer(token)).await.err().map(|refusal| refusal.rule());
        assert_eq!(refused_by, (status != 0).then_some("revoked"), "{status}: {token}");
    }
    // Twelve 1-bit statuses fill a byte and a half.
    let status = auth.status();
    let lists = &status.first().unwrap().status_lists;
    let known: Vec<_> = lists.iter().map(|list| (list.statuses, list.pushed)).collect();
    assert_eq!(known, [(16, false), (16, false), (40, false), (520, false)]);
}
