//! Valid and invalid requests that schemathesis generates from the OpenAPI document: every response
//! is documented, and none is 5xx.

use std::path::Path;
use std::process::Command;

use crate::common::{API, Home, PASSWORD};
use crate::process::{HttpClient, Server};

/// The folder with the settings and the hooks of schemathesis.
const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop/third_party/schemathesis");

/// The issuer's settings. Each login of the hooks has its own client address and is not limited;
/// requests from a shared address are limited after one failure.
const SETTINGS: [(&str, &str); 11] = [
    ("IDENTSPHERE_REGISTRATION", "on"),
    ("IDENTSPHERE_NOTIFIER", "exec:/bin/true"),
    // The administrator's operations accept only tokens for the issuer alone.
    ("IDENTSPHERE_AUDIENCES", ""),
    // A code is accepted once, and the hooks log in more often than the code changes.
    ("IDENTSPHERE_SECOND_FACTOR", "off"),
    ("IDENTSPHERE_CLIENT_ADDRESS_HEADER", "X-Forwarded-For"),
    ("IDENTSPHERE_LOGIN_ATTEMPTS_PER_ACCOUNT", "0"),
    ("IDENTSPHERE_LOGIN_ATTEMPTS_PER_ADDRESS", "1"),
    ("IDENTSPHERE_PASSKEY_RP_ID", "localhost"),
    ("IDENTSPHERE_PASSKEY_ORIGINS", "http://localhost"),
    // The cheapest password hash that the issuer accepts.
    ("IDENTSPHERE_PASSWORD_MEMORY_KIB", "7168"),
    ("IDENTSPHERE_PASSWORD_ITERATIONS", "5"),
];

/// Starts an issuer with a user and a machine client. Returns it with the client's secret.
fn issuer(home: &Home) -> (Server, String) {
    let mut server = Server::new(home, None, &SETTINGS);
    let alice = ["users", "add", "alice", "--password-stdin", "--scope", "identsphere:audit"];
    let alice = [&alice[..], &["--scope", "identsphere:admin"]].concat();
    server.command(&alice, &format!("{PASSWORD}\n"));
    let client = server.command(
        &[
            "clients",
            "add",
            "fuzz",
            "--scope",
            "orders:read",
            "--audience",
            API,
            "--right",
            "introspect-all",
            "--right",
            "continue-sessions",
        ],
        "",
    );
    let secret = client.split("secret: ").nth(1).unwrap().trim().to_owned();
    server.start();
    (server, secret)
}

/// Runs schemathesis in `home`. Returns whether it found no failure, and its output.
fn schemathesis(
    home: &Home,
    (server, secret): &(Server, String),
    arguments: &[&str],
) -> (bool, String) {
    let python = std::env::var("PORTCULLIS_SCHEMATHESIS").expect("run `cargo xtask test`");
    let output = Command::new(Path::new(&python).with_file_name("st"))
        .args(["--no-color", "--config-file"])
        .arg(Path::new(FOLDER).join("schemathesis.toml"))
        .args(["run", "--continue-on-failure", "--request-timeout", "60"])
        .args(arguments)
        .current_dir(home.path())
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", FOLDER)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ISSUER", server.url())
        .env("PASSWORD", PASSWORD)
        .env("CLIENT_SECRET", secret)
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

fn every_response_is_documented(home: &Home) {
    let issuer = issuer(home);
    let document = format!("{}/openapi.json", issuer.0.url());
    let long = std::env::var("PORTCULLIS_SOAK_FUZZ_SECS");
    let effort = match &long {
        Ok(secs) => ["--max-time", secs],
        // A short run is deterministic, by its seed.
        Err(_) => ["--max-examples", "8"],
    };
    let seed = long.is_err().then_some(["--seed", "1"]);
    let arguments: Vec<&str> =
        [document.as_str()].into_iter().chain(effort).chain(seed.into_iter().flatten()).collect();
    let (clean, told) = schemathesis(home, &issuer, &arguments);
    assert!(clean, "{told}");
    println!("{told}");
    // Without each of these responses, the run would have tested too little.
    for answer in [
        "POST /v1/auth/login 200",
        "POST /v1/auth/login 401",
        "POST /v1/auth/login 422",
        "POST /v1/auth/login 429",
        "POST /v1/auth/refresh 200",
        "POST /v1/auth/register 201",
        "POST /v1/auth/totp 201",
        "POST /v1/auth/step-up 200",
        "POST /v1/auth/passkeys/challenge 201",
        "POST /v1/auth/passkeys/registration 201",
        "GET /v1/auth/passkeys 200",
        "DELETE /v1/auth/sessions/{id} 404",
        "GET /v1/users/me 200",
        "GET /v1/users/me 401",
        "GET /v1/audit 200",
        "GET /v1/admin/users 200",
        "DELETE /v1/admin/sessions 200",
        "POST /v1/admin/users/{id}/disable 404",
        "POST /v1/auth/password-reset 202",
        "POST /v1/auth/set-password 403",
        "POST /oauth/token 200",
        "POST /oauth/token 401",
        "POST /oauth/introspect 200",
        "POST /oauth/revoke 200",
    ] {
        assert!(told.contains(&format!("answered {answer}\n")), "no {answer} in: {told}");
    }
}

#[test]
#[ignore = "needs schemathesis: run cargo xtask test"]
fn every_response_on_sqlite_is_documented() {
    every_response_is_documented(&Home::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis and PostgreSQL: run cargo xtask test"]
async fn every_response_on_postgres_is_documented() {
    every_response_is_documented(&Home::on_postgres().await);
}

/// Shows that the tests above would find an undocumented response.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis: run cargo xtask test"]
async fn undocumented_response_is_found() {
    let home = Home::new();
    let issuer = issuer(&home);
    let url = issuer.0.url();
    let client = HttpClient::of(&url);
    let mut document = client.get("/openapi.json").await.unwrap().1;
    let login = &mut document["paths"]["/v1/auth/login"]["post"]["responses"];
    login.as_object_mut().unwrap().remove("401").unwrap();
    let path = home.path().join("wrong.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let arguments =
        [path.to_str().unwrap(), "--url", &url, "--include-path", "/v1/auth/login", "-n", "5"];
    let (clean, told) = schemathesis(&home, &issuer, &arguments);
    assert!(!clean && told.contains("Undocumented status code"), "{told}");
    assert!(told.contains("401"), "{told}");
}
