//! The logout tokens that `oidc-provider` sends, received by an axum service. The access tokens of this
//! issuer name no session, so a logout is applied by subject.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use portcullis::feed::{LogoutMatch, LogoutReceiver, Revocations};
use portcullis::testing::{TestKey, TestToken};
use portcullis::{Algorithm, Authenticator, Gate, Revocation};
use portcullis_axum::{logout_route, protect};
use tokio::net::TcpListener;

use crate::API;
use crate::app::http_client;
use crate::issuer::{Issuer, Login, claims, header};

const LOGOUT_PATH: &str = "/backchannel-logout";

/// The maximum age of this instance's knowledge of revocations.
const MAX_AGE: Duration = Duration::from_secs(5);

/// The duration of a round trip on a busy machine.
const ROUND_TRIP: Duration = Duration::from_secs(10);

struct Service {
    url: String,
    client: reqwest::Client,
}

/// Starts the issuer and a service, each with the other's address.
async fn start() -> (Issuer, Service) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Issuer::with_logout_to(&format!("{url}{LOGOUT_PATH}")).await;
    let auth = Authenticator::builder(issuer.url(), API)
        .leeway(Duration::ZERO)
        .max_token_lifetime(Duration::from_secs(300))
        // The web app's client id is the API's audience.
        .logout_clients([API])
        .logout_match(LogoutMatch::Subject)
        .revocations(Revocations::in_memory())
        .build()
        .await
        .unwrap();
    let receiver = LogoutReceiver::new(&auth).unwrap();
    let gate = Gate::new(auth).revocation(Revocation::feed(MAX_AGE)).unwrap();
    let api = Router::new().route("/orders", get(async || "orders"));
    let app = Router::new().merge(logout_route(LOGOUT_PATH, receiver)).merge(protect(gate, api));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (issuer, Service { url, client: http_client() })
}

impl Service {
    async fn orders(&self, login: &Login) -> u16 {
        let request = self.client.get(format!("{}/orders", self.url));
        request.bearer_auth(&login.access_token).send().await.unwrap().status().as_u16()
    }

    async fn receives(&self, logout_token: &str) -> u16 {
        let request = self.client.post(format!("{}{LOGOUT_PATH}", self.url));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let request = request.header(form.0, form.1).body(format!("logout_token={logout_token}"));
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn logout_at_the_issuer_ends_the_access_tokens_until_the_next_login() {
    let (issuer, service) = start().await;
    let login = issuer.log_in().await;
    assert_eq!(claims(&login.access_token)["sid"], serde_json::Value::Null);
    assert_eq!(service.orders(&login).await, 200);
    // The token is in the cache.
    assert_eq!(service.orders(&login).await, 200);

    let began = Instant::now();
    issuer.log_out(&login).await;
    let logged_out = began.elapsed();
    while service.orders(&login).await != 401 {
        assert!(began.elapsed() < ROUND_TRIP, "still accepted after the logout");
    }
    println!(
        "logout at oidc-provider took {logged_out:?}, its token was refused {:?} after it began",
        began.elapsed()
    );

    // Times in tokens are whole seconds: a token of the same second counts as issued before.
    let began = Instant::now();
    while service.orders(&issuer.log_in().await).await != 200 {
        assert!(began.elapsed() < ROUND_TRIP, "a later login is refused");
    }
    assert_eq!(service.orders(&login).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn logout_token_of_another_key_is_rejected() {
    let (issuer, service) = start().await;
    let login = issuer.log_in().await;
    let subject = claims(&login.access_token)["sub"].as_str().unwrap().to_owned();
    let kid = header(&login.id_token)["kid"].as_str().unwrap().to_owned();
    assert_eq!(header(&login.id_token)["alg"], "RS256");
    let iat = claims(&login.access_token)["iat"].as_u64().unwrap();
    for kid in [kid.as_str(), &*kid.replace("rs256", "es256"), "unpublished"] {
        let key = Arc::new(TestKey::generate(kid, Algorithm::Es256));
        let forged = TestToken::logout(key, issuer.url(), API, iat).claim("sub", &*subject);
        assert_eq!(service.receives(&forged.sign()).await, 400, "{kid}");
    }
    // An ID token of the issuer is not accepted as a logout token.
    assert_eq!(service.receives(&login.id_token).await, 400);
    assert_eq!(service.orders(&login).await, 200);

    issuer.log_out(&login).await;
    assert_eq!(service.orders(&login).await, 401);
}
