//! An issuer with a certificate of a private CA, as inside a cluster.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::path::Path;

use portcullis::testing::TestKey;
use portcullis::{Algorithm, Authenticator, AuthenticatorBuilder};
use portcullis_test_support::private_ca::serve;
use serde_json::json;

fn builder(url: &str) -> AuthenticatorBuilder {
    Authenticator::builder("https://issuer.example", "https://api.example").jwks_url(url)
}

async fn problem(builder: AuthenticatorBuilder) -> String {
    let error = builder.build().await.unwrap_err();
    error.source().unwrap().to_string()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn changed_ca_file_is_used_at_the_next_fetch() {
    let keys = TestKey::jwks([&TestKey::generate("k", Algorithm::Es256)]).to_string();
    let (pem, url) = serve(keys.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");

    write(&path, &pem);
    let auth = builder(&url).ca_file(&path).build().await.unwrap();
    assert_eq!(auth.status()[0].keys.as_ref().unwrap().keys, 1);

    // Without the CA file, with another CA, with an empty file or with no file, the fetch fails
    // with a reason.
    let refusal = problem(builder(&url)).await;
    assert!(refusal.contains("certificate"), "{refusal}");
    let (other, _) = serve(json!({}).to_string()).await;
    write(&path, &other);
    let refusal = problem(builder(&url).ca_file(&path)).await;
    assert!(refusal.contains("certificate"), "{refusal}");
    // The file is read at each fetch, so a removed CA is no longer trusted.
    assert!(auth.refresh().await.is_err());
    for text in ["", "no certificate"] {
        write(&path, text);
        let refusal = problem(builder(&url).ca_file(&path)).await;
        assert!(refusal.contains("ca.crt"), "{refusal}");
    }
    std::fs::remove_file(&path).unwrap();
    let refusal = problem(builder(&url).ca_file(&path)).await;
    assert!(refusal.contains("ca.crt"), "{refusal}");

    write(&path, &pem);
    auth.refresh().await.unwrap();
}
