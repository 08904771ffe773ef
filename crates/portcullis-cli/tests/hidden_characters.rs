//! Tests tokens and key sets with characters that a terminal interprets or hides. No command prints
//! such a character, and the JSON output has the same values, escaped.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod support;

use portcullis::Algorithm;
use portcullis::testing::TestKey;
use serde_json::{Value, json};
use support::{AUDIENCE, Ended, ISSUED, ISSUER, Issuer, claims, run};

/// Hidden characters of every kind.
const HIDDEN: &str = "\u{1b}[31m\u{7f}\u{85}\u{9b}31m\u{ad}\u{34f}\u{61c}\u{115f}\u{200b}\u{200d}\
    \u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\
    \u{2067}\u{2068}\u{2069}\u{3164}\u{fe0f}\u{feff}\u{fff9}\u{e0001}\u{e0041}\u{1d173}";

/// Yields the hidden characters of [`HIDDEN`], without its printable ASCII.
fn hidden() -> impl Iterator<Item = char> {
    HIDDEN.chars().filter(|character| !character.is_ascii() || character.is_control())
}

#[track_caller]
fn assert_visible(ended: &Ended) {
    for (stream, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        for character in hidden() {
            let code = u32::from(character);
            assert!(!text.contains(character), "{stream} has U+{code:04X}: {text:?}");
        }
    }
}

fn marked(name: &str) -> String {
    format!("{name}{HIDDEN}{name}")
}

fn marked_claims() -> Value {
    let mut claims = claims(ISSUER, json!({}));
    claims[marked("name")] = json!({marked("inner"): [marked("item")]});
    claims["sub"] = json!(marked("sub"));
    claims["roles"] = json!([marked("role")]);
    claims
}

#[test]
fn inspect_escapes_hidden_characters_of_a_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let mut claims = marked_claims();
    claims["iss"] = json!(marked("https://auth.example/"));
    claims["aud"] = json!([marked("api"), marked("other")]);
    let header =
        json!({"alg": "ES256", "typ": marked("typ"), "kid": marked("kid"), marked("x"): 1});
    for header in [header.clone(), json!({"alg": marked("HS"), "kid": "k"})] {
        let token = key.sign(&header.to_string(), &claims.to_string());
        for options in [&[][..], &["--suggest"]] {
            let ended = run(&[&["inspect", "-"][..], options].concat(), token.as_bytes()).expect(0);
            assert_visible(&ended);
            assert!(ended.stdout.contains("202e"), "{}", ended.stdout);
        }
        let ended = run(&["inspect", "--json", "--suggest", "-"], token.as_bytes()).expect(0);
        assert_visible(&ended);
        let shown = &ended.json()[0];
        assert_eq!((&shown["header"], &shown["claims"]), (&header, &claims));
        // A setting cannot contain hidden characters, so nothing is suggested.
        assert!(shown["suggestion"]["nothing"]["why"].is_string(), "{shown}");
    }
}

#[test]
fn check_escapes_hidden_characters_of_a_token_and_a_key_set() {
    let issuer = Issuer::new();
    let key = TestKey::generate(&marked("kid"), Algorithm::Es256);
    let mut jwks = TestKey::jwks([&key]);
    let skipped = json!({"kty": "oct", "kid": marked("skipped"), "k": "c2VjcmV0"});
    jwks["keys"].as_array_mut().unwrap().push(skipped);
    let keys = issuer.write("marked.json", &jwks.to_string());
    let at = (ISSUED + 60).to_string();
    let check = |options: &[&str], token: &str| {
        let arguments = [
            &["check", "--issuer", ISSUER, "--jwks", &keys, "--audience", AUDIENCE, "--at", &at],
            options,
        ];
        run(&arguments.concat(), token.as_bytes())
    };
    let token = key.token(&marked_claims());
    let ended = check(&["--show-claims", "-"], &token).expect(0);
    assert_visible(&ended);
    assert!(ended.stdout.contains("202e") && ended.stderr.contains("202e"), "{}", ended.stderr);
    let ended = check(&["--show-claims", "--json", "-"], &token).expect(0);
    assert_visible(&ended);
    assert_eq!(ended.json()[0]["claims"], marked_claims());
    assert_eq!(ended.json()[0]["key_id"], marked("kid"));
    // Policies and arguments are escaped in messages, too.
    let policy = json!({"claim": {"name": marked("claim"), "value": marked("value")}}).to_string();
    let ended = check(&["--policy", &policy, "-"], &token).expect(1);
    assert_visible(&ended);
    assert_visible(&run(&["check", &marked("--option")], b"").expect(2));
}

#[test]
fn jwks_escapes_hidden_characters_of_a_key_set() {
    let keys = [marked("a"), marked("b")];
    let keys = keys.map(|kid| TestKey::generate(&kid, Algorithm::Es256));
    let mut jwks = TestKey::jwks(&keys);
    jwks["keys"][1]["use"] = json!("enc");
    let url = serve(&jwks.to_string());
    let ended = run(&["jwks", &url], b"").expect(0);
    assert_visible(&ended);
    assert!(ended.stdout.contains("202e"), "{}", ended.stdout);
    let ended = run(&["jwks", &url, "--json"], b"").expect(0);
    assert_visible(&ended);
    assert_eq!(ended.json()[0]["accepted"][0]["kid"], marked("a"));
    assert_eq!(ended.json()[0]["skipped"][0]["kid"], marked("b"));
    // A document that is not a key set.
    let url = serve(&json!({"issuer": marked("x"), "keys": marked("y")}).to_string());
    assert_visible(&run(&["jwks", &url], b"").expect(3));
    assert_visible(&run(&["jwks", "--issuer", &url], b"").expect(3));
}

#[test]
fn jws_escapes_hidden_characters_of_an_id_and_an_error() {
    // JSON strings may contain all of these unescaped, except U+001B.
    let raw: String = marked("id").chars().filter(|&character| character != '\u{1b}').collect();
    let lines = [
        format!(r#"{{"id":"{raw}"}}"#),
        format!(r#"{{"id":1,"{raw}":1}}"#),
        format!(r#"{{"id":1,"jwk":{{}},"jws":"a.b.c","algs":["{raw}"]}}"#),
    ];
    let ended = run(&["jws"], lines.join("\n").as_bytes()).expect(0);
    assert_visible(&ended);
    assert_eq!(ended.json()[0]["id"], raw);
}

/// Starts a server on this machine that answers every request with `body` until the process ends.
fn serve(body: &str) -> String {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).find(String::is_empty);
            connection.write_all(answer.as_bytes()).unwrap();
            let _ = connection.shutdown(std::net::Shutdown::Write);
            let _ = connection.read(&mut [0]);
        }
    });
    url
}
