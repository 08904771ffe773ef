//! The OpenAPI document: it has exactly the operations that are served.

use std::collections::BTreeSet;

use portcullis_issuer::Issuer;
use serde_json::Value;

use crate::common::{Home, call};

/// The crate's documentation, with a table of the endpoints.
const DOCUMENTATION: &str = include_str!("../../src/lib.rs");

async fn document(issuer: &Issuer) -> Value {
    call(issuer, "GET /openapi.json", &[]).await.expect(200).json
}

fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
        methods.map(|method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn documented_operations_exist_and_are_in_the_table() {
    let home = Home::new();
    let mut config = home.config();
    config.registration = true;
    config.passkey_rp_id = Some("example.com".to_owned());
    config.notifier = Some(std::sync::Arc::new(crate::messages::Mailbox::default()));
    let issuer = Issuer::open(config).await.unwrap();
    let document = document(&issuer).await;
    let documented = operations(&document);
    for operation in &documented {
        let answer =
            call(&issuer, &operation.replace("{id}", "x").replace("{list}", "0"), &[]).await;
        assert_ne!(answer.json["type"], "urn:portcullis:problem:method-not-allowed", "{operation}");
        assert_ne!(answer.status, 404, "{operation}");
    }
    let table = DOCUMENTATION.lines().filter_map(|line| {
        let operation = line.strip_prefix("//! | `")?.split(['`', '?']).next()?;
        operation.starts_with(|first: char| first.is_ascii_uppercase()).then_some(operation)
    });
    assert_eq!(documented, table.map(str::to_owned).collect());
}

#[tokio::test]
async fn registration_is_documented_only_if_it_is_on() {
    let home = Home::new();
    let issuer = home.open().await;
    assert!(document(&issuer).await["paths"].get("/v1/auth/register").is_none());
    assert_eq!(call(&issuer, "POST /v1/auth/register", &[]).await.status, 404);
}
