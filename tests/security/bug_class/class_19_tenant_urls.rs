//! Server-side request forgery: a tenant chooses the URL of its keys, and so makes this service
//! connect to hosts that only this service can reach. Examples: CVE-2019-5464, CVE-2021-22175,
//! and attacks on cloud metadata services.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis::config::IssuerResolver;
use portcullis::fetch::{Fetch, FetchError, FetchRequest, RefusedAddress, ReqwestFetch};
use portcullis::keys::{RemoteKeySet, SharedKeySet};
use portcullis::testing::{Answer, ManualClock, ScriptedFetch, ScriptedNames, TestKey};
use portcullis::{Algorithm, Authenticator, Gate, IssuerSettings, Revocation};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, NOW, bearer, claims, rule};

/// Hosts that are not public, in every spelling that a URL parser or a resolver accepts.
const HOSTILE: [&str; 50] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7F.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0x0.1",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "0.0.0.0",
    "0",
    "0x0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "tenant.localhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::1]",
    "[2002:a00:1::1]",
    "[2001:0:a00:1::1]",
    "[fe80::1%25eth0]",
    "[fe80::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.1.1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "100.64.0.1",
    "100.100.100.200",
    "224.0.0.1",
    "255.255.255.255",
];

/// Hostile addresses as DNS results.
const HOSTILE_ADDRESSES: [&str; 21] = [
    "127.0.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:10.0.0.1",
    "::10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:a00:1::1",
    "fd00:ec2::254",
    "fd00::1",
    "fe80::1",
];

/// A public address. A scripted name with this address leads to this machine.
const PUBLIC: &str = "8.8.8.8";

/// A server on all addresses of this machine, which counts the connections.
struct Server {
    port: u16,
    peers: Receiver<SocketAddr>,
}

impl Server {
    fn with(answer: String) -> Self {
        let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
        let listener = listener.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, peers) = channel();
        std::thread::spawn(move || {
            while let Ok((mut stream, peer)) = listener.accept() {
                if sender.send(peer).is_err() {
                    return;
                }
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, peers }
    }

    fn of_keys(key: &TestKey) -> Self {
        let body = TestKey::jwks([key]).to_string();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
        Self::with(format!("{head}: {}\r\n\r\n{body}", body.len()))
    }

    /// Returns the number of connections since the last call. The method makes a connection of its
    /// own, and counts all connections that came before.
    fn connections(&self) -> usize {
        let own = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let own = own.local_addr().unwrap().port();
        self.peers.iter().take_while(|peer| peer.port() != own).count()
    }
}

/// A resolver over settings that a tenant chose.
#[derive(Clone)]
struct Tenant(Arc<Mutex<IssuerSettings>>);

impl IssuerResolver for Tenant {
    fn resolve(&self, _: &str) -> Option<IssuerSettings> {
        Some(self.0.lock().unwrap().clone())
    }
}

async fn auth_at(clock: ManualClock, settings: IssuerSettings) -> Authenticator {
    let tenant = Tenant(Arc::new(Mutex::new(settings)));
    let builder = Authenticator::builder_with_resolver(tenant).clock(clock);
    builder.token_cache_bytes(0).build().await.unwrap()
}

async fn auth(settings: IssuerSettings) -> Authenticator {
    auth_at(ManualClock::at(NOW), settings).await
}

fn tenant() -> IssuerSettings {
    IssuerSettings::new(ISSUER, AUDIENCE).without_background_refresh()
}

/// Why the last fetch of the tenant's keys failed.
fn last_error(auth: &Authenticator) -> Option<FetchError> {
    auth.status().pop()?.keys?.last_error
}

/// Asserts that the token is rejected because the address is not public: either the settings are
/// invalid, or the fetch fails.
async fn assert_refused(auth: &Authenticator, token: &str, url: &str) {
    match rule(auth, token).await {
        "keys_unavailable" => {
            let error = format!("{:?}", last_error(auth).unwrap());
            assert!(error.contains("allow_private_host"), "{url}: {error}");
        }
        // The text is not a URL, or is plain http to another host.
        rule => assert_eq!(rule, "iss", "{url}"),
    }
}

#[tokio::test]
async fn hostile_url_from_a_resolver_causes_no_connection() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (server, token) = (Server::of_keys(&key), key.token(&claims()));
    for host in HOSTILE {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}:{}/keys", server.port);
            assert_refused(&auth(tenant().jwks_url(&url)).await, &token, &url).await;
            assert_refused(&auth(tenant().discovery_url(&url)).await, &token, &url).await;
            // The URL is that of the issuer itself.
            let by_issuer = IssuerSettings::new(&url, AUDIENCE).without_background_refresh();
            let mut claims = claims();
            claims["iss"] = json!(url);
            assert_refused(&auth(by_issuer).await, &key.token(&claims), &url).await;
        }
    }
    assert_eq!(server.connections(), 0);
}

/// This test also proves that the server counts connections. The other tests rely on the count.
#[tokio::test]
async fn only_the_allowed_private_host_is_connected_to() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (server, token) = (Server::of_keys(&key), key.token(&claims()));
    for (host, allowed, connections) in [
        ("127.0.0.1", "127.0.0.1", 1),
        ("0x7f.1", "127.0.0.1", 1),
        ("localhost", "LOCALHOST", 1),
        ("127.0.0.1", "127.0.0.2", 0),
        ("127.0.0.1", "localhost", 0),
        ("localhost", "127.0.0.1", 0),
    ] {
        let url = format!("http://{host}:{}/keys", server.port);
        let auth = auth(tenant().jwks_url(&url).allow_private_host(allowed)).await;
        let expected = if connections > 0 { "accepted" } else { "keys_unavailable" };
        assert_eq!(rule(&auth, &token).await, expected, "{host}, {allowed} is allowed");
        assert_eq!(server.connections(), connections, "{host}, {allowed} is allowed");
    }
    // Invalid settings are not used.
    let auth = auth(tenant().allow_private_host("http://localhost/")).await;
    assert_eq!(rule(&auth, &token).await, "iss");
}

/// The operator's own URLs may lead to any address.
#[tokio::test]
async fn configured_issuer_is_not_limited() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let server = Server::of_keys(&key);
    let url = format!("http://127.0.0.1:{}/keys", server.port);
    let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(url);
    let auth = builder.clock(ManualClock::at(NOW)).build().await.unwrap();
    assert_eq!(rule(&auth, &key.token(&claims())).await, "accepted");
    assert_eq!(server.connections(), 1);
}

fn addresses<const N: usize>(addresses: [&str; N]) -> [IpAddr; N] {
    addresses.map(|address| address.parse().unwrap())
}

/// Returns settings with keys at the host `name`, over plain http, so that the server does not need
/// TLS.
fn at(name: &str, server: &Server) -> IssuerSettings {
    tenant().jwks_url(format!("http://{name}:{}/keys", server.port)).allow_http_host(name)
}

#[tokio::test]
async fn name_that_resolves_to_a_hostile_address_causes_no_connection() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (server, token) = (Server::of_keys(&key), key.token(&claims()));
    for (number, address) in HOSTILE_ADDRESSES.into_iter().enumerate() {
        // The hostile address is returned alone, or before or after a public one: the choice of the
        // address must not be left to chance.
        for (order, answer) in
            [vec![address], vec![PUBLIC, address], vec![address, PUBLIC]].into_iter().enumerate()
        {
            let name = format!("hostile-{number}-{order}.tenant.example");
            let answer = answer.iter().map(|address| address.parse().unwrap());
            ScriptedNames::set(&name, [answer.collect::<Vec<IpAddr>>()]);
            let auth = auth(at(&name, &server)).await;
            assert_eq!(rule(&auth, &token).await, "keys_unavailable", "{address}");
            let error = format!("{:?}", last_error(&auth).unwrap());
            for named in [&name, "allow_private_host"] {
                assert!(error.contains(named), "{error}");
            }
            assert_eq!(ScriptedNames::lookups(&name), 1);
            // The response to the client contains neither the name nor the address.
            let refusal = auth.authenticate(&bearer(&token)).await.unwrap_err();
            let response = format!("{:?}", refusal.into_response::<String>());
            assert!(!response.contains("tenant.example") && !response.contains(address));
        }
    }
    assert_eq!(server.connections(), 0);
    let name = "hostile-allowed.tenant.example";
    ScriptedNames::set(name, [addresses(["10.0.0.1"])]);
    let allowed = at(name, &server).allow_private_host("other.tenant.example");
    assert_eq!(rule(&auth(allowed).await, &token).await, "keys_unavailable");
    assert_eq!(server.connections(), 0);
}

/// DNS rebinding: the name is public when it is checked, and private when it is connected to.
#[tokio::test]
async fn name_that_becomes_private_causes_no_second_connection() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (server, token) = (Server::of_keys(&key), key.token(&claims()));
    for (number, address) in HOSTILE_ADDRESSES.into_iter().enumerate() {
        let name = format!("rebinding-{number}.tenant.example");
        ScriptedNames::set(&name, [addresses([PUBLIC]), addresses([address])]);
        let clock = ManualClock::at(NOW);
        let auth = auth_at(clock.clone(), at(&name, &server)).await;
        assert_eq!(rule(&auth, &token).await, "accepted");
        assert_eq!((server.connections(), ScriptedNames::lookups(&name)), (1, 1));
        clock.advance(Duration::from_secs(1));
        for lookups in [2, 3] {
            let error = auth.refresh().await.unwrap_err();
            assert!(matches!(error, FetchError::AddressRefused { .. }), "{error}");
            assert_eq!((server.connections(), ScriptedNames::lookups(&name)), (0, lookups));
        }
    }
}

#[tokio::test]
async fn redirect_to_a_hostile_address_is_not_followed() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let inner = Server::of_keys(&key);
    let to = format!("location: http://127.0.0.1:{}/keys", inner.port);
    let head = "connection: close\r\ncontent-length: 0\r\n\r\n";
    let outer = Server::with(format!("HTTP/1.1 302 Found\r\n{to}\r\n{head}"));
    let name = "redirects.tenant.example";
    ScriptedNames::set(name, [addresses([PUBLIC])]);
    let auth = auth(at(name, &outer)).await;
    assert_eq!(rule(&auth, &key.token(&claims())).await, "keys_unavailable");
    assert!(matches!(last_error(&auth), Some(FetchError::Redirect { .. })));
    assert_eq!((outer.connections(), inner.connections()), (1, 0));
}

/// A custom client is not called for a URL that is evidently private. The URLs are those of keys,
/// of metadata, in metadata, of status lists and of introspection.
#[tokio::test]
async fn custom_client_receives_no_hostile_url() {
    const METADATA: &str = "https://issuer.example/.well-known/openid-configuration";
    let key = TestKey::generate("k", Algorithm::Es256);
    let given = || tenant().key_source(SharedKeySet::new(TestKey::key_set([&key])));
    let token = key.token(&claims());
    for host in HOSTILE {
        let fetch = ScriptedFetch::default();
        let url = format!("https://{host}/x");
        let asked = |but: usize| assert_eq!(fetch.requests().len(), but, "{url}");
        assert_refused(&auth(tenant().jwks_url(&url).fetch(fetch.clone())).await, &token, &url)
            .await;
        asked(0);
        let metadata = json!({"issuer": ISSUER, "jwks_uri": url});
        fetch.set(METADATA, Answer::ok(metadata));
        let discovered = auth(tenant().discovery_url(METADATA).fetch(fetch.clone())).await;
        assert_eq!(rule(&discovered, &token).await, "keys_unavailable");
        asked(1);
        let mut claims = claims();
        claims["status"] = json!({"status_list": {"idx": 0, "uri": url}});
        let listed =
            auth(given().status_lists(format!("https://{host}/")).fetch(fetch.clone())).await;
        let gate = Gate::new(listed).revocation(Revocation::status_list(Duration::from_secs(60)));
        assert!(gate.unwrap().authenticate(&bearer(&key.token(&claims))).await.is_err(), "{url}");
        asked(1);
        let live = auth(given().introspection_url(&url).fetch(fetch.clone())).await;
        let gate = Gate::new(live).revocation(Revocation::live()).unwrap();
        assert!(gate.authenticate(&bearer(&token)).await.is_err(), "{url}");
        assert_eq!(fetch.posts().len(), 0, "{url}");
    }
}

/// The default client can be used alone, for URLs that the application fetches.
#[tokio::test]
async fn public_addresses_only_client_rejects_other_addresses() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let server = Server::of_keys(&key);
    let fetch = ReqwestFetch::public_addresses_only().unwrap();
    let get = async |fetch: &ReqwestFetch, host: &str| {
        let url = format!("http://{host}:{}/keys", server.port);
        let posted = fetch.post(FetchRequest::new(&url, 1000), "a=b".into()).await;
        let got = fetch.get(FetchRequest::new(&url, 1000)).await;
        assert_eq!(posted.is_ok(), got.is_ok(), "{host}");
        got
    };
    for host in HOSTILE {
        let error = get(&fetch, host).await.unwrap_err();
        // One of the hosts does not form a URL.
        assert!(error.is::<RefusedAddress>() || host.contains('%'), "{host}: {error}");
    }
    let name = "alone.tenant.example";
    ScriptedNames::set(name, [addresses(["10.0.0.1"])]);
    let mut cause = get(&fetch, name).await.unwrap_err().source().map(ToString::to_string);
    assert!(cause.take().is_some_and(|_| ScriptedNames::lookups(name) == 2));
    assert_eq!(server.connections(), 0);
    let allowing = fetch.clone().allow_private_host("127.0.0.1").unwrap();
    assert!(get(&allowing, "127.0.0.1").await.is_ok());
    assert_eq!(server.connections(), 2);
    assert!(fetch.allow_private_host("127.0.0.1:80").is_err());
}

/// A separate key set for a URL that a tenant chose.
#[tokio::test]
async fn shared_key_set_with_public_addresses_only_rejects_other_addresses() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let server = Server::of_keys(&key);
    let set = || RemoteKeySet::at(format!("http://127.0.0.1:{}/keys", server.port));
    let refused = set().public_addresses_only().build().await.unwrap_err();
    assert!(format!("{refused:?}").contains("allow_private_host"), "{refused:?}");
    assert_eq!(server.connections(), 0);
    let allowed = set().public_addresses_only().allow_private_host("127.0.0.1");
    assert!(allowed.build().await.is_ok());
    // The operator's own key set may be at any address.
    assert!(set().build().await.is_ok());
}
