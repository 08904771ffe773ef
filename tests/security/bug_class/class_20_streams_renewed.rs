//! Renewed streams: a stream keeps its session, its client and its route.

use std::sync::Arc;

use serde_json::json;

use portcullis::feed::Revocations;
use portcullis::streams::{Ended, NotRenewed};
use portcullis::testing::{ManualClock, Scene, TestKey, TestToken};
use portcullis::{
    Algorithm, Authenticator, Gate, IssuerSettings, Policy, Revocation,
    adapter::{Requirement, note_requirement},
    config::IssuerResolver,
    keys::SharedKeySet,
};

use super::class_20_streams::{LIST, SEC, caller, end_of, publish_list};
use super::support::{AUDIENCE, ISSUER, NOW};

/// Returns the name of the result, or the rule if the token was refused.
fn named(renewed: Result<(), NotRenewed>) -> String {
    match renewed {
        Ok(()) => "renewed".to_owned(),
        Err(NotRenewed::Refused(refusal)) => refusal.rule().to_owned(),
        Err(NotRenewed::Ended(reason)) => format!("Ended({reason:?})"),
        Err(NotRenewed::OtherIssuer) => "OtherIssuer".to_owned(),
        Err(NotRenewed::OtherSubject) => "OtherSubject".to_owned(),
        Err(NotRenewed::OtherSession) => "OtherSession".to_owned(),
        Err(NotRenewed::ExpiresEarlier) => "ExpiresEarlier".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn renewed_stream_lives_until_the_new_expiry() {
    let scene = Scene::with(|builder| builder.leeway(5 * SEC)).await;
    let token = |scene: &Scene| scene.token("alice").claim("sid", "s").sign();
    let stream = scene.gate().authenticate_token(&token(&scene)).await.unwrap().open_stream();
    let ended = tokio::spawn(stream.ended());
    for _ in 0..3 {
        scene.advance(800);
        assert_eq!(named(stream.renew(&token(&scene)).await), "renewed");
        assert_eq!(end_of(&stream).await, None);
    }
    scene.advance(904);
    assert_eq!(end_of(&stream).await, None);
    assert!(!ended.is_finished());
    scene.advance(1);
    assert_eq!(end_of(&stream).await, Some(Ended::Expired));
    assert_eq!(ended.await.unwrap(), Ended::Expired, "the future of the first token");
    let late = stream.renew(&token(&scene)).await;
    assert_eq!(named(late), "Ended(Expired)");
}

/// Each row has a token that is valid by itself.
#[tokio::test(start_paused = true)]
async fn token_of_another_session_does_not_renew() {
    let other = Arc::new(TestKey::generate("other", Algorithm::Es256));
    let keys = SharedKeySet::new(TestKey::key_set([&*other]));
    let second = IssuerSettings::new("https://other.example", AUDIENCE).key_source(keys);
    let scene = Scene::with(|builder| builder.leeway(SEC).also_issuer(second)).await;
    let token = || scene.token("alice").claim("sid", "s");
    let late = || token().lifetime(1800);
    for (name, new, expected) in [
        ("the same session", late(), "renewed"),
        ("the same token", token(), "renewed"),
        ("other scopes", late().scopes(["read"]), "renewed"),
        (
            "another issuer",
            late().issuer("https://other.example").signed_with(other.clone()),
            "OtherIssuer",
        ),
        ("another `sub`", late().claim("sub", "mallory"), "OtherSubject"),
        ("no `sub`", late().without("sub"), "OtherSubject"),
        ("another `sid`", late().claim("sid", "t"), "OtherSession"),
        ("no `sid`", late().without("sid"), "OtherSession"),
        ("a `sid` of another type", late().claim("sid", 7), "OtherSession"),
        // A token that is bound to a key is never accepted.
        ("a `cnf`", late().claim("cnf", json!({"jkt": "a"})), "cnf"),
        ("an earlier expiry", token().lifetime(899), "ExpiresEarlier"),
        ("an expired token", token().expired(), "exp"),
        ("another audience", late().audience("https://else.example"), "aud"),
        ("a foreign key", late().signed_with(other.clone()), "kid"),
    ] {
        let stream = caller(&scene.gate(), &token()).await.open_stream();
        let renewed = named(stream.renew(&new.sign()).await);
        assert_eq!(renewed, expected, "{name}");
        // The old expiry still applies, and the stream is still open.
        assert_eq!(stream.has_ended(), None, "{name}");
        assert_eq!(stream.caller().registered().session_id(), Some("s"), "{name}");
    }
    let stream = caller(&scene.gate(), &token()).await.open_stream();
    assert_eq!(named(stream.renew("opaque").await), "compact_form");
    assert_eq!(named(stream.renew("").await), "credentials_grammar");
    scene.advance(901);
    assert_eq!(end_of(&stream).await, Some(Ended::Expired));
}

#[tokio::test(start_paused = true)]
async fn session_of_the_feed_must_be_the_same_in_any_claim() {
    let scene = Scene::with(|builder| {
        let builder = builder.max_token_lifetime(1800 * SEC).session_at(["ext", "sid"]);
        builder.revocations(Revocations::in_memory())
    })
    .await;
    let token = |session| scene.token("alice").claim("ext", json!({ "sid": session }));
    let stream = caller(&scene.gate(), &token("s")).await.open_stream();
    let other = stream.renew(&token("t").lifetime(1800).sign()).await;
    assert_eq!(named(other), "OtherSession");
    assert_eq!(named(stream.renew(&token("s").lifetime(1800).sign()).await), "renewed");
}

#[tokio::test(start_paused = true)]
async fn token_without_a_session_does_not_join_one() {
    let scene = Scene::new().await;
    let token = || scene.token("alice");
    let stream = caller(&scene.gate(), &token()).await.open_stream();
    assert_eq!(named(stream.renew(&token().claim("sid", "s").sign()).await), "OtherSession");
    let anonymous = caller(&scene.gate(), &token().without("sub")).await.open_stream();
    assert_eq!(named(anonymous.renew(&token().without("sub").sign()).await), "OtherSubject");
}

#[tokio::test(start_paused = true)]
async fn renewal_must_meet_the_policies_of_the_stream() {
    let scene = Scene::new().await;
    let token = |scopes: &str| scene.token("alice").claim("scope", scopes);
    let mut who = caller(&scene.gate(), &token("read write admin")).await;
    // There are two nested layers, and the handler's own policy.
    for scope in ["read", "write"] {
        note_requirement(&mut who, &Arc::new(Requirement::from(Policy::scopes([scope]))));
    }
    let stream = who.requiring(Policy::scopes(["admin"])).open_stream();
    for (scopes, expected) in [
        ("read write admin more", "renewed"),
        ("write admin", "scope"),
        ("read admin", "scope"),
        ("read write", "scope"),
        // The requirements belong to the stream, not to the token of the last renewal.
        ("read write admin", "renewed"),
        ("", "scope"),
    ] {
        assert_eq!(named(stream.renew(&token(scopes).sign()).await), expected, "{scopes}");
    }
}

#[tokio::test(start_paused = true)]
async fn renewal_must_not_be_revoked() {
    let scene = Scene::new().await;
    publish_list(&scene, 0b10);
    let token = |index| scene.token("alice").lifetime(86_400).status(LIST, index);
    let revocation = Revocation::status_list(10 * SEC);
    let at_gate = scene.gate().revocation(revocation).unwrap();
    let stream = caller(&at_gate, &token(0)).await.open_stream();
    let mut who = caller(&scene.gate(), &token(0)).await;
    note_requirement(&mut who, &Arc::new(Requirement::from(revocation)));
    let on_route = who.open_stream();
    let by_token = at_gate.authenticate_token(&token(0).sign()).await.unwrap().open_stream();
    for (name, stream) in [("gate", stream), ("route", on_route), ("bare token", by_token)] {
        assert_eq!(named(stream.renew(&token(1).sign()).await), "revoked", "{name}");
        assert_eq!(named(stream.renew(&token(2).sign()).await), "renewed", "{name}");
        assert_eq!(
            named(stream.renew(&scene.token("alice").lifetime(86_400).sign()).await),
            "no_status",
            "{name}"
        );
        assert_eq!(end_of(&stream).await, None, "{name}");
    }
    let unchecked = caller(&scene.gate(), &token(0)).await.open_stream();
    assert_eq!(named(unchecked.renew(&token(1).sign()).await), "renewed");
}

/// Two rule sets for one issuer, selected by the method of the request.
struct ByMethod(SharedKeySet);

impl IssuerResolver for ByMethod {
    fn select(
        &self,
        _: &str,
        request: &dyn portcullis::RequestView,
    ) -> Option<std::borrow::Cow<'_, str>> {
        Some(request.method().unwrap_or("none").to_owned().into())
    }

    fn resolve(&self, _: &str) -> Option<IssuerSettings> {
        Some(IssuerSettings::new(ISSUER, AUDIENCE).key_source(self.0.clone()))
    }
}

#[tokio::test(start_paused = true)]
async fn renewal_must_be_of_the_same_rule_set() {
    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let resolver = ByMethod(SharedKeySet::new(TestKey::key_set([&*key])));
    let builder = Authenticator::builder_with_resolver(resolver).clock(ManualClock::at(NOW));
    let gate = Gate::new(builder.build().await.unwrap());
    let token = TestToken::new(key, ISSUER, "alice", NOW).sign();
    let [get, put] =
        ["GET", "PUT"].map(|method| http::Request::builder().method(method).body(()).unwrap());
    let stream = gate.authenticate_token((&token, &get)).await.unwrap().open_stream();
    assert_eq!(named(stream.renew((&token, &get)).await), "renewed");
    assert_eq!(named(stream.renew((&token, &put)).await), "OtherIssuer");
}
