//! Tests the issuer behind nginx and Caddy, with the files of `deploy` as they are shipped. A
//! client that guesses passwords locks out only its own address, whatever address it claims to
//! have.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portcullis_issuer::{Issuer, IssuerConfig, NewUser};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use crate::proxy::{Kind, Proxy};

const PASSWORD: &str = "correct horse battery staple";

/// The address of one client. On Linux, all of 127.0.0.0/8 is loopback, so each of the clients has
/// its own address.
const STRANGER: [u8; 4] = [127, 0, 77, 1];
const ALICE: [u8; 4] = [127, 0, 77, 2];

/// Starts an issuer with its default settings, except for the header that its proxy sets.
async fn issuer(folder: &tempfile::TempDir) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let database = folder.path().join("identsphere.db");
    let mut config = IssuerConfig::new("https://auth.example.com", database);
    config.client_address_header = Some("x-forwarded-for".parse().unwrap());
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    tokio::spawn(async move { issuer.serve(listener, std::future::pending()).await });
    address
}

/// Returns a client at this address.
fn client(proxy: &Proxy, address: [u8; 4]) -> Client {
    let builder = Client::builder().local_address(IpAddr::from(address));
    proxy.trusted_by(builder).timeout(Duration::from_secs(60)).build().unwrap()
}

async fn login(proxy: &Proxy, client: &Client, name: &str, claimed: &str) -> StatusCode {
    let answer = client
        .post(format!("{}/v1/auth/login", proxy.issuer_url()))
        .header("content-type", "application/json")
        .header("x-forwarded-for", claimed)
        .body(json!({ "username": name, "password": PASSWORD }).to_string());
    answer.send().await.unwrap().status()
}

async fn stranger_locks_out_only_their_own_address(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::in_front_of_issuer(kind, issuer(&folder).await);
    let (stranger, alice) = (client(&proxy, STRANGER), client(&proxy, ALICE));
    let victim = IpAddr::from(ALICE).to_string();
    // These attempts reach the limit of an address; no account is tried twice.
    for number in 0..200 {
        let name = format!("guess-{number}");
        assert_eq!(login(&proxy, &stranger, &name, &victim).await, StatusCode::UNAUTHORIZED);
    }
    // The limit applies to a window of 5 minutes, so some attempts have become available again in
    // the meantime.
    let mut more = 0;
    while login(&proxy, &stranger, "bob", &victim).await == StatusCode::UNAUTHORIZED {
        more += 1;
        assert!(more < 100, "the stranger is not locked out");
    }
    let locked_out = login(&proxy, &stranger, "carol", &victim).await;
    assert_eq!(locked_out, StatusCode::TOO_MANY_REQUESTS);
    let claimed = IpAddr::from(STRANGER).to_string();
    assert_eq!(login(&proxy, &alice, "alice", &claimed).await, StatusCode::OK);
    // The stranger stays locked out with any other claimed address.
    let locked_out = login(&proxy, &stranger, "carol", "192.0.2.1").await;
    assert_eq!(locked_out, StatusCode::TOO_MANY_REQUESTS);
}

/// The proxy passes the issuer's documents on unchanged.
async fn discovery_and_keys_pass(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::in_front_of_issuer(kind, issuer(&folder).await);
    let client = client(&proxy, ALICE);
    let get = async |path: &str| {
        let answer = client.get(format!("{}{path}", proxy.issuer_url())).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(answer.headers().contains_key("strict-transport-security"), "{path}");
        let cached = answer.headers().get("cache-control").cloned();
        let body = answer.bytes().await.unwrap();
        (cached, serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let (_, metadata) = get("/.well-known/openid-configuration").await;
    assert_eq!(metadata["issuer"], "https://auth.example.com");
    let (cached, keys) = get("/.well-known/jwks.json").await;
    assert!(cached.unwrap().to_str().unwrap().contains("max-age=300"));
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

/// The operators' routes are refused, however the client spells their path.
async fn operators_routes_are_forbidden(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::in_front_of_issuer(kind, issuer(&folder).await);
    let client = client(&proxy, ALICE);
    for path in [
        "/v1/admin/users",
        "/v1/%61dmin/users",
        "//v1/admin/users",
        "/v1/admin",
        "/v1/audit",
        "/healthz",
        "/readyz",
    ] {
        let answer = client.get(format!("{}{path}", proxy.issuer_url())).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

mod nginx {
    use super::Kind;

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs nginx: run cargo xtask test"]
    async fn stranger_locks_out_only_their_own_address() {
        super::stranger_locks_out_only_their_own_address(Kind::Nginx).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs nginx: run cargo xtask test"]
    async fn discovery_and_keys_pass() {
        super::discovery_and_keys_pass(Kind::Nginx).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs nginx: run cargo xtask test"]
    async fn operators_routes_are_forbidden() {
        super::operators_routes_are_forbidden(Kind::Nginx).await;
    }
}

mod caddy {
    use super::Kind;

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs Caddy: run cargo xtask test"]
    async fn stranger_locks_out_only_their_own_address() {
        super::stranger_locks_out_only_their_own_address(Kind::Caddy).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs Caddy: run cargo xtask test"]
    async fn discovery_and_keys_pass() {
        super::discovery_and_keys_pass(Kind::Caddy).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs Caddy: run cargo xtask test"]
    async fn operators_routes_are_forbidden() {
        super::operators_routes_are_forbidden(Kind::Caddy).await;
    }
}
