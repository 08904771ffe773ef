//! Rate limits behind a proxy: which address is counted, and which callers are not affected by
//! failed logins from the proxy's address.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::http::request::Builder;
use portcullis_issuer::{ClientRight, Issuer, IssuerConfig, NewClient};
use serde_json::json;

use crate::common::{Answer, Home, PASSWORD, login_own, on_every_store, send, with_token};

on_every_store!(
    failed_logins_from_the_proxy_do_not_limit_authenticated_callers,
    failed_clients_from_the_proxy_do_not_limit_logins_and_valid_clients,
    connection_address_is_used_if_the_header_is_unusable,
    header_is_used_on_connections_of_trusted_proxies_only,
    header_is_ignored_if_the_connection_is_unknown,
    attempt_that_could_not_be_checked_is_returned,
    rejected_attempts_fill_the_audit_log_up_to_a_budget,
);

const FROM_PROXY: &str = "127.0.0.1:40000";

/// Opens an issuer with alice and at most 3 failures per address.
async fn limited(home: &Home, change: impl FnOnce(&mut IssuerConfig)) -> Issuer {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.attempts_per_address = 3;
    change(&mut config);
    Issuer::open(config).await.unwrap()
}

fn from(connection: &str, request: Builder) -> Builder {
    let address: std::net::SocketAddr = connection.parse().unwrap();
    request.extension(ConnectInfo(address))
}

async fn wrong_login(issuer: &Issuer, connection: &str, header: Option<&str>) -> u16 {
    let mut request = from(connection, Request::post("/v1/auth/login"));
    if let Some(header) = header {
        request = request.header("x-forwarded-for", header);
    }
    let body = json!({ "username": "unknown", "password": "wrong" });
    let request = request.header("content-type", "application/json").body(body.to_string().into());
    send(issuer, request.unwrap()).await.status.as_u16()
}

async fn as_client(issuer: &Issuer, path: &str, credential: &str, form: String) -> Answer {
    let request = from(FROM_PROXY, Request::post(path))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("{credential}&{form}")));
    send(issuer, request.unwrap()).await
}

async fn failed_logins_from_the_proxy_do_not_limit_authenticated_callers(home: Home) {
    let issuer = limited(&home, |_| ()).await;
    let billing = NewClient::new("billing").rights([ClientRight::IntrospectAll]);
    let secret = issuer.add_client(billing).await.unwrap().unwrap();
    let credential = format!("client_id=billing&client_secret={secret}");
    let token = login_own(&issuer).await.expect(200).text("access_token");
    for expected in [401, 401, 401, 429] {
        assert_eq!(wrong_login(&issuer, FROM_PROXY, None).await, expected);
    }
    let form = "grant_type=client_credentials".to_owned();
    assert_eq!(as_client(&issuer, "/oauth/token", &credential, form).await.status, 200);
    let form = format!("token={token}");
    let answer = as_client(&issuer, "/oauth/introspect", &credential, form).await;
    assert_eq!(answer.json["active"], true, "{answer:?}");
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    // A session also identifies the caller. Its wrong passwords are limited per user.
    let step_up = async || {
        let request = from(FROM_PROXY, Request::post("/v1/auth/totp"))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(json!({ "password": "wrong" }).to_string().into());
        send(&issuer, request.unwrap()).await.status.as_u16()
    };
    for _ in 0..20 {
        assert_eq!(step_up().await, 403);
    }
    assert_eq!(step_up().await, 429);
}

async fn failed_clients_from_the_proxy_do_not_limit_logins_and_valid_clients(home: Home) {
    let issuer = limited(&home, |_| ()).await;
    let secret = issuer.add_client(NewClient::new("billing")).await.unwrap().unwrap();
    let form = || "grant_type=client_credentials".to_owned();
    for expected in [401, 401, 401, 429, 429] {
        let wrong = "client_id=other&client_secret=wrong";
        let answer = as_client(&issuer, "/oauth/token", wrong, form()).await;
        assert_eq!(answer.status.as_u16(), expected);
    }
    let right = format!("client_id=billing&client_secret={secret}");
    assert_eq!(as_client(&issuer, "/oauth/token", &right, form()).await.status, 200);
    let body = json!({ "username": "alice", "password": PASSWORD });
    let request = from(FROM_PROXY, Request::post("/v1/auth/login"))
        .header("content-type", "application/json")
        .body(body.to_string().into());
    send(&issuer, request.unwrap()).await.expect(200);
}

async fn connection_address_is_used_if_the_header_is_unusable(home: Home) {
    let header = |config: &mut IssuerConfig| {
        config.client_address_header = Some("x-forwarded-for".parse().unwrap());
    };
    for (values, address) in [
        ([None, None, None, None], "connection"),
        ([Some("unknown"), Some("_x"), Some(""), Some("192.0.2.1, nonsense")], "connection"),
        ([Some("192.0.2.1:1"), Some("192.0.2.1:2"), Some("192.0.2.1"), Some("192.0.2.1:3")], "one"),
        (
            [
                Some("[2001:db8::1]"),
                Some("[2001:db8::1]:1"),
                Some("2001:db8::2"),
                Some("[2001:db8::3]:2"),
            ],
            "one",
        ),
    ] {
        let home = if home.postgres().is_some() { Home::on_postgres().await } else { Home::new() };
        let issuer = limited(&home, header).await;
        for (value, expected) in values.into_iter().zip([401, 401, 401, 429]) {
            assert_eq!(
                wrong_login(&issuer, FROM_PROXY, value).await,
                expected,
                "{address} {value:?}"
            );
        }
    }
}

async fn header_is_used_on_connections_of_trusted_proxies_only(home: Home) {
    let issuer = limited(&home, |config| {
        config.client_address_header = Some("x-forwarded-for".parse().unwrap());
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    // Clients that bypass the proxy cannot choose their address.
    for (name, expected) in [("192.0.2.1", 401), ("192.0.2.2", 401), ("192.0.2.3", 401)] {
        assert_eq!(wrong_login(&issuer, "198.51.100.7:1", Some(name)).await, expected);
    }
    assert_eq!(wrong_login(&issuer, "198.51.100.7:1", Some("192.0.2.4")).await, 429);
    for name in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4, 127.0.0.2"] {
        assert_eq!(wrong_login(&issuer, FROM_PROXY, Some(name)).await, 401);
    }
}

/// If an app serves the router without `ConnectInfo`, it is unknown whether a proxy sent the
/// header.
async fn header_is_ignored_if_the_connection_is_unknown(home: Home) {
    let issuer = limited(&home, |config| {
        config.client_address_header = Some("x-forwarded-for".parse().unwrap());
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    for (last, expected) in [(1, 401), (2, 401), (3, 401), (4, 429)] {
        let body = json!({ "username": "unknown", "password": "wrong" });
        let request = Request::post("/v1/auth/login")
            .header("x-forwarded-for", format!("192.0.2.{last}"))
            .header("content-type", "application/json")
            .body(body.to_string().into());
        assert_eq!(send(&issuer, request.unwrap()).await.status.as_u16(), expected, "{last}");
    }
}

async fn attempt_that_could_not_be_checked_is_returned(home: Home) {
    let issuer = limited(&home, |_| ()).await;
    // A closed issuer cannot check passwords, as if all slots for hashing were taken.
    issuer.close().await;
    for _ in 0..5 {
        assert_eq!(wrong_login(&issuer, FROM_PROXY, None).await, 503);
    }
}

async fn rejected_attempts_fill_the_audit_log_up_to_a_budget(home: Home) {
    const NAMES: usize = 30;
    let issuer = limited(&home, |config| {
        (config.attempts_per_account, config.attempts_per_address) = (1, 0);
    })
    .await;
    for name in 0..NAMES {
        for expected in [401, 429] {
            let body = json!({ "username": format!("name-{name}"), "password": "wrong" });
            let answer = crate::common::post(&issuer, "/v1/auth/login", &body).await;
            assert_eq!(answer.status.as_u16(), expected);
        }
    }
    let recorded = async || {
        let events = issuer.events(0, 1000).await.unwrap();
        events.iter().filter(|event| event.kind == "login_limited").count()
    };
    assert_eq!(recorded().await, 12);
    // One more every 5 minutes.
    home.advance(300);
    let body = json!({ "username": "name-0", "password": "wrong" });
    for expected in [401, 429] {
        let answer = crate::common::post(&issuer, "/v1/auth/login", &body).await;
        assert_eq!(answer.status.as_u16(), expected);
    }
    assert_eq!(recorded().await, 13);
}
