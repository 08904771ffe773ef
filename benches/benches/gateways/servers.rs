//! The measured servers, all on core 0.

use std::env;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use portcullis::Authenticator;
use portcullis::keys::{KeySet, SharedKeySet};
use portcullis_axum::{AuthLayer, SharedClaims};
use portcullis_benches::scenario::{AUDIENCE, CACHE, Claims, ISSUER, at_once};
use portcullis_benches::service;
use serde_json::{Value, json};

const ENVOY: &str = include_str!("envoy.yaml");
const ENVOY_VERSION: &str =
    include_str!("../../../tests/interop/third_party/envoy/requirements.txt");
const SPRING: &str = include_str!("spring/pom.xml");

/// A cache that has no token when the token is sent again.
const TINY_CACHE: usize = 64 * 1024;

/// A running server.
#[derive(Debug)]
pub(crate) enum Server {
    Own(service::Server),
    Envoy(Foreign),
    Spring(Foreign),
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Own(server) => server.address().parse().unwrap(),
            Self::Envoy(server) | Self::Spring(server) => server.address,
        }
    }
}

/// A program of others, which ends with this one.
#[derive(Debug)]
pub(crate) struct Foreign {
    child: Child,
    address: SocketAddr,
}

impl Foreign {
    /// Starts a program on core 0, and waits until it listens at `address`.
    fn start(program: PathBuf, address: SocketAddr, set: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "taskset", "--cpu-list", "0"]).arg(program);
        set(&mut command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(server.child.try_wait().unwrap().is_none(), "{command:?} has ended");
            assert!(begun.elapsed() < Duration::from_secs(120), "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Servers {
    unprotected: Server,
    warm: Server,
    evicting: Server,
    cold: Server,
    envoy_caching: Server,
    envoy: Server,
    /// `None` without Maven and Java.
    spring: Option<Server>,
    pub(crate) versions: String,
}

impl Servers {
    pub(crate) fn start(jwk: &Value) -> Self {
        let own = |mode: &str| Server::Own(service::Server::start(mode, &jwk.to_string()));
        let unprotected = own("unprotected");
        let cache = "jwt_cache_config: {jwt_cache_size: 100}";
        let spring = env::var_os("PORTCULLIS_SPRING").map(|jar| spring(jar.into(), jwk));
        let mut versions = first_line(Command::new(envoy_program()).arg("--version"));
        if spring.is_some() {
            versions = format!("{versions}; {}", first_line(Command::new("java").arg("--version")));
        }
        Self {
            warm: own("warm"),
            evicting: own("evicting"),
            cold: own("cold"),
            envoy_caching: envoy(&unprotected, jwk, cache),
            envoy: envoy(&unprotected, jwk, ""),
            unprotected,
            spring,
            versions: format!("Versions: {versions}."),
        }
    }

    pub(crate) fn with_one_token(&self) -> Vec<(String, Option<&Server>)> {
        self.rows(&self.warm, "portcullis, warm", "portcullis, cold")
    }

    pub(crate) fn with_many_tokens(&self) -> Vec<(String, Option<&Server>)> {
        let [on, off] = ["portcullis, new tokens, cache on", "portcullis, new tokens, cache off"];
        self.rows(&self.evicting, on, off)
    }

    fn rows<'s>(
        &'s self,
        caching: &'s Server,
        cache_on: &str,
        cache_off: &str,
    ) -> Vec<(String, Option<&'s Server>)> {
        let version = ENVOY_VERSION.trim().rsplit('=').next().unwrap();
        let envoy = |cache| format!("Envoy {version} before the app, its token cache {cache}");
        vec![
            ("unprotected".to_owned(), Some(&self.unprotected)),
            (cache_on.to_owned(), Some(caching)),
            (cache_off.to_owned(), Some(&self.cold)),
            (envoy("on"), Some(&self.envoy_caching)),
            (envoy("off"), Some(&self.envoy)),
            (spring_name(), self.spring.as_ref()),
        ]
    }
}

fn spring_name() -> String {
    let (_, version) = SPRING.split_once("starter-parent</artifactId>").unwrap();
    let (_, version) = version.split_once("<version>").unwrap();
    let (version, _) = version.split_once('<').unwrap();
    format!("Spring Boot {version}, resource server")
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find(|line| !line.is_empty()).unwrap_or_default().trim().to_owned()
}

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn envoy_program() -> PathBuf {
    env::var_os("PORTCULLIS_ENVOY").map_or_else(|| "envoy".into(), PathBuf::from)
}

fn envoy(app: &Server, jwk: &Value, cache: &str) -> Server {
    let address = free();
    let config = ENVOY
        .replace("LISTEN", &address.port().to_string())
        .replace("APP", &app.address().port().to_string())
        .replace("ISSUER", ISSUER)
        .replace("AUDIENCE", AUDIENCE)
        .replace("KEYS", &json!({"keys": [jwk]}).to_string())
        .replace("# CACHE", cache);
    Server::Envoy(Foreign::start(envoy_program(), address, |command| {
        // Two Envoys on one machine must not share memory, for which they need different ids.
        command.args(["--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id"]);
        command.arg("--config-yaml").arg(config);
    }))
}

fn spring(jar: PathBuf, jwk: &Value) -> Server {
    let address = free();
    Server::Spring(Foreign::start("java".into(), address, |command| {
        command.arg("-jar").arg(jar);
        command.env("SERVER_PORT", address.port().to_string());
        command.env("KEYS", service::serve_keys(jwk));
        command.env("ISSUER", ISSUER).env("AUDIENCE", AUDIENCE);
    }))
}

/// Serves the app, unprotected or protected, until the standard input ends.
pub(crate) fn serve(mode: &str, jwk: &Value) {
    service::serve(match mode {
        "warm" => protected(jwk, CACHE),
        "evicting" => protected(jwk, TINY_CACHE),
        "cold" => protected(jwk, 0),
        _ => service::bare(),
    });
}

fn protected(jwk: &Value, token_cache: usize) -> Router {
    let keys = KeySet::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(SharedKeySet::new(keys));
    let auth = at_once(builder.token_cache_bytes(token_cache).build()).unwrap();
    let handler = |SharedClaims(user): SharedClaims<Claims>| async move {
        std::hint::black_box(&*user);
        "fine"
    };
    Router::new().route("/", get(handler)).layer(AuthLayer::new(auth))
}
