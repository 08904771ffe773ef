//! `portcullis jwks` against the servers of the fault suite: it reports each fault.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod support;

use portcullis::Algorithm;
use portcullis_test_support::faults::{self, Row};
use portcullis_test_support::key_server::{Answer, Server, response};
use portcullis_test_support::service::JWKS;
use portcullis_test_support::{bad_keys, bad_metadata, private_ca};
use portcullis_testing::TestKey;
use serde_json::json;
use support::run;

fn document() -> String {
    TestKey::jwks([&TestKey::generate("k1", Algorithm::Es256)]).to_string()
}

#[test]
fn every_fault_of_a_key_set_is_reported() {
    let mut rows = faults::statuses();
    rows.extend(faults::transport());
    rows.push(faults::interim_responses());
    rows.extend(faults::documents());
    rows.extend(faults::redirects("http://127.0.0.1:9/elsewhere"));
    assert!(rows.len() > 40);
    for (number, Row { name, fault, told, .. }) in rows.into_iter().enumerate() {
        let server = Server::start();
        server.set(JWKS, fault);
        // Faults that end in a timeout get a short timeout. The other faults must be reported
        // before the timeout.
        let timeout = if told.contains("within 0.4 s") { "0.4" } else { "60" };
        let url = server.url(JWKS);
        let options = ["--fetch-timeout", timeout, "--max-body", "65536", "--json"];
        let ended = run(&[&["jwks", &url][..], &options].concat(), b"").expect(3);
        let examined = &ended.json()[0];
        let told_of = examined["fault"].as_str().unwrap_or_default();
        assert!(told_of.contains(told), "{number} {name}: {examined}");
        assert_eq!(examined["findings"][0]["level"], "fault", "{name}");
    }
}

#[test]
fn every_fault_of_metadata_is_reported() {
    for bad_metadata::Row { name, fault, told } in bad_metadata::ROWS {
        let server = Server::start();
        server.set(JWKS, Answer::Document(document()));
        server.set(bad_metadata::METADATA, fault(&server));
        let timeout = if told.contains("within 0.4 s") { "0.4" } else { "60" };
        let issuer = server.url("");
        let options = ["--issuer", &issuer, "--fetch-timeout", timeout, "--max-body", "65536"];
        let ended = run(&[&["jwks", "--json"][..], &options].concat(), b"").expect(3);
        let examined = &ended.json()[0];
        let told_of = examined["fault"].as_str().unwrap_or_default();
        assert!(told_of.contains(told), "{name}: {examined}");
        assert_eq!(examined["findings"][0]["level"], "fault", "{name}");
        assert!(server.requests(JWKS).is_empty(), "{name}");
    }
    let good = Server::start();
    good.set(JWKS, Answer::Document(document()));
    good.set(bad_metadata::METADATA, bad_metadata::good(&good));
    run(&["jwks", "--issuer", &good.url("")], b"").expect(0);
}

#[test]
fn every_bad_key_is_skipped_with_its_reason_and_a_good_key_is_accepted() {
    let good = TestKey::generate("good", Algorithm::Ed25519);
    let (ec, rsa) =
        (TestKey::generate("bad", Algorithm::Es256), TestKey::generate("bad", Algorithm::Rs256));
    let server = Server::start();
    let url = server.url(JWKS);
    for (bad, kid, reason) in bad_keys::rows(&ec, &rsa) {
        let case = &bad[..bad.len().min(200)];
        let keys = format!(r#"{{"keys":[{bad},{}]}}"#, good.jwk());
        server.set(JWKS, Answer::Document(keys));
        let examined = &run(&["jwks", &url, "--json"], b"").expect(0).json()[0];
        assert_eq!(examined["skipped"], json!([{"kid": kid, "reason": reason}]), "{case}");
        assert_eq!(examined["accepted"], json!([{"kid": "good", "alg": "EdDSA"}]), "{case}");
        // A key for another use is not a fault of the issuer.
        let harmless = ["not meant for verifying signatures", "an unknown key type"];
        let is_harmless = harmless.iter().any(|harmless| reason.starts_with(harmless));
        let findings = examined["findings"].as_array().unwrap();
        let finding = findings.iter().find(|it| it["what"].as_str().unwrap().contains(reason));
        let level = if is_harmless { "note" } else { "warning" };
        assert_eq!(finding.unwrap()["level"], level, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_ca_is_trusted_only_with_ca_file() {
    let (pem, url) = private_ca::serve(document()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let told = run(&["jwks", &url], b"").expect(3).stdout;
    assert!(told.contains("error sending request"), "{told}");
    run(&["jwks", &url, "--ca-file", file.to_str().unwrap()], b"").expect(0);
    let told = run(&["jwks", &url, "--ca-file", "/nowhere.pem"], b"").expect(3).stdout;
    assert!(told.contains("the CA file /nowhere.pem"), "{told}");
}

#[test]
fn abrupt_rotation_under_watch_is_a_warning() {
    let server = Server::start();
    let [a, b] = ["a", "b"].map(|kid| TestKey::generate(kid, Algorithm::Es256));
    let url = server.url(JWKS);
    server.set(JWKS, Answer::Document(TestKey::jwks([&a]).to_string()));
    let watching = std::thread::spawn(move || {
        run(&["jwks", &url, "--watch", "3", "--every", "0.2", "--json"], b"").expect(0)
    });
    let looks = |number| {
        while server.requests(JWKS).len() < number {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };
    looks(2);
    server.set(JWKS, Answer::Document(TestKey::jwks([&b]).to_string()));
    looks(4);
    let examined = &watching.join().unwrap().json()[0];
    let changes = examined["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{examined}");
    let what = examined["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("\"a\" was withdrawn 0 s after \"b\" was published"), "{what}");
}

#[test]
fn cache_headers_of_good_keys_are_explained() {
    for (headers, ttl, told) in [
        ("cache-control: max-age=60\r\netag: \"1\"\r\n", 60, "used for  60 s"),
        ("cache-control: max-age=86400\r\n", 300, "max-age is 86400 s"),
        ("cache-control: no-store\r\n", 300, "no-store: not obeyed, since obey_no_cache is off"),
        ("cache-control: max-age=60, must-revalidate\r\n", 60, "must-revalidate: not obeyed"),
        ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0, "beyond the leeway"),
        ("cache-control: max-age=0\r\n", 300, "max-age=0: not obeyed"),
        ("expires: 0\r\n", 300, "a past Expires: not obeyed"),
        ("", 300, "no header limits how long"),
    ] {
        let server = Server::start();
        server.set(JWKS, Answer::Bytes(response("200 OK", headers, document())));
        let url = server.url(JWKS);
        let text = run(&["jwks", &url], b"").expect(0).stdout;
        assert!(text.contains(told), "{headers}\n{text}");
        assert!(text.contains("accepted  \"k1\", ES256"), "{text}");
        assert!(text.contains("verdict: services can use these keys"), "{text}");
        let json = &run(&["jwks", &url, "--json"], b"").expect(0).json()[0];
        // With a `Date` decades ago, the response's age exceeds every TTL.
        assert!(ttl == 0 || json["ttl_secs"] == ttl, "{headers}: {json}");
    }
}

/// The headers are those of Keycloak.
#[test]
fn no_cache_headers_are_reported_once_with_whether_they_are_obeyed() {
    let server = Server::start();
    let url = server.url(JWKS);
    for (control, kept, obeyed) in [
        ("no-cache", "used for  300 s", "used for  10 s"),
        ("no-cache, no-store, max-age=0, must-revalidate", "used for  300 s", "used for  10 s"),
        ("max-age=60, must-revalidate", "used for  60 s", "used for  60 s"),
    ] {
        let headers = format!("cache-control: {control}\r\netag: \"1\"\r\n");
        server.set(JWKS, Answer::Bytes(response("200 OK", &headers, document())));
        let text = run(&["jwks", &url], b"").expect(0).stdout;
        assert!(text.contains(kept) && text.contains("not obeyed"), "{control}: {text}");
        assert!(
            !text.contains("warning") && !text.contains("have the issuer"),
            "{control}: {text}"
        );
        assert!(!text.contains("no header limits"), "{control}: {text}");
        let text = run(&["jwks", &url, "--obey-no-cache"], b"").expect(0).stdout;
        assert!(text.contains(obeyed) && text.contains(": obeyed"), "{control}: {text}");
    }
}

#[test]
fn compressed_keys_and_a_byte_order_mark_are_accepted() {
    let server = Server::start();
    let coded = response("200 OK", "content-encoding: gzip\r\n", faults::GZIPPED_KEYS);
    let marked = response("200 OK", "", format!("\u{feff}{}", document()));
    for (answer, told) in [(coded, "accepted  \"a\", EdDSA"), (marked, "accepted  \"k1\", ES256")] {
        server.set(JWKS, Answer::Bytes(answer));
        let text = run(&["jwks", &server.url(JWKS)], b"").expect(0).stdout;
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn url_that_answers_html_is_reported_with_the_issuer_option() {
    let server = Server::start();
    let url = server.url("/");
    server.set("/", Answer::Document("<!doctype html><p>Log in</p>".to_owned()));
    let text = run(&["jwks", &url], b"").expect(3).stdout;
    assert!(text.contains(&format!("use `--issuer {url}`")), "{text}");
    assert!(text.contains("it is HTML or XML"), "{text}");
}

/// Each alarm has an action. Each command in an action works with every kind of value that the label
/// `location` may have.
#[test]
fn commands_in_the_alarms_run_with_every_kind_of_location() {
    const RULES: &str = include_str!("../../../monitoring/prometheus-rules.yml");
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, document()).unwrap();
    server.set(JWKS, Answer::Document(document()));
    server.set(bad_metadata::METADATA, bad_metadata::good(&server));
    let alarms = RULES.matches("- alert: ").count();
    let actions: Vec<_> = RULES.lines().filter_map(|line| line.split_once("action: ")).collect();
    assert_eq!(actions.len(), alarms);
    let mut commands = 0;
    for (_, action) in actions {
        for command in action.split('`').skip(1).step_by(2) {
            if let Some(words) = command.strip_prefix("portcullis-issuer ") {
                // The issuer's tests run its commands.
                let known = [
                    "audit",
                    "clients update",
                    "clients update ID --no-backchannel-logout-uri",
                    "keys list",
                ];
                assert!(known.contains(&words), "{action}");
                continue;
            }
            let words = command.strip_prefix("portcullis ").unwrap();
            if words == "check" {
                // `check` reads the service's variables, which are not set here.
                let told = run(&["check", "-"], b"x").expect(2).stderr;
                assert!(told.contains("issuer (PORTCULLIS_ISSUER) is not set"), "{told}");
                continue;
            }
            for location in [server.url(""), server.url(JWKS), file.to_str().unwrap().to_owned()] {
                let words = words.replace("{{ $labels.location }}", &location);
                let words: Vec<_> = words.split(' ').collect();
                let text = run(&words, b"").expect(0).stdout;
                assert!(text.contains("accepted  \"k1\", ES256"), "{words:?}: {text}");
            }
            commands += 1;
        }
        // Log targets in an action must exist.
        for target in action.split("portcullis::").skip(1) {
            let names = ["status_list", "introspection", "refused", "keys", "feed"];
            assert!(names.iter().any(|name| target.starts_with(name)), "{action}");
        }
    }
    assert!(commands > 3, "{commands}");
    let url = server.url("");
    run(&["jwks", &url, "--watch", "1", "--every", "0.4"], b"").expect(0);
    // `--discovery-url` names the URL of the metadata.
    let metadata = server.url(bad_metadata::METADATA);
    run(&["jwks", "--issuer", &url, "--discovery-url", &metadata], b"").expect(0);
    std::fs::write(&file, "<html>").unwrap();
    run(&["jwks", file.to_str().unwrap()], b"").expect(3);
}

#[test]
fn key_set_without_a_usable_key_is_a_fault() {
    let server = Server::start();
    let bad = json!({"keys": [{"kty": "oct", "kid": "bad", "k": "c2VjcmV0"}]});
    server.set(JWKS, Answer::Document(bad.to_string()));
    let text = run(&["jwks", &server.url(JWKS)], b"").expect(3).stdout;
    assert!(text.contains("skipped   \"bad\": a symmetric key"), "{text}");
    assert!(text.contains("FAULT     no usable key"), "{text}");
}

#[test]
fn issuer_is_discovered_and_wrong_metadata_is_reported() {
    let server = Server::start();
    let metadata =
        |issuer: &str| json!({"issuer": issuer, "jwks_uri": server.url(JWKS)}).to_string();
    let path = "/.well-known/openid-configuration";
    server.set(JWKS, Answer::Document(document()));
    server.set(path, Answer::Document(metadata(&server.url(""))));
    let issuer = server.url("");
    let examined = &run(&["jwks", "--issuer", &issuer, "--json"], b"").expect(0).json()[0];
    assert_eq!(examined["answers"].as_array().unwrap().len(), 2, "{examined}");
    server.set(path, Answer::Document(metadata("https://other.example")));
    let text = run(&["jwks", "--issuer", &issuer], b"").expect(3).stdout;
    assert!(text.contains("is the metadata of \"https://other.example\""), "{text}");
    run(&["jwks"], b"").expect(2);
    run(&["jwks", "http://elsewhere.example/jwks"], b"").expect(2);
}
