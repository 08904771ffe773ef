//! An issuer on this machine, for `tune --issuer`.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Algorithm;
use portcullis_testing::TestKey;
use serde_json::{Value, json};

use crate::support::{self, run};

/// The password of the user `tester`.
pub(crate) const PASSWORD: &str = "pass word/1";
const SECRET: &str = "s3cret/of the:client";

/// An issuer on this machine that records its requests.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Vec<(String, String)>>>,
    /// The forms sent to `/token`.
    pub(crate) forms: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Issuer {
    pub(crate) fn start(change: impl Fn(&mut Value)) -> Self {
        Self::slow(Duration::ZERO, change)
    }

    /// An issuer at which every other token takes 30 ms longer.
    pub(crate) fn unsteady() -> Self {
        Self::slow(Duration::ZERO, |metadata| {
            metadata["token_endpoint"] =
                format!("{}/unsteady", metadata["issuer"].as_str().unwrap()).into();
        })
    }

    /// An issuer whose metadata have the path of a Keycloak's.
    pub(crate) fn keycloak() -> Self {
        Self::start(|metadata| {
            metadata["issuer"] =
                format!("{}/realms/shop", metadata["issuer"].as_str().unwrap()).into();
        })
    }

    /// An issuer whose first response with metadata takes this long.
    pub(crate) fn slow(first_metadata: Duration, change: impl Fn(&mut Value)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut metadata = json!({
            "issuer": url, "jwks_uri": format!("{url}/keys"),
            "token_endpoint": format!("{url}/token"),
            "introspection_endpoint": format!("{url}/introspect"),
            "backchannel_logout_supported": true,
        });
        change(&mut metadata);
        let issuer = metadata.get("issuer").and_then(Value::as_str).unwrap().to_owned();
        let metadata_path =
            format!("{}/.well-known/openid-configuration", issuer.strip_prefix(&url).unwrap());
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"iat": 1_700_000_000, "exp": 1_700_000_300});
        let token = format!("{}.{}.c2ln", part(json!({"alg": "ES256"})), part(claims));
        let keys = TestKey::jwks([&TestKey::generate("k", Algorithm::Es256)]).to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = asked.clone();
        let forms = Arc::new(Mutex::new(Vec::new()));
        let sent = forms.clone();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (record, metadata, keys) = (record.clone(), metadata.clone(), keys.clone());
                let (token, metadata_path) = (token.clone(), metadata_path.clone());
                let sent = sent.clone();
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
                        let form = String::from_utf8(body).unwrap();
                        let number = {
                            let mut asked = record.lock().unwrap();
                            asked.push((path.clone(), authorization));
                            asked.len()
                        };
                        if number == 1 {
                            thread::sleep(first_metadata);
                        }
                        if path == "/unsteady" && number % 2 == 0 {
                            thread::sleep(Duration::from_millis(30));
                        }
                        let (status, answer) = match path.as_str() {
                            "/keys" => ("200 OK", keys.clone()),
                            "/token" | "/unsteady" => answer_for(&form, &token, &sent),
                            "/no-refresh" => (
                                "200 OK",
                                json!({"access_token": token, "expires_in": 300}).to_string(),
                            ),
                            "/introspect" => ("200 OK", json!({"active": true}).to_string()),
                            "/never" => ("200 OK", json!({"active": false}).to_string()),
                            path if path == metadata_path => ("200 OK", metadata.to_string()),
                            path if path.starts_with("/.well-known/oauth-authorization-server") => {
                                ("404 Not Found", "{}".to_owned())
                            }
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
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        Self { url: issuer, asked, forms, folder }
    }

    /// Runs `tune` with the client, and with a user for the password grant.
    pub(crate) fn tune_as_user(&self, options: &[&str]) -> support::Ended {
        let file = self.folder.path().join("password");
        let user = ["--username", "tester", "--password-file", file.to_str().unwrap()];
        self.tune(true, &[&user[..], options].concat())
    }

    pub(crate) fn tune(&self, with_client: bool, options: &[&str]) -> support::Ended {
        let file = self.folder.path().join("secret");
        let mut arguments = vec!["tune", "--sessions", "1000", "--issuer", &self.url];
        if with_client {
            let client = ["--client-id", "billing", "--client-secret-file", file.to_str().unwrap()];
            arguments.extend(client);
        }
        run(&[&arguments[..], options].concat(), b"")
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, _)| asked == path).count()
    }
}

/// A token endpoint that rotates refresh tokens: only the newest one is accepted.
fn answer_for(
    form: &str,
    access_token: &str,
    forms: &Mutex<Vec<String>>,
) -> (&'static str, String) {
    let mut forms = forms.lock().unwrap();
    let newest = format!("r{}", forms.len());
    forms.push(form.to_owned());
    let is_accepted = match form.split('&').next().unwrap() {
        "grant_type=client_credentials" => {
            let tokens = json!({"access_token": access_token, "expires_in": 300});
            return ("200 OK", tokens.to_string());
        }
        "grant_type=password" => {
            form == "grant_type=password&username=tester&password=pass%20word%2F1"
        }
        _ => form == format!("grant_type=refresh_token&refresh_token={newest}"),
    };
    if !is_accepted {
        return ("400 Bad Request", json!({"error": "invalid_grant"}).to_string());
    }
    let refresh_token = format!("r{}", forms.len());
    let tokens =
        json!({"access_token": access_token, "expires_in": 300, "refresh_token": refresh_token});
    ("200 OK", tokens.to_string())
}
