//! Token values in a log, from a value that a service prints for debugging.
//!
//! `Debug` of everything that comes from a token shows only constant names and counts.

use std::collections::BTreeMap;

use http::HeaderMap;
use portcullis::testing::{ManualClock, TestKey};
use portcullis::{
    Algorithm, Authenticator, Gate, Policy, Profile, Refusal, keys::KeyRequest, signature,
    token::TokenError,
};
use serde_json::{Value, json};

use super::support::{AUDIENCE, ISSUER, NOW, attempt_now, auth, bearer, builder, claims};

/// The text that is in every value, and in every name that is not registered.
const MARKER: &str = "m4rker";

fn marked() -> Value {
    let text = |name: &str| format!("{MARKER}-{name}");
    json!({
        "iss": ISSUER, "sub": text("sub"), "aud": [AUDIENCE, text("aud")],
        "iat": NOW, "exp": NOW + 900, "nbf": NOW, "auth_time": NOW, "jti": text("jti"),
        "client_id": text("client"), "scope": format!("{MARKER}-a {MARKER}-b"),
        "roles": [text("role")], "permissions": [text("permission")], "sid": text("sid"),
        "acr": text("acr"), "status": {"status_list": {"idx": 7, "uri": text("uri")}},
        MARKER: {MARKER: [MARKER]},
    })
}

/// The text of a value in both forms of `Debug`.
macro_rules! shown {
    ($($value:expr),* $(,)?) => { [$((stringify!($value), format!("{0:?} {0:#?}", $value))),*] };
}

fn assert_unmarked(all: impl IntoIterator<Item = (&'static str, String)>) {
    for (what, shown) in all {
        assert!(!shown.contains(MARKER), "{what}: {shown}");
    }
}

#[tokio::test]
async fn debug_of_an_accepted_token_shows_no_value() {
    let key = TestKey::generate(&format!("{MARKER}-kid"), Algorithm::Es256);
    let auth = auth(&key).await;
    let headers: HeaderMap = bearer(&key.token(&marked()));
    let who = auth.authenticate(&headers).await.unwrap();
    let claims = who.registered();
    assert!(claims.subject().unwrap().contains(MARKER) && claims.roles().count() == 1);
    assert_unmarked(shown![
        who,
        claims,
        claims.scope(),
        claims.audience(),
        claims.expires_at(),
        claims.issued_at(),
        auth.attempt(&headers),
        Gate::new(auth.clone()).enter(&headers),
    ]);
    let scopes = format!("{:?}", claims.scope());
    assert!(scopes.contains('2'), "counts are shown: {scopes}");
    let audience = format!("{:?}", claims.audience());
    assert!(audience.contains('2'), "counts are shown: {audience}");
}

#[tokio::test]
async fn debug_of_a_rejected_token_shows_no_value() {
    let key = TestKey::generate(&format!("{MARKER}-kid"), Algorithm::Es256);
    let auth = auth(&key).await;
    let other = TestKey::generate(&format!("{MARKER}-other"), Algorithm::Es256);
    let forged = TestKey::generate(&format!("{MARKER}-kid"), Algorithm::Es256);
    let shown = |refusal: &Refusal| {
        let source = std::error::Error::source(refusal).map(|error| format!("{error} {error:?}"));
        format!("{refusal} {refusal:?} {refusal:#?} {} {source:?}", refusal.reason())
    };
    for (name, value) in [
        ("aud", json!(MARKER)),
        ("aud", json!({MARKER: 1})),
        ("iss", json!(MARKER)),
        ("exp", json!(MARKER)),
        ("exp", json!(NOW - 900)),
        ("exp", json!(-1)),
        ("c_hash", json!(MARKER)),
        ("typ", json!("ID")),
        ("cnf", json!({"jkt": MARKER})),
    ] {
        let mut claims = marked();
        claims[name] = value;
        let refusal = auth.authenticate(&bearer(&key.token(&claims))).await.unwrap_err();
        assert_unmarked([(name, shown(&refusal))]);
        // `found` is only for the operator's log, and only for these two rules.
        let found = refusal.token_error().unwrap().found().map(ToString::to_string);
        let is_told = ["iss", "aud"].contains(&refusal.rule());
        assert_eq!(found.is_some(), is_told, "{name}: {found:?}");
        assert!(found.is_none_or(|found| found.contains(MARKER)), "{name}");
        assert_unmarked([(name, format!("{:?}", refusal.token_error().unwrap().found()))]);
    }
    for token in [other.token(&marked()), forged.token(&marked()), format!("{MARKER}.e30.AA")] {
        let refusal = auth.authenticate(&bearer(&token)).await.unwrap_err();
        assert_unmarked([("token", shown(&refusal))]);
    }
    let who = auth.authenticate(&bearer(&key.token(&marked()))).await.unwrap();
    for policy in [
        Policy::scopes(["a"]),
        Policy::roles(["a"]),
        Policy::acr(["a"]),
        Policy::claim(MARKER, 7),
        Policy::claim("sub", "alice").not().not(),
    ] {
        let refusal = who.require(&policy).unwrap_err();
        let shown =
            shown(&refusal).replace(&policy.to_string(), "").replace(&format!("`{MARKER}`"), "");
        assert!(!shown.contains(&format!("{MARKER}-")), "{policy}: {shown}");
    }
    let refusal = who.claims::<std::collections::HashMap<String, u64>>().unwrap_err();
    assert_unmarked([("claims", shown(&refusal))]);
}

/// A key source's request, which contains an unverified header.
#[test]
fn debug_of_a_key_request_shows_no_kid() {
    let wanted = KeyRequest::new(Some(MARKER), Algorithm::Es256);
    assert_unmarked(shown![wanted]);
    assert!(format!("{wanted:?}").contains("Es256"));
}

#[test]
fn debug_of_a_verified_signature_shows_no_payload() {
    let key = TestKey::generate(&format!("{MARKER}-kid"), Algorithm::Es256);
    let verified =
        signature::verify(&key.token(&marked()), &TestKey::key_set([&key]), Algorithm::ALL);
    assert_unmarked(shown![verified.unwrap()]);
}

/// A pending attempt, and its future.
#[tokio::test]
async fn debug_of_a_pending_attempt_shows_no_value() {
    let key = TestKey::generate(&format!("{MARKER}-kid"), Algorithm::Es256);
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(Late)
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .unwrap();
    let headers = bearer(&key.token(&marked()));
    let attempt = auth.attempt(&headers);
    assert!(attempt_now(&auth, &headers).is_err());
    assert_unmarked(shown![attempt, Gate::new(auth).enter(&headers)]);
}

#[derive(Debug)]
struct Late;

impl portcullis::keys::KeySource for Late {
    fn resolve(
        &self,
        _: &KeyRequest<'_>,
    ) -> portcullis::adapter::MaybeReady<
        Result<portcullis::keys::CandidateKeys, portcullis::keys::ResolveError>,
    > {
        portcullis::adapter::MaybeReady::Pending(Box::pin(std::future::pending()))
    }
}

/// `found` is only for `iss` and `aud`. The claims that some issuers use instead of `aud` name a
/// client or a site.
#[tokio::test]
async fn value_that_replaces_aud_is_not_found() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for (profile, changes) in [
        (Profile::cognito(), json!({"token_use": "access", "client_id": MARKER})),
        (Profile::clerk(), json!({"azp": MARKER, "sid": "s"})),
        (Profile::clerk(), json!({"azp": format!("{AUDIENCE}/"), "sid": "s"})),
    ] {
        let auth = builder(&key).profile(profile).build().await.unwrap();
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let refusal = auth.authenticate(&bearer(&key.token(&claims))).await.unwrap_err();
        let error = refusal.token_error().unwrap();
        assert_eq!((error.rule(), error.found()), ("aud", None), "{changes}");
        let TokenError::Audience { found, .. } = error else { panic!("{error}") };
        assert_unmarked([("found", format!("{error} {error:?} {found} {found:?}"))]);
        assert!(!found.to_string().contains(AUDIENCE), "{found}");
    }
}

/// Names are values, too, if the sender chooses them.
#[tokio::test]
async fn unfit_claim_that_the_handlers_type_does_not_name_is_not_shown() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let payload = format!(r#"{{"{MARKER}":"x",{}"#, &claims().to_string()[1..]);
    let token = key.sign(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, &payload);
    let who = auth.authenticate(&bearer(&token)).await.unwrap();
    let keyed = who.claims::<BTreeMap<String, [u8; 1]>>().unwrap_err();
    let typed = who.claims::<BTreeMap<String, u64>>().unwrap_err();
    for refusal in [keyed, typed] {
        let reason = refusal.reason().to_string();
        assert!(reason.contains("expected ") && reason.contains("line 1 column "), "{reason}");
        assert_unmarked([("reason", format!("{reason} {refusal:?}"))]);
    }
}
