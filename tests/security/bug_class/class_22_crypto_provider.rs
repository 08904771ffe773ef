//! Beyond the twelve classes: a signature that another crypto provider than the chosen one verifies,
//! or an algorithm that the chosen one does not have. A provider belongs to an authenticator. Keys are
//! numbers, which each provider parses for itself.

use std::time::Duration;

use portcullis::config::IssuerResolver;
use portcullis::crypto::{
    AwsLc, CryptoProvider, InvalidSignature, KeyMaterial, RejectedKey, Verifier,
};
use portcullis::dangerous::{hmac_key, hmac_key_with};
use portcullis::feed::Revocations;
use portcullis::keys::{KeyParser, KeySet, RemoteKeySet, SharedKeySet};
use portcullis::testing::{Answer, Scene, TestKey};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, IssuerSettings, Revocation, signature,
};
use serde_json::{Value, json};

use super::class_13_revocation::{LIST, packed};
use super::class_21_logout_tokens::World;
use super::support::{AUDIENCE, ISSUER, JWKS, NOW, bearer, claims, encode, rule, split};

/// Accepts every signature. It parses keys even of an algorithm that it does not support.
#[derive(Debug)]
struct AcceptsAll;

impl CryptoProvider for AcceptsAll {
    fn name(&self) -> &'static str {
        "accepts-all"
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        !matches!(algorithm, Algorithm::Es512 | Algorithm::Hs384)
    }

    fn verifier(
        &self,
        _algorithm: Algorithm,
        _key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey> {
        struct Accepts;
        impl Verifier for Accepts {
            fn verify(&self, _input: &[u8], _signature: &[u8]) -> Result<(), InvalidSignature> {
                Ok(())
            }
        }
        Ok(Box::new(Accepts))
    }
}

/// Has only ES256 and HS256, and refuses RSA keys although it supports RS256.
#[derive(Debug)]
struct Lacking;

impl CryptoProvider for Lacking {
    fn name(&self) -> &'static str {
        "lacking"
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        matches!(algorithm, Algorithm::Es256 | Algorithm::Hs256 | Algorithm::Rs256)
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey> {
        match algorithm {
            Algorithm::Rs256 => Err(RejectedKey::Unsupported),
            _ => AwsLc.verifier(algorithm, key),
        }
    }
}

/// Has PSS, but not for the keys of these tests.
#[derive(Debug)]
struct NoPss;

impl CryptoProvider for NoPss {
    fn name(&self) -> &'static str {
        "no-pss"
    }

    fn supports(&self, _algorithm: Algorithm) -> bool {
        true
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey> {
        match algorithm {
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Err(RejectedKey::Unsupported),
            _ => AwsLc.verifier(algorithm, key),
        }
    }
}

/// Has no issuer yet.
struct NoTenant;

impl IssuerResolver for NoTenant {
    fn resolve(&self, _issuer: &str) -> Option<IssuerSettings> {
        None
    }
}

/// Supports nothing, as on a machine without the instructions that it needs.
#[derive(Debug)]
struct Nothing;

impl CryptoProvider for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn supports(&self, _algorithm: Algorithm) -> bool {
        false
    }

    fn verifier(
        &self,
        _algorithm: Algorithm,
        _key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey> {
        Err(RejectedKey::Unsupported)
    }
}

fn parsed_by(provider: &'static dyn CryptoProvider, keys: &[&TestKey]) -> KeySet {
    let jwks = TestKey::jwks(keys.iter().copied()).to_string();
    KeyParser::new(provider).key_set(jwks.as_bytes()).unwrap()
}

fn with_keys(keys: KeySet) -> AuthenticatorBuilder {
    Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(keys))
        .clock(portcullis::testing::ManualClock::at(NOW))
}

/// Returns `token` with the signature of another text.
fn forged(key: &TestKey, token: &str) -> String {
    let other = key.token(&json!({}));
    format!("{}.{}", split(token).0, split(&other).1)
}

#[tokio::test]
async fn listed_algorithm_that_the_provider_lacks_is_refused_at_start() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let keys = || SharedKeySet::new(TestKey::key_set([&key]));
    let listed = [Algorithm::Es256, Algorithm::Es512];
    let refused = |error: portcullis::ConfigError| {
        let text = error.to_string();
        let parts = ["ES512", "crypto provider lacking", "RS256, ES256", "remove it"];
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(keys()).algorithms(listed);
    assert!(builder.clone().build().await.is_ok());
    refused(builder.crypto_provider(&Lacking).build().await.unwrap_err());

    let other = IssuerSettings::new("https://other.example", AUDIENCE);
    let other = other.key_source(keys()).algorithms(listed);
    let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(keys());
    let builder = builder.crypto_provider(&Lacking).also_issuer(other);
    let error = builder.build().await.unwrap_err();
    assert!(error.to_string().contains("https://other.example"));
    refused(error);

    let remote = RemoteKeySet::at(JWKS).algorithms(listed).crypto_provider(&Lacking);
    refused(remote.build().await.unwrap_err());

    // Without an issuer, nothing else looks at the provider before the first token.
    let resolver = Authenticator::builder_with_resolver(NoTenant);
    for builder in [with_keys(KeySet::default()), resolver] {
        let error = builder.crypto_provider(&Nothing).build().await.unwrap_err();
        assert!(error.to_string().contains("nothing supports no algorithm"), "{error}");
    }
}

#[tokio::test]
async fn default_algorithms_are_those_of_the_provider() {
    let (has, lacks) =
        (TestKey::generate("a", Algorithm::Es256), TestKey::generate("b", Algorithm::Es384));
    let keys = TestKey::key_set([&has, &lacks]);
    let auth = with_keys(keys).crypto_provider(&Lacking).build().await.unwrap();
    assert_eq!(rule(&auth, &has.token(&claims())).await, "accepted");
    assert_eq!(rule(&auth, &lacks.token(&claims())).await, "alg");
}

#[tokio::test]
async fn key_that_the_provider_does_not_support_is_skipped_with_a_reason() {
    let has = TestKey::generate("a", Algorithm::Es256);
    let lacks = TestKey::generate("b", Algorithm::Es512);
    let refuses = TestKey::generate("c", Algorithm::Rs256);
    let set = parsed_by(&Lacking, &[&has, &lacks, &refuses]);
    assert_eq!(set.len(), 1);
    for skipped in set.skipped() {
        let reason = skipped.reason.to_string();
        assert_eq!(reason, "not supported by the crypto provider lacking", "{:?}", skipped.id);
        assert!(!skipped.reason.is_fault());
    }
    // Without `alg`, the algorithms of the key are those that the provider supports.
    let mut jwk = refuses.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let key = KeyParser::new(&AcceptsAll).jwk(jwk.to_string().as_bytes()).unwrap();
    assert_eq!(key.algorithms().count(), 6);
    assert!(KeyParser::new(&Lacking).jwk(jwk.to_string().as_bytes()).is_err());
    // A provider may verify only some of them with a key of this size.
    let key = KeyParser::new(&NoPss).jwk(jwk.to_string().as_bytes()).unwrap();
    let left: Vec<_> = key.algorithms().collect();
    assert_eq!(left, [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512]);

    // A provider that parses a key although it does not support the algorithm is not called.
    assert!(parsed_by(&AcceptsAll, &[&lacks]).is_empty());
    assert!(hmac_key_with(&AcceptsAll, None, Algorithm::Hs384, &[7; 48]).is_err());
    let error = hmac_key_with(&Nothing, None, Algorithm::Hs256, &[7; 32]).unwrap_err();
    assert!(error.to_string().contains("provider nothing"));

    // The same reason is given for a token, if the key was parsed by another provider.
    let auth = with_keys(TestKey::key_set([&refuses])).crypto_provider(&Lacking);
    let auth = auth.build().await.unwrap();
    assert_eq!(rule(&auth, &refuses.token(&claims())).await, "kid");
}

#[tokio::test]
async fn token_is_verified_by_the_chosen_provider_whichever_parsed_the_key() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ed25519, Algorithm::MlDsa44] {
        let key = TestKey::generate("k", algorithm);
        let (good, bad) = (key.token(&claims()), forged(&key, &key.token(&claims())));
        let keys = parsed_by(&AcceptsAll, &[&key]);
        assert!(signature::verify(&bad, &keys, Algorithm::ALL).is_ok(), "{algorithm}");
        let auth = with_keys(keys.clone()).crypto_provider(&AwsLc).build().await.unwrap();
        assert_eq!(rule(&auth, &bad).await, "signature", "{algorithm}");
        assert_eq!(rule(&auth, &good).await, "accepted", "{algorithm}");
        // Several authenticators share the parsed keys, each with its own provider.
        let lenient = with_keys(keys.clone()).crypto_provider(&AcceptsAll).build().await.unwrap();
        assert_eq!(rule(&lenient, &bad).await, "accepted", "{algorithm}");
        let third = with_keys(keys).crypto_provider(&Lacking).build().await.unwrap();
        let expected = match algorithm {
            Algorithm::Es256 => "signature",
            Algorithm::Rs256 => "kid",
            _ => "alg",
        };
        assert_eq!(rule(&third, &bad).await, expected, "{algorithm}");
        assert_eq!(rule(&auth, &bad).await, "signature", "{algorithm}");
    }
}

#[tokio::test]
async fn secret_is_parsed_again_by_the_chosen_provider() {
    let secret = [7; 32];
    let header = encode(r#"{"alg":"HS256","typ":"at+jwt"}"#);
    let unsigned = format!("{header}.{}.{}", encode(claims().to_string()), encode([0; 32]));
    for (key, provider, expected) in [
        (
            hmac_key_with(&AcceptsAll, None, Algorithm::Hs256, &secret).unwrap(),
            &AwsLc as &'static dyn CryptoProvider,
            "signature",
        ),
        (hmac_key(None, Algorithm::Hs256, &secret).unwrap(), &AcceptsAll, "accepted"),
    ] {
        let builder = with_keys(KeySet::from_iter([key])).algorithms([Algorithm::Hs256]);
        let auth = builder.crypto_provider(provider).build().await.unwrap();
        assert_eq!(rule(&auth, &unsigned).await, expected);
    }
}

#[tokio::test]
async fn fetched_keys_are_parsed_by_the_provider_of_the_authenticator() {
    #[derive(Debug)]
    struct Tenants(portcullis::testing::ScriptedFetch);
    impl IssuerResolver for Tenants {
        fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
            let settings = IssuerSettings::new(issuer, AUDIENCE).jwks_url(JWKS);
            Some(settings.fetch(self.0.clone()).without_background_refresh())
        }
    }
    let key = TestKey::generate("k", Algorithm::Es256);
    let lacks = TestKey::generate("l", Algorithm::Es384);
    let fetch = portcullis::testing::ScriptedFetch::default();
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&key, &lacks])));
    let clock = portcullis::testing::ManualClock::at(NOW);
    for (provider, expected) in [
        (&AcceptsAll as &'static dyn CryptoProvider, ["accepted", "accepted"]),
        (&Lacking, ["signature", "alg"]),
    ] {
        let builder = Authenticator::builder_with_resolver(Tenants(fetch.clone()));
        let tenants = builder.crypto_provider(provider).clock(clock.clone()).build().await.unwrap();
        let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch.clone());
        let builder = builder.crypto_provider(provider).clock(clock.clone());
        let one = builder.without_background_refresh().build().await.unwrap();
        for auth in [one, tenants] {
            let verdicts = [
                rule(&auth, &forged(&key, &key.token(&claims()))).await,
                rule(&auth, &lacks.token(&claims())).await,
            ];
            assert_eq!(verdicts, expected, "{provider:?}");
        }
    }
}

#[tokio::test]
async fn status_lists_and_logout_tokens_are_verified_by_the_chosen_provider() {
    let lenient = |scene: &Scene| scene.keys.replace(parsed_by(&AcceptsAll, &[&*scene.key]));
    let scene = Scene::with(|builder| builder.crypto_provider(&AwsLc)).await;
    lenient(&scene);
    let mut token: Value = claims();
    token["status"] = json!({"status_list": {"idx": 0, "uri": LIST}});
    let token = bearer(&scene.key.token(&token));
    let list = json!({
        "sub": LIST, "iat": NOW, "exp": NOW + 3600, "ttl": 600,
        "status_list": {"bits": 1, "lst": packed(&[0])},
    });
    let header = r#"{"alg":"ES256","kid":"k","typ":"statuslist+jwt"}"#;
    let list = scene.key.sign(header, &list.to_string());
    let gate =
        || scene.gate().revocation(Revocation::status_list(Duration::from_secs(60))).unwrap();
    scene.fetch.set(LIST, Answer::ok(forged(&scene.key, &list)));
    assert_eq!(portcullis::testing::gate_rule(&gate(), &token).await, "revocation_unavailable");
    scene.clock.advance(Duration::from_secs(60));
    scene.fetch.set(LIST, Answer::ok(list));
    assert_eq!(portcullis::testing::gate_rule(&gate(), &token).await, "accepted");

    let world =
        World::with(Revocations::in_memory(), |builder| builder.crypto_provider(&AwsLc)).await;
    lenient(&world.scene);
    let logout = world.logout().sign();
    assert_eq!(world.post(&forged(&world.scene.key, &logout)).await, 400);
    world.nothing_is_revoked().await;
    assert_eq!(world.post(&logout).await, 200);
}
