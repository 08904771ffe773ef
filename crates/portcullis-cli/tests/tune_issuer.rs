//! `portcullis tune --issuer`: the requests to the issuer, and the use of the responses.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Algorithm;
use portcullis_testing::TestKey;
use serde_json::{Value, json};
use support::run;

const SECRET: &str = "s3cret/of the:client";

/// An issuer on this machine that records its requests.
struct Issuer {
    url: String,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    folder: tempfile::TempDir,
}

impl Issuer {
    fn start(change: impl Fn(&mut Value)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut metadata = json!({
            "issuer": url, "jwks_uri": format!("{url}/keys"),
            "token_endpoint": format!("{url}/token"),
            "introspection_endpoint": format!("{url}/introspect"),
            "backchannel_logout_supported": true,
        });
        change(&mut metadata);
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"iat": 1_700_000_000, "exp": 1_700_000_300});
        let token = format!("{}.{}.c2ln", part(json!({"alg": "ES256"})), part(claims));
        let keys = TestKey::jwks([&TestKey::generate("k", Algorithm::Es256)]).to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = asked.clone();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (record, metadata, keys) = (record.clone(), metadata.clone(), keys.clone());
                let token = token.clone();
                thread::spawn(move || {
                    let mut reader = BufReader::new(connection);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                        let (mut length, mut authorization) = (0, String::new());
                        loop {
                            let mut header = String::new();
                            reader.read_line(&mut header).unwrap();
                            let (name, value) = header.trim().split_once(": ").unwrap_or_default();
                            match name.to_ascii_lowercase().as_str() {
                                "content-length" => length = value.parse().unwrap(),
                                "authorization" => authorization = value.to_owned(),
                                "" => break,
                                _ => {}
                            }
                        }
                        let mut body = vec![0; length];
                        reader.read_exact(&mut body).unwrap();
                        record.lock().unwrap().push((path.clone(), authorization));
                        let (status, answer) = match path.as_str() {
                            "/keys" => ("200 OK", keys.clone()),
                            "/token" => (
                                "200 OK",
                                json!({"access_token": token, "expires_in": 300}).to_string(),
                            ),
                            "/introspect" => ("200 OK", json!({"active": true}).to_string()),
                            "/never" => ("200 OK", json!({"active": false}).to_string()),
                            "/.well-known/openid-configuration" => ("200 OK", metadata.to_string()),
                            _ => {
                                ("401 Unauthorized", json!({"error": "invalid_client"}).to_string())
                            }
                        };
                        let text = format!(
                            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: no-cache\r\n\
                             content-length: {}\r\n\r\n{answer}",
                            answer.len()
                        );
                        reader.get_mut().write_all(text.as_bytes()).unwrap();
                    }
                });
            }
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        Self { url, asked, folder }
    }

    fn tune(&self, with_client: bool, options: &[&str]) -> support::Ended {
        let file = self.folder.path().join("secret");
        let mut arguments = vec!["tune", "--sessions", "1000", "--issuer", &self.url];
        if with_client {
            let client = ["--client-id", "billing", "--client-secret-file", file.to_str().unwrap()];
            arguments.extend(client);
        }
        run(&[&arguments[..], options].concat(), b"")
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, _)| asked == path).count()
    }
}

#[test]
fn issuer_gets_the_stated_number_of_requests_and_its_answers_are_the_inputs() {
    let issuer = Issuer::start(|_| {});
    let told = issuer.tune(true, &["--issuer-requests", "3", "--json"]).expect(0);
    let report = &told.json()[0];
    let found = &report["issuer"];
    assert_eq!(found["requests"], issuer.asked.lock().unwrap().len());
    assert_eq!((issuer.asked("/token"), issuer.asked("/introspect")), (3, 3));
    // Once as a service fetches them, and three times to measure.
    assert_eq!(issuer.asked("/keys"), 4);
    assert!(found["requests"].as_u64() <= Some(3 * 3 + 4), "{found}");
    // The inputs are the issuer's token lifetime, cache headers and measured costs.
    let scenario = &report["settings"][0]["scenario"];
    assert_eq!(
        (&found["token_lifetime"], &scenario["access_expiry"]),
        (&300.0.into(), &300.0.into())
    );
    assert_eq!((&found["cache_control"], &found["max_age"]), (&"no-cache".into(), &Value::Null));
    assert_eq!(scenario["verifier"]["used_ttl"], 300.0);
    for (cost, measured) in [("refresh", "grant"), ("lookup", "introspection"), ("fetch", "fetch")]
    {
        let cost = scenario["costs"][cost].as_f64().unwrap();
        let measured = found[measured]["median"].as_f64().unwrap();
        assert!((cost / measured - 1.0).abs() < 1e-9, "{cost} for {measured}");
    }
    // The credentials are encoded as in RFC 6749 §2.3.1, and the output does not contain them.
    let client = "YmlsbGluZzpzM2NyZXQlMkZvZiUyMHRoZSUzQWNsaWVudA==";
    let asked = issuer.asked.lock().unwrap().clone();
    assert!(asked.iter().any(|(_, by)| *by == format!("Basic {client}")), "{asked:?}");
    assert!(!told.stdout.contains("s3cret") && !told.stderr.contains("s3cret"));
    // The issuer's tokens have no status list reference, so status lists are left out.
    let names: Vec<_> = report["mechanisms"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let text = issuer.tune(true, &["--issuer-requests", "1"]).expect(0).stdout;
    assert!(text.contains("left out: status lists"), "{text}");
    let told = issuer.tune(true, &["--issuer-requests", "1", "--list-share", "10"]).expect(2);
    assert!(told.stderr.contains("--list-share"), "{}", told.stderr);
    let own = issuer.tune(true, &["--access-expiry", "60", "--refresh-cost", "5000", "--json"]);
    let scenario = own.expect(0).json()[0]["settings"][0]["scenario"].clone();
    assert_eq!(
        (&scenario["access_expiry"], &scenario["costs"]["refresh"]),
        (&60.0.into(), &0.005.into())
    );
}

#[test]
fn missing_introspection_is_left_out_and_unknown_costs_are_reported() {
    let issuer = Issuer::start(|metadata| {
        metadata.as_object_mut().unwrap().remove("introspection_endpoint");
    });
    let text = issuer.tune(false, &[]).expect(0).stdout;
    assert!(text.contains("left out: introspection: this issuer"), "{text}");
    assert!(!text.contains("introspection of each request *"), "{text}");
    assert!(text.contains("unknown: give a client"), "{text}");
    assert_eq!(issuer.asked("/token"), 0);
}

/// Keycloak answers `"active": false` to a client that is not in the token's `aud`.
#[test]
fn client_that_may_not_introspect_is_reported_and_the_rest_is_measured() {
    let issuer = Issuer::start(|metadata| {
        let url = metadata["issuer"].as_str().unwrap().to_owned();
        metadata["introspection_endpoint"] = format!("{url}/never").into();
    });
    let text = issuer.tune(true, &["--issuer-requests", "2"]).expect(0).stdout;
    assert!(text.contains("not allowed to introspect (Keycloak"), "{text}");
    assert!(text.contains("a grant, in place of a refresh,"), "{text}");
    assert_eq!(issuer.asked("/never"), 1);
}

#[test]
fn secret_is_not_sent_over_plain_http_and_errors_name_the_endpoint() {
    let issuer = Issuer::start(|metadata| {
        metadata["token_endpoint"] = "http://auth.example/token".into();
    });
    let told = issuer.tune(true, &[]).expect(2);
    assert!(told.stderr.contains("is sent only over https"), "{}", told.stderr);
    let issuer = Issuer::start(|metadata| {
        let url = metadata["issuer"].as_str().unwrap().to_owned();
        metadata["token_endpoint"] = format!("{url}/elsewhere").into();
    });
    let told = issuer.tune(true, &[]).expect(3);
    assert!(
        told.stderr.contains("/elsewhere: 401 Unauthorized, invalid_client"),
        "{}",
        told.stderr
    );
    let told = run(&["tune", "--issuer", "http://127.0.0.1:9"], b"").expect(3);
    assert!(told.stderr.contains("--issuer"), "{}", told.stderr);
    run(&["tune", "--client-id", "a", "--client-secret-file", "/nowhere"], b"").expect(2);
}

#[test]
fn cost_of_a_validation_is_read_from_a_bench_report() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.json");
    let case = |name: &str, nanos: f64| json!({"name": name, "nanos": {"median": nanos}});
    let report = json!({
        "machine": {"cpu": "a machine"},
        "validations": [{"algorithm": "RS256", "cases": [case("cold", 21_000.0), case("warm", 210.0)]}],
    });
    std::fs::write(&file, report.to_string()).unwrap();
    let told =
        run(&["tune", "--sessions", "1000", "--json", "--bench", file.to_str().unwrap()], b"");
    let report = &told.expect(0).json()[0];
    let costs = &report["settings"][0]["scenario"]["costs"];
    assert!((costs["verify"].as_f64().unwrap() - 21e-6).abs() < 1e-12, "{costs}");
    assert!((costs["hit"].as_f64().unwrap() - 0.21e-6).abs() < 1e-12, "{costs}");
    assert!(report["costs"].as_str().unwrap().contains("RS256 on a machine"), "{report}");
    std::fs::write(&file, "{}").unwrap();
    let told = run(&["tune", "--bench", file.to_str().unwrap()], b"").expect(2);
    assert!(told.stderr.contains("not a report of `bench --json`"), "{}", told.stderr);
}
