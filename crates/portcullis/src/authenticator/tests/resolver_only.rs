//! An authenticator whose issuers all come from a resolver.

use bytes::Bytes;
use http::Request;

use super::*;
use crate::gate::Gate;
use crate::resource::ProtectedResource;

/// Trusts the issuer of the tests.
struct One(SharedKeySet);

impl IssuerResolver for One {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        let settings = IssuerSettings::new(issuer, "https://api.example");
        let settings = settings.key_source(self.0.clone());
        (issuer == "https://issuer.example").then_some(settings)
    }
}

fn builder_of(key: &TestKey) -> AuthenticatorBuilder {
    let keys = SharedKeySet::new(TestKey::key_set([key]));
    Authenticator::builder_with_resolver(One(keys)).clock(ManualClock::at(NOW))
}

#[tokio::test]
async fn authenticator_builds_with_only_a_resolver() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = builder_of(&key).build().await.unwrap();
    assert!(auth.ready() && auth.status().is_empty());
    auth.warm_up().await.unwrap();
    assert_eq!(rule(&auth, &key.token(&claims())).await, "accepted");
    assert_eq!(auth.status()[0].issuer, "https://issuer.example");
    let mut foreign = claims();
    foreign["iss"] = json!("https://evil.example");
    assert_eq!(rule(&auth, &key.token(&foreign)).await, "iss");
    assert_eq!(auth.authenticate(&HeaderMap::new()).await.unwrap_err().status(), 401);
}

#[tokio::test]
async fn issuer_setting_without_an_issuer_is_rejected_by_name() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let error = builder_of(&key).leeway(Duration::ZERO).build().await.unwrap_err().to_string();
    assert!(error.starts_with("leeway is a setting of one issuer, but this builder has none"));
    // Settings of the service are allowed, and so is a configured issuer.
    let named = IssuerSettings::new("https://staff.example", "https://api.example");
    let named = named.key_source(SharedKeySet::new(TestKey::key_set([&key])));
    let auth = builder_of(&key).realm("a").also_issuer(named).build().await.unwrap();
    for issuer in ["https://staff.example", "https://issuer.example"] {
        let mut claims = claims();
        claims["iss"] = json!(issuer);
        assert_eq!(rule(&auth, &key.token(&claims)).await, "accepted", "{issuer}");
    }
    let wrong = IssuerSettings::new("https://staff.example", "");
    let error = builder_of(&key).also_issuer(wrong).build().await.unwrap_err().to_string();
    assert!(error.starts_with("audience (PORTCULLIS_AUDIENCE)"), "{error}");
}

/// RFC 9728 §3.2: a member without elements is omitted.
#[tokio::test]
async fn resource_metadata_names_only_issuers_set_by_the_operator() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let plain = ProtectedResource::new("https://api.example");
    let told = plain.clone().member("authorization_servers", vec!["https://a.example"]);
    for (resource, expected) in [(plain, Value::Null), (told, json!(["https://a.example"]))] {
        let auth = builder_of(&key).protected_resource(resource).build().await.unwrap();
        let request = Request::get("/.well-known/oauth-protected-resource").body(()).unwrap();
        let metadata = Gate::new(auth).metadata::<Bytes>(&request).unwrap().into_body();
        let metadata: Value = serde_json::from_slice(&metadata).unwrap();
        assert_eq!(metadata["authorization_servers"], expected);
    }
}
