//! Issuer metadata that is absent, broken or somebody else's.

use serde_json::json;
use tokio::task::JoinSet;
use tollgate::testing::TestKey;
use tollgate::{Algorithm, Authenticator, Freshness};

use crate::server::{Answer, Server, response};
use crate::service::{
    FETCH_TIMEOUT, JWKS, SLACK, ask, discovering, jwks, last_error, status, token_of,
    until_next_attempt, until_stale,
};

const METADATA: &str = "/.well-known/openid-configuration";

struct Row {
    name: &'static str,
    /// What is answered for the metadata.
    fault: fn(&Server) -> Answer,
    /// Part of what the operator reads.
    told: &'static str,
}

fn document(issuer: &str, jwks_uri: &str) -> Answer {
    Answer::Document(json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string())
}

fn good(server: &Server) -> Answer {
    document(&server.url(""), &server.url(JWKS))
}

const ROWS: &[Row] = &[
    Row {
        name: "another issuer",
        fault: |server| document("https://evil.example", &server.url(JWKS)),
        told: "is the metadata of \"https://evil.example\", not of",
    },
    Row {
        name: "the issuer with a slash",
        fault: |server| document(&server.url("/"), &server.url(JWKS)),
        told: "is the metadata of",
    },
    Row {
        name: "no issuer",
        fault: |server| Answer::Document(json!({"jwks_uri": server.url(JWKS)}).to_string()),
        told: "`issuer` is absent",
    },
    Row {
        name: "two issuers",
        fault: |server| {
            let (issuer, jwks_uri) = (server.url(""), server.url(JWKS));
            Answer::Document(format!(
                r#"{{"issuer":"{issuer}","issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#
            ))
        },
        told: "not the JSON object it should be",
    },
    Row {
        name: "`jwks_uri` on another host, over http",
        fault: |server| document(&server.url(""), "http://192.0.2.1/jwks"),
        told: "http://192.0.2.1/jwks is neither https nor on this machine",
    },
    Row {
        name: "`jwks_uri` that is a file",
        fault: |server| document(&server.url(""), "file:///etc/passwd"),
        told: "file:///etc/passwd is neither https nor on this machine",
    },
    Row {
        name: "`jwks_uri` that is no URL",
        fault: |server| document(&server.url(""), JWKS),
        told: "`jwks_uri` is no URL",
    },
    Row {
        name: "no `jwks_uri`",
        fault: |server| Answer::Document(json!({"issuer": server.url("")}).to_string()),
        told: "`jwks_uri` is absent",
    },
    Row {
        name: "HTML",
        fault: |_| Answer::Document("<!doctype html>".to_owned()),
        told: "is no issuer metadata",
    },
    Row {
        name: "a redirect",
        fault: |_| Answer::Bytes(response("302 Found", "location: /moved\r\n", "")),
        told: "/.well-known/openid-configuration answered 302",
    },
    Row {
        name: "nothing in either place",
        fault: |_| Answer::Bytes(response("404 Not Found", "", "")),
        told: "/.well-known/openid-configuration answered 404",
    },
    Row {
        name: "silence",
        fault: |_| Answer::Hang(Vec::new()),
        told: "no whole answer within 400ms",
    },
    Row {
        name: "a document without end",
        fault: |_| Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n{".to_vec(), vec![b' '; 0x1000]),
        told: "more than 65536 bytes",
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_can_not_be_used_leads_nowhere_and_costs_no_caller() {
    let mut services = Vec::new();
    for row in ROWS {
        let server = Server::start();
        server.set(METADATA, Answer::Reset);
        let auth = discovering(&server).start_without_keys().build().await.unwrap();
        services.push((row, server, auth));
    }
    let mut rows = JoinSet::new();
    for (row, server, auth) in services {
        rows.spawn(check(row, server, auth));
    }
    let mut failed = 0;
    while let Some(outcome) = rows.join_next().await {
        failed += usize::from(outcome.is_err());
    }
    assert_eq!(failed, 0, "rows have failed, see above");
}

async fn check(row: &'static Row, server: Server, auth: Authenticator) {
    let Row { name, fault, .. } = row;
    let key = TestKey::generate("a", Algorithm::Es256);
    let token = token_of(&server.url(""), &key);
    let published = Answer::Document(jwks([&key]));

    // There are no keys yet, and none are looked for where such metadata leads.
    server.set(METADATA, fault(&server));
    server.set(JWKS, published.clone());
    server.set("/moved", good(&server));
    auth.refresh().await.unwrap_err();
    failed(row, &auth, Freshness::Unavailable);
    assert_eq!(ask(&auth, &token).await.status, 503, "{name}");
    assert!(server.requests(JWKS).is_empty(), "{name}");
    server.set(METADATA, good(&server));
    recovers(name, &auth, &token).await;

    // The keys are gone from where they were, so that the metadata is asked anew.
    server.set(METADATA, fault(&server));
    server.set(JWKS, Answer::Bytes(response("410 Gone", "", "")));
    until_stale(&auth).await;
    assert_eq!(ask(&auth, &token).await.status, 200, "{name}");
    let told = last_error(&auth).unwrap_or_default();
    assert!(told.contains("/jwks answered 410 Gone"), "{name}: {told}");
    until_next_attempt(&auth).await;
    let asked = ask(&auth, &token).await;
    assert_eq!(asked.status, 200, "{name}: {asked:?}");
    assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{name}: {asked:?}");
    failed(row, &auth, Freshness::Stale);
    assert_eq!(server.requests(JWKS).len(), 2, "{name}");
    assert!(server.requests("/moved").is_empty(), "{name}");

    server.set(METADATA, good(&server));
    server.set(JWKS, published);
    recovers(name, &auth, &token).await;
}

fn failed(row: &Row, auth: &Authenticator, freshness: Freshness) {
    assert_eq!(status(auth).freshness, freshness, "{}", row.name);
    let told = last_error(auth).unwrap_or_default();
    assert!(told.contains(row.told), "{}: {told}", row.name);
}

async fn recovers(name: &str, auth: &Authenticator, token: &str) {
    until_next_attempt(auth).await;
    let asked = ask(auth, token).await;
    assert_eq!(asked.status, 200, "{name}: {asked:?}");
    let status = status(auth);
    assert_eq!(status.freshness, Freshness::Fresh, "{name}");
    assert!(status.last_error.is_none(), "{name}: {status:?}");
}
