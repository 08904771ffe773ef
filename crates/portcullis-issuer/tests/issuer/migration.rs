//! Change of the signing algorithm: an operator changes the setting and restarts the issuer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Request;
use portcullis::{Algorithm, Authenticator};
use portcullis_issuer::{Issuer, SigningAlgorithm};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::common::{API, Home, call, login, on_every_store, part, refresh};

on_every_store!(verifiers_with_both_algorithms_reject_nothing_in_a_migration);

/// The duration of a step in seconds: much shorter than the token lifetime and the lead of a new
/// key.
const STEP: u64 = 90;

/// Starts the issuer of `home` on `address` with this algorithm.
async fn start(
    home: &Home,
    address: SocketAddr,
    algorithm: SigningAlgorithm,
) -> (Issuer, AbortHandle) {
    let mut config = home.config();
    config.issuer = format!("http://{address}");
    config.signing_algorithm = Some(algorithm);
    let issuer = Issuer::open(config).await.unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let served = issuer.clone();
    let server = tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
    (issuer, server.abort_handle())
}

async fn accepts(app: &Authenticator, token: &str) -> bool {
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    app.authenticate(&request.body(()).unwrap()).await.is_ok()
}

fn algorithm_of(token: &str) -> String {
    part(token, 0)["alg"].as_str().unwrap().to_owned()
}

async fn verifiers_with_both_algorithms_reject_nothing_in_a_migration(home: Home) {
    use SigningAlgorithm::{EdDsa, Es256, Rs256};
    home.open_with_alice().await.close().await;
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (mut issuer, mut server) = start(&home, address, Es256).await;
    let url = format!("http://{address}");
    let app = |algorithms: &[Algorithm]| {
        let builder = Authenticator::builder(&url, API).clock(home.clock());
        builder.algorithms(algorithms.to_vec()).build()
    };
    let all = app(&[Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256]).await.unwrap();
    let old_only = app(&[Algorithm::Es256]).await.unwrap();

    let mut refresh_token = login(&issuer).await.expect(200).text("refresh_token");
    let mut tokens: Vec<(u64, String)> = Vec::new();
    for (from, to) in [(Es256, EdDsa), (EdDsa, Rs256)] {
        server.abort();
        issuer.close().await;
        (issuer, server) = start(&home, address, to).await;
        issuer.rotate_keys().await.unwrap();
        let (begun, mut of_both) = (home.now(), 0);
        while home.now() < begun + 20 * STEP {
            // The new key signs after the lead of 360 s, which is max-age plus clock skew.
            let expected = if home.now() < begun + 360 { from } else { to };
            let token = loop {
                let grant = refresh(&issuer, &refresh_token).await.expect(200);
                refresh_token = grant.text("refresh_token");
                let token = grant.text("access_token");
                if algorithm_of(&token) == expected.as_str() {
                    break token;
                }
                // The change may be late: on PostgreSQL the issuer may not know yet that it leads.
                assert_eq!((algorithm_of(&token).as_str(), expected), (from.as_str(), to));
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            assert_eq!(accepts(&old_only, &token).await, algorithm_of(&token) == "ES256");
            tokens.push((home.now(), token));
            let mut accepted = Vec::new();
            for (issued, token) in &tokens {
                // The leeway allows an age of 900 s, but not the next age of 990 s.
                let lives = home.now() <= issued + 900;
                assert_eq!(accepts(&all, token).await, lives, "{}", home.now() - issued);
                accepted.extend(lives.then(|| algorithm_of(token)));
            }
            accepted.dedup();
            of_both += usize::from(accepted.len() == 2);
            tokens.retain(|(issued, _)| home.now() <= issued + 1000);
            home.advance(STEP);
        }
        assert!(of_both > 5, "tokens of both algorithms were valid in {of_both} steps only");
        let keys = call(&issuer, "GET /.well-known/jwks.json", &[]).await.expect(200).json;
        let keys = keys["keys"].as_array().unwrap();
        assert_eq!((keys.len(), keys[0]["alg"].as_str()), (1, Some(to.as_str())), "{keys:?}");
    }
    server.abort();
}
