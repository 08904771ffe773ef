//! Documents as sent by real servers: content types, compression, byte order marks, redirects.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, Response};

use super::*;
use crate::fetch::{FetchRequest, Fetching};

const ISSUER: &str = "https://issuer.example";
const OPENID: &str = "https://issuer.example/.well-known/openid-configuration";
const OAUTH: &str = "https://issuer.example/.well-known/oauth-authorization-server";

fn key_set() -> String {
    TestKey::jwks(&[TestKey::generate("a", Algorithm::Es256)]).to_string()
}

fn metadata() -> String {
    json!({"issuer": ISSUER, "jwks_uri": JWKS}).to_string()
}

fn bytes(body: impl Into<Bytes>) -> Answer {
    Answer::Response(200, HeaderMap::new(), body.into())
}

fn discovered() -> World {
    World::new(Location::Discovered { issuer: ISSUER.to_owned(), metadata: None })
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Serves each document with one content type, and responds with 406 if no range of `Accept`
/// matches it, as Kubernetes does.
#[derive(Debug, Clone)]
struct Strict(ScriptedFetch, [(&'static str, &'static str); 2]);

impl Fetch for Strict {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        let accept = request.headers["accept"].to_str().unwrap();
        let ranges = accept.split(',').map(|range| range.split(';').next().unwrap().trim());
        let own = self.1.iter().find(|(url, _)| *url == request.url).map(|(_, own)| *own);
        let is_accepted = own.is_none_or(|own| ranges.clone().any(|it| it == own || it == "*/*"));
        if is_accepted {
            return self.0.get(request);
        }
        let refused = Response::builder().status(406).body(Bytes::new());
        Box::pin(async { Ok(refused?) })
    }
}

#[tokio::test]
async fn each_document_is_requested_with_a_supported_accept_header() {
    for (keys_type, metadata_type) in [
        ("application/jwk-set+json", "application/json"),
        ("application/json", "application/json"),
        // Plain files.
        ("application/octet-stream", "text/plain"),
    ] {
        let script = ScriptedFetch::default();
        script.set(OPENID, Answer::ok(metadata()));
        script.set(JWKS, Answer::ok(key_set()));
        let fetch = Strict(script.clone(), [(OPENID, metadata_type), (JWKS, keys_type)]);
        let location = Location::Discovered { issuer: ISSUER.to_owned(), metadata: None };
        let config = Config { location, ..config(LIMITS, fetch, ManualClock::at(NOW)) };
        RemoteKeySet::new(config).refresh().await.unwrap();
        // `Accept` lists the types by name, for servers that do not support `*/*`.
        let accepts: Vec<_> =
            script.requests().iter().map(|request| request.headers["accept"].clone()).collect();
        assert!(accepts[0].to_str().unwrap().starts_with("application/json"), "{accepts:?}");
        let keys = accepts[1].to_str().unwrap();
        assert!(keys.starts_with("application/jwk-set+json, application/json"), "{keys}");
    }
}

#[tokio::test]
async fn compressed_document_is_decoded_though_not_requested() {
    for (coding, encode) in
        [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("x-gzip", gzip), ("deflate", zlib)]
    {
        let world = discovered();
        let coded = |text: String| bytes(encode(text.as_bytes())).with("content-encoding", coding);
        world.fetch.set(OPENID, coded(metadata()));
        world.fetch.set(JWKS, coded(key_set()));
        assert_eq!(world.ask("a").await, "key", "{coding}");
        let requests = world.fetch.requests();
        assert!(requests.iter().all(|it| !it.headers.contains_key("accept-encoding")));
    }
}

#[tokio::test]
async fn decompression_bomb_is_bounded_and_other_codings_are_reported() {
    let world = World::publishing(&["a"]);
    let bomb = gzip(&[key_set().as_bytes(), &vec![b' '; 32 * MAX_BODY]].concat());
    assert!(bomb.len() < MAX_BODY);
    let coded = |body: Vec<u8>, coding| bytes(body).with("content-encoding", coding);
    for (answer, told) in [
        (coded(bomb, "gzip"), "more than 524288 bytes"),
        (coded(key_set().into(), "br"), r#"Content-Encoding is "br"; only gzip and deflate"#),
        (coded(key_set().into(), "zstd"), r#"Content-Encoding is "zstd""#),
        (coded(key_set().into(), "gzip"), "Content-Encoding is gzip, but the body is not"),
        (bytes(gzip(key_set().as_bytes())), "gzip data without `Content-Encoding: gzip`"),
    ] {
        world.fetch.set(JWKS, answer);
        let error = crate::causes::with_causes(&world.keys.refresh().await.unwrap_err());
        assert!(error.starts_with(JWKS) && error.contains(told), "{told}: {error}");
    }
    // The body of an error response is not decoded.
    world.fetch.set(JWKS, Answer::status(404, "").with("content-encoding", "br"));
    let error = world.keys.refresh().await.unwrap_err().to_string();
    assert!(error.contains("responded with 404"), "{error}");
}

#[tokio::test]
async fn leading_byte_order_mark_is_skipped() {
    let world = discovered();
    let marked = |text: String| Answer::ok(format!("\u{feff}{text}"));
    world.fetch.set(OPENID, marked(metadata()));
    world.fetch.set(JWKS, marked(key_set()));
    assert_eq!(world.ask("a").await, "key");
}

#[tokio::test]
async fn redirect_is_rejected_with_target_and_setting() {
    let world = discovered();
    let to = |target: &str| Answer::status(302, "").with("location", target);
    let secret = "https://u:s3cret@login.example/keys?code=s3cret#s3cret";
    for (openid, keys, told) in [
        (to(secret), key_set(), r#"a redirect to "https://login.example/keys""#),
        (to(secret), key_set(), "set discovery_url (PORTCULLIS_DISCOVERY_URL) to it"),
        (to("/meta"), key_set(), r#"a redirect to "https://issuer.example/meta""#),
    ] {
        world.fetch.set(OPENID, openid);
        world.fetch.set(JWKS, Answer::ok(keys));
        let error = world.keys.refresh().await.unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("s3cret"), "{error}");
        assert!(error.contains("302 Found") && error.contains("not followed"), "{error}");
    }
    world.fetch.set(OPENID, Answer::ok(metadata()));
    world.fetch.set(JWKS, to("https://keys.example/k").with("location", "other"));
    let error = world.keys.refresh().await.unwrap_err().to_string();
    assert!(error.contains("set jwks_url (PORTCULLIS_JWKS_URL) to it"), "{error}");
    assert!(error.contains(r#""https://keys.example/k""#), "{error}");
    // A redirect without a target is treated like any other status.
    world.fetch.set(JWKS, Answer::status(302, ""));
    let error = world.keys.refresh().await.unwrap_err();
    assert!(matches!(error, FetchError::Status { .. }), "{error}");
    let asked = world.fetch.requests();
    assert!(asked.iter().all(|it| it.url.starts_with(ISSUER)), "{asked:?}");
}

/// The metadata of an issuer with a path, at the location that neither specification lists first.
#[tokio::test]
async fn metadata_is_found_at_each_documented_location() {
    let issuer = "https://issuer.example/tenant";
    let places = [
        "https://issuer.example/tenant/.well-known/openid-configuration",
        "https://issuer.example/.well-known/oauth-authorization-server/tenant",
        "https://issuer.example/.well-known/openid-configuration/tenant",
    ];
    for (at, place) in places.iter().enumerate() {
        let location = Location::Discovered { issuer: issuer.to_owned(), metadata: None };
        let world = World::new(location);
        for bad in places {
            // A portal that responds to every path.
            world.fetch.set(bad, Answer::ok("<html>"));
        }
        world.fetch.set(place, Answer::ok(json!({"issuer": issuer, "jwks_uri": JWKS})));
        world.fetch.set(JWKS, Answer::ok(key_set()));
        world.keys.refresh().await.unwrap();
        world.keys.refresh().await.unwrap();
        let asked = world.fetch.requests();
        let asked: Vec<_> = asked.iter().map(|request| request.url.as_str()).collect();
        let expected = [&places[..=at], &[JWKS, place, JWKS]].concat();
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn failure_lists_each_location_with_its_reason() {
    let location = Location::Discovered { issuer: format!("{ISSUER}/t/"), metadata: None };
    let world = World::new(location);
    let other = json!({"issuer": format!("{ISSUER}/t"), "jwks_uri": JWKS});
    for (place, answer, told) in [
        (format!("{ISSUER}/t/.well-known/openid-configuration"), Answer::ok(""), "it is empty"),
        (format!("{OAUTH}/t"), Answer::ok("null"), "it is `null`, not a JSON object"),
        (format!("{OPENID}/t"), Answer::ok(other), "remove the trailing slash of issuer"),
    ] {
        world.fetch.set(&place, answer);
        let error = world.keys.refresh().await.unwrap_err().to_string();
        assert!(error.contains(&place) && error.contains(told), "{told}: {error}");
    }
    let error = world.keys.refresh().await.unwrap_err().to_string();
    for told in ["it is empty", "it is `null`", "remove the trailing slash"] {
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn timeout_is_reported_with_url_and_setting() {
    let world = discovered();
    world.fetch.set(OPENID, Answer::ok(metadata()));
    world.fetch.set(JWKS, Answer::Hangs);
    let setting = "raise fetch_timeout (PORTCULLIS_FETCH_TIMEOUT_SECS)";
    let told = format!("{JWKS}: no complete response within 5 s; {setting}");
    let error = world.keys.refresh().await.unwrap_err().to_string();
    assert!(error.starts_with(&told), "{error}");
}

#[tokio::test]
async fn exceeded_limits_are_reported_with_their_settings() {
    let world = World::publishing(&["a"]);
    world.fetch.set(JWKS, Answer::ok(json!({"keys": vec![json!({}); 21]})));
    let error = crate::causes::with_causes(&world.keys.refresh().await.unwrap_err());
    let told = "more than 20 keys; raise max_keys (PORTCULLIS_JWKS_MAX_KEYS)";
    assert!(error.contains(told), "{error}");
}

#[derive(Debug, Clone)]
struct Fails(&'static str);

impl Fetch for Fails {
    fn get(&self, _: FetchRequest) -> Fetching<'_> {
        Box::pin(async { Err(self.0.into()) })
    }
}

#[tokio::test]
async fn plain_http_server_at_an_https_url_is_reported() {
    for message in ["received corrupt message of type InvalidContentType", "wrong version number"] {
        let config = config(LIMITS, Fails(message), ManualClock::at(NOW));
        let error = RemoteKeySet::new(config).refresh().await.unwrap_err().to_string();
        assert!(error.contains("the server speaks http on this port, not https"), "{error}");
        assert!(error.contains(message), "{error}");
    }
}

/// A key that is present but unusable is not an unknown key, regardless of the budget.
#[tokio::test]
async fn token_with_a_skipped_key_is_rejected_with_the_reason() {
    let world = World::publishing(&["a"]);
    let good = TestKey::generate("a", Algorithm::Es256).jwk();
    let bad = json!({"kty": "oct", "kid": "bad", "k": "c2VjcmV0"});
    world.fetch.set(JWKS, Answer::ok(json!({"keys": [good, bad]})));
    assert_eq!(world.ask("a").await, "key");
    let refused = async || match world.resolve("bad") {
        MaybeReady::Ready(answer) => answer,
        MaybeReady::Pending(answer) => answer.await,
    };
    for _ in 0..10 {
        let Err(ResolveError::Refused(error)) = refused().await else { panic!("no refusal") };
        let told = "the key with this `kid` cannot be used: a symmetric key";
        assert_eq!((error.rule(), error.to_string().as_str()), ("kid", told));
    }
    assert_eq!(world.fetches(), 4, "only the burst of an unknown `kid`");
    // A set is not used past the end of its lifetime.
    world.fetch.set(JWKS, Answer::Fails);
    world.advance(3900);
    assert!(matches!(refused().await, Err(ResolveError::Unavailable { .. })));
}
