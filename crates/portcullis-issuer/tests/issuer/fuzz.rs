//! What the OpenAPI document allows, and much that it does not, made up by schemathesis: the issuer
//! answers nothing that is not documented, and never with 5xx.

use std::path::Path;
use std::process::Command;

use crate::common::{API, Home, PASSWORD};
use crate::process::{HttpClient, Server};

/// Where schemathesis's settings and hooks are.
const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop/third_party/schemathesis");

/// Where the hooks' attempts are not limited, and those of one address soon are.
const SETTINGS: [(&str, &str); 9] = [
    ("IDENTSPHERE_REGISTRATION", "on"),
    ("IDENTSPHERE_NOTIFIER", "exec:/bin/true"),
    // Tokens for the issuer alone, which the administrator's operations accept.
    ("IDENTSPHERE_AUDIENCES", ""),
    // No code is good twice, and the hooks log in more often than there are codes.
    ("IDENTSPHERE_SECOND_FACTOR", "off"),
    ("IDENTSPHERE_CLIENT_ADDRESS_HEADER", "X-Forwarded-For"),
    ("IDENTSPHERE_LOGIN_ATTEMPTS_PER_ACCOUNT", "0"),
    ("IDENTSPHERE_LOGIN_ATTEMPTS_PER_ADDRESS", "1"),
    // As cheap as a password may be.
    ("IDENTSPHERE_PASSWORD_MEMORY_KIB", "7168"),
    ("IDENTSPHERE_PASSWORD_ITERATIONS", "5"),
];

/// With a user, and a client's secret.
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

/// Whether schemathesis found nothing, and what it said. It runs in `home`.
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

fn nothing_undocumented_is_answered(home: &Home) {
    let issuer = issuer(home);
    let document = format!("{}/openapi.json", issuer.0.url());
    let long = std::env::var("PORTCULLIS_SOAK_FUZZ_SECS");
    let effort = match &long {
        Ok(secs) => ["--max-time", secs],
        // The same each time.
        Err(_) => ["--max-examples", "8"],
    };
    let seed = long.is_err().then_some(["--seed", "1"]);
    let arguments: Vec<&str> =
        [document.as_str()].into_iter().chain(effort).chain(seed.into_iter().flatten()).collect();
    let (clean, told) = schemathesis(home, &issuer, &arguments);
    assert!(clean, "{told}");
    println!("{told}");
    // It was not all in vain.
    for answer in [
        "POST /v1/auth/login 200",
        "POST /v1/auth/login 401",
        "POST /v1/auth/login 422",
        "POST /v1/auth/login 429",
        "POST /v1/auth/refresh 200",
        "POST /v1/auth/register 201",
        "POST /v1/auth/totp 201",
        "POST /v1/auth/step-up 200",
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
fn on_sqlite_nothing_undocumented_is_answered() {
    nothing_undocumented_is_answered(&Home::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis and PostgreSQL: run cargo xtask test"]
async fn on_postgres_nothing_undocumented_is_answered() {
    nothing_undocumented_is_answered(&Home::on_postgres().await);
}

/// That it finds nothing would mean nothing if it never did.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis: run cargo xtask test"]
async fn a_document_that_is_not_true_is_noticed() {
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
