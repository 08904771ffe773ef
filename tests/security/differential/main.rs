//! Validates thousands of generated tokens with our authenticator, with each crypto provider, and
//! with jsonwebtoken's `decode`, which are configured as equally as possible. Each difference must have a documented reason.
//!
//! One direction is safety: a token that only jsonwebtoken rejects must match a short list of
//! reasons. The other direction is strictness: each of our additional rules is named. The seed is
//! fixed and printed; `DIFFERENTIAL_SEED` and `DIFFERENTIAL_TOKENS` choose another run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking; its table is its output; jsonwebtoken is the reference"
)]

mod generator;
mod members;
mod random;
mod theirs;

use std::collections::BTreeMap;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis::crypto::{AwsLc, CryptoProvider};
use portcullis::testing::{AUDIENCE, ISSUER, TestKey, attempt_now};
use portcullis::{
    Algorithm, Authenticated, Authenticator, Gate, Refusal, adapter::MaybeReady,
    keys::SharedKeySet, refusal::RefusalKind, token::TokenError,
};
use portcullis_graviola::Graviola;
use serde_json::{Value, json};

use generator::{Generator, Sample};
use theirs::Theirs;

const LEEWAY_SECS: u64 = 10;

const SEED: u64 = 0x7011_6a7e;
const TOKENS: usize = 6000;

/// Tokens that we reject by a rule that jsonwebtoken does not have.
const STRICTER: &[(&str, &str)] = &[
    ("crit", "jsonwebtoken accepts `crit` if it is null, or if it names only `b64`"),
    ("b64", "jsonwebtoken accepts `b64` if it is true"),
    ("typ", "jsonwebtoken ignores `typ`"),
    ("iat", "jsonwebtoken ignores `iat`"),
    ("cnf", "jsonwebtoken accepts a sender-constrained token as a bearer token"),
    ("access_token", "jsonwebtoken does not distinguish ID tokens from access tokens"),
    ("duplicate_member", "jsonwebtoken accepts duplicate members without a field of their own"),
    ("wrong_type", "jsonwebtoken accepts `iss` as an array, and any type of unread claims"),
    ("out_of_range", "jsonwebtoken accepts dates before 1970 and after 9999"),
    ("length", "jsonwebtoken has no length limit"),
];

/// Tokens that we accept and jsonwebtoken rejects: the mutation, jsonwebtoken's error, and the
/// reason why accepting is correct. Any other difference fails the test, above all one in the
/// signature check.
const LOOSER: &[(&str, &str, &str)] = &[
    ("alg Ed25519", "json", "jsonwebtoken does not support the name of RFC 9864 for EdDSA"),
    (
        "ignored header",
        "json",
        "jsonwebtoken parses `jwk`, `x5c`, … and rejects malformed ones; we ignore them",
    ),
    ("unread claim", "json", "jsonwebtoken parses unread claims; we skip them"),
];

struct Ours(Authenticator);

impl Ours {
    async fn new(keys: &[TestKey], provider: &'static dyn CryptoProvider) -> Self {
        // The authenticator uses the machine's clock, because jsonwebtoken has no other.
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .key_source(SharedKeySet::new(TestKey::key_set(keys)))
            .crypto_provider(provider)
            .leeway(std::time::Duration::from_secs(LEEWAY_SECS))
            .algorithms([Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Ed25519]);
        Self(auth.build().await.unwrap())
    }

    fn judge(&self, token: &str) -> Result<Option<Value>, &'static str> {
        let value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "no header")?;
        let verdict = match attempt_now(&self.0, &HeaderMap::from_iter([(AUTHORIZATION, value)])) {
            Ok(Ok(Some(who))) => Ok(who),
            Ok(Err(refusal)) => Err(refusal),
            other => panic!("{other:?}"),
        };
        let MaybeReady::Ready(bare) = Gate::new(self.0.clone()).attempt_token(token) else {
            panic!("the key is in memory");
        };
        let (verdict, bare) = (told(verdict), told(bare));
        assert_eq!(verdict, bare, "a bare token has another verdict: {token}");
        verdict
    }
}

/// The claims, or the rule that rejects the token.
fn told(verdict: Result<Authenticated, Refusal>) -> Result<Option<Value>, &'static str> {
    verdict.map(|who| who.claims::<Value>().ok()).map_err(|refusal| {
        refusal.token_error().map_or_else(|| RefusalKind::as_str(refusal.kind()), TokenError::rule)
    })
}

#[derive(Default)]
struct Tally {
    both_accept: usize,
    both_refuse: BTreeMap<&'static str, usize>,
    differences: BTreeMap<(&'static str, String), usize>,
    unexplained: Vec<String>,
}

impl Tally {
    fn count(
        &mut self,
        sample: &Sample,
        ours: Result<Option<Value>, &'static str>,
        theirs: Result<Value, String>,
    ) {
        let explanation = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => {
                // Accepted by both with equal claims.
                if ours.as_ref() == Some(theirs) {
                    self.both_accept += 1;
                    return;
                }
                None
            }
            (Err(rule), Err(_)) => {
                *self.both_refuse.entry(rule).or_default() += 1;
                return;
            }
            (Err(rule), Ok(_)) => STRICTER
                .iter()
                .find(|(known, _)| known == rule)
                .map(|(_, reason)| ("refused only here", format!("{rule}: {reason}"))),
            (Ok(_), Err(error)) => LOOSER
                .iter()
                .find(|(mutation, says, _)| sample.mutations.contains(mutation) && says == error)
                .map(|(mutation, _, reason)| {
                    ("accepted only here", format!("{mutation}: {reason}"))
                }),
        };
        match explanation {
            Some(explanation) => *self.differences.entry(explanation).or_default() += 1,
            None => self.unexplained.push(format!(
                "{:?}\n  ours: {:?}\n  jsonwebtoken: {theirs:?}\n  header {}\n  claims {}\n  {}",
                sample.mutations,
                ours.as_ref().map(|_| "accepted"),
                sample.header,
                sample.claims,
                sample.token,
            )),
        }
    }

    fn print(&self, tokens: usize, seed: u64) {
        let refused: usize = self.both_refuse.values().sum();
        println!("seed {seed:#x}, {tokens} tokens");
        println!("{:>6}  both accept, with the same claims", self.both_accept);
        println!("{refused:>6}  both refuse, we by");
        for (rule, count) in &self.both_refuse {
            println!("{:>6}  {count:>6}  {rule}", "");
        }
        for ((side, reason), count) in &self.differences {
            println!("{count:>6}  {side}: {reason}");
        }
        println!("{:>6}  unexplained", self.unexplained.len());
    }
}

/// What the documentation says about jsonwebtoken: the claims or the header of a token, changed or (with `null`)
/// removed, and whether jsonwebtoken accepts it.
const DOCUMENTED: &[(&str, &str, bool)] = &[
    ("{}", "{}", true),
    // Refused since version 12.
    (r#"{"crit": ["x"]}"#, "{}", false),
    (r#"{"crit": []}"#, "{}", false),
    (r#"{"crit": ["b64"]}"#, "{}", false),
    (r#"{"b64": false}"#, "{}", false),
    ("{}", r#"{"iss": 1}"#, false),
    ("{}", r#"{"aud": 1}"#, false),
    ("{}", r#"{"aud": ["AUDIENCE", 1]}"#, false),
    // Accepted, and refused by us.
    (r#"{"crit": ["b64"], "b64": true}"#, "{}", true),
    (r#"{"b64": true}"#, "{}", true),
    (r#"{"typ": "logout+jwt"}"#, "{}", true),
    ("{}", r#"{"iss": ["ISSUER", "x"]}"#, true),
    ("{}", r#"{"sub": 1}"#, true),
    ("{}", r#"{"iat": 9999999999}"#, true),
    ("{}", r#"{"iat": "yesterday"}"#, true),
    ("{}", r#"{"cnf": {"jkt": "x"}}"#, true),
];

/// As [`DOCUMENTED`], with the configuration of most apps: `iss` and `aud` are set but not required, and `nbf` is
/// not checked.
const DOCUMENTED_OF_MOST_APPS: &[(&str, &str, bool)] = &[
    ("{}", r#"{"iss": null}"#, true),
    ("{}", r#"{"aud": null}"#, true),
    ("{}", r#"{"exp": null}"#, false),
    ("{}", r#"{"nbf": 9999999999}"#, true),
    ("{}", r#"{"iss": 1}"#, false),
    ("{}", r#"{"aud": {}}"#, false),
];

#[tokio::test]
async fn jsonwebtoken_behaves_as_documented() {
    let keys = generator::keys();
    let (ours, theirs) = (Ours::new(&keys, &AwsLc).await, Theirs::new(&keys));
    let of_most_apps = Theirs::of_most_apps(&keys);
    let token = |header: &str, claims: &str| {
        let now = jsonwebtoken::get_current_timestamp();
        let changed = |mut members: Value, changes: &str| {
            let changes = changes.replace("ISSUER", ISSUER).replace("AUDIENCE", AUDIENCE);
            let changes: serde_json::Map<_, _> = serde_json::from_str(&changes).unwrap();
            for (name, value) in changes {
                if value.is_null() {
                    members.as_object_mut().unwrap().remove(&name);
                } else {
                    members[&name] = value;
                }
            }
            members.to_string()
        };
        let id = keys[0].jwk()["kid"].clone();
        let whole = json!({"alg": "RS256", "kid": id, "typ": "at+jwt"});
        let of = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "iat": now, "exp": now + 900});
        keys[0].sign(&changed(whole, header), &changed(of, claims))
    };
    for (header, claims, accepted) in DOCUMENTED {
        let token = token(header, claims);
        assert_eq!(theirs.judge(&token).is_ok(), *accepted, "{header} {claims}");
        let is_plain = *header == "{}" && *claims == "{}";
        assert_eq!(ours.judge(&token).is_ok(), is_plain, "{header} {claims}");
    }
    for (header, claims, accepted) in DOCUMENTED_OF_MOST_APPS {
        let token = token(header, claims);
        assert_eq!(of_most_apps.judge(&token).is_ok(), *accepted, "{header} {claims}");
        ours.judge(&token).unwrap_err();
    }
}

fn from_env<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn verdict_differs_from_jsonwebtoken_only_as_documented() {
    let seed = from_env("DIFFERENTIAL_SEED", SEED);
    let tokens = from_env("DIFFERENTIAL_TOKENS", TOKENS);
    let keys = generator::keys();
    let (ours, theirs) = (Ours::new(&keys, &AwsLc).await, Theirs::new(&keys));
    let graviola = Ours::new(&keys, &Graviola).await;
    let mut generator = Generator::new(seed, &keys);
    let mut tally = Tally::default();
    for _ in 0..tokens {
        let sample = generator.next(jsonwebtoken::get_current_timestamp());
        let (verdict, other) = (ours.judge(&sample.token), theirs.judge(&sample.token));
        assert_eq!(verdict, graviola.judge(&sample.token), "with graviola: {}", sample.token);
        tally.count(&sample, verdict, other);
    }
    tally.print(tokens, seed);
    assert!(tally.unexplained.is_empty(), "{}", tally.unexplained.join("\n"));
    // A generator of only valid or only invalid tokens would prove nothing.
    let least = tokens / 20;
    let refused: usize = tally.both_refuse.values().sum();
    assert!(tally.both_accept > least && refused > least);
    if tokens >= TOKENS {
        for rule in ["signature", "iss", "aud", "exp", "nbf", "missing_claim", "kid", "base64url"] {
            assert!(tally.both_refuse.contains_key(rule), "no token was refused by {rule}");
        }
        // Every reason in the lists occurred.
        assert_eq!(tally.differences.len(), STRICTER.len() + LOOSER.len());
    }
}
