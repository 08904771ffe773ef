//! Runs the proxies' configurations in `deploy` on loopback ports, with certificates that the tests
//! create.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use portcullis_test_support::private_ca;
use reqwest::{Certificate, ClientBuilder};
use tempfile::TempDir;

use crate::proxy::{Kind, Proxy, caddy, free_address, nginx};

const NGINX: &str = include_str!("../../../deploy/nginx/issuer.conf");
const HEADERS: &str = include_str!("../../../deploy/nginx/issuer-headers.conf");
const COMPOSE_NGINX: &str = include_str!("../../../deploy/compose/nginx.conf");
const CADDY: &str = include_str!("../../../deploy/caddy/Caddyfile");

/// The host name in the shipped files.
const HOST: &str = "auth.example.com";

/// Returns the text with each of the pairs replaced. Asserts that the text contains all of them.
fn changed(text: &str, pairs: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in pairs {
        assert!(text.contains(from), "there is no {from}");
        text = text.replace(from, to);
    }
    text
}

/// Writes nginx's files to the folder, under the names in the shipped configuration. Returns the CA
/// certificate.
fn nginx_files(folder: &Path, recipe: &str, names: &[&str]) -> String {
    let made = private_ca::certificate(names);
    fs::write(folder.join("proxy.crt"), made.certificate).unwrap();
    fs::write(folder.join("proxy.key"), made.key).unwrap();
    fs::write(folder.join("issuer-headers.conf"), HEADERS).unwrap();
    fs::write(folder.join("recipe"), recipe).unwrap();
    made.authority
}

fn issuer_recipe(folder: &Path, address: &str, redirect: &str, issuer: &str) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    changed(
        NGINX,
        &[
            ("listen 443 ssl", &format!("listen {address} ssl")),
            ("listen 80;", &format!("listen {redirect};")),
            ("/etc/nginx/certificates/auth.example.com.crt", &file("proxy.crt")),
            ("/etc/nginx/certificates/auth.example.com.key", &file("proxy.key")),
            ("/etc/nginx/issuer-headers.conf", &file("issuer-headers.conf")),
            ("/var/log/nginx/issuer.log", &file("api.log")),
            ("127.0.0.1:8080", issuer),
        ],
    )
}

impl Proxy {
    /// Starts the proxy with its shipped configuration, in front of an issuer.
    pub(crate) fn in_front_of_issuer(kind: Kind, issuer: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, issuer) = (free_address(), issuer.to_string());
        match kind {
            Kind::Nginx => {
                let redirect = free_address().to_string();
                let recipe = issuer_recipe(folder.path(), &address.to_string(), &redirect, &issuer);
                let authority = nginx_files(folder.path(), &recipe, &[HOST]);
                fs::write(folder.path().join("authority.crt"), authority).unwrap();
                let command = nginx(folder.path());
                Self::run(kind, command, folder, address)
            }
            // Caddy would get its certificate from a CA on the Internet, so this test runs it
            // without TLS.
            Kind::Caddy => {
                let log = folder.path().join("api.log").display().to_string();
                let pairs = [
                    // Without `bind`, Caddy listens on all addresses, and the port may be taken on one.
                    (
                        "auth.example.com {",
                        &*format!("http://{address} {{\n\tbind {}", address.ip()),
                    ),
                    ("/var/log/caddy/issuer.log", &log),
                    ("127.0.0.1:8080", &issuer),
                ];
                fs::write(folder.path().join("recipe"), changed(CADDY, &pairs)).unwrap();
                let command = caddy(folder.path());
                Self::run(kind, command, folder, address)
            }
            Kind::Envoy => panic!("deploy has no configuration for Envoy"),
        }
    }

    /// Returns the URL at which clients reach the issuer.
    pub(crate) fn issuer_url(&self) -> String {
        match self.kind {
            Kind::Nginx => format!("https://{HOST}:{}", self.address.port()),
            Kind::Caddy | Kind::Envoy => format!("http://{}", self.address),
        }
    }

    /// Configures a client that resolves the issuer's name to this proxy and trusts its
    /// certificate.
    pub(crate) fn trusted_by(&self, client: ClientBuilder) -> ClientBuilder {
        if self.kind != Kind::Nginx {
            return client;
        }
        let authority = fs::read(self.folder().join("authority.crt")).unwrap();
        client
            .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
            .resolve(HOST, self.address)
    }
}

fn succeeds(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{command:?} could not be started ({error}): run cargo xtask test");
    });
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{told}");
    told
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn nginx_accepts_the_shipped_files_without_a_warning() {
    let test = |folder: &TempDir| {
        let told = succeeds(nginx(folder.path()).arg("-t"));
        assert!(!told.contains("[warn]"), "{told}");
    };
    let folder = tempfile::tempdir().unwrap();
    let recipe = issuer_recipe(folder.path(), "127.0.0.1:8443", "127.0.0.1:8081", "127.0.0.1:8080");
    nginx_files(folder.path(), &recipe, &[HOST]);
    test(&folder);

    // The second configuration is that of Compose. The names of its containers have no address on
    // this machine.
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let recipe = changed(
        COMPOSE_NGINX,
        &[
            ("/etc/nginx/certificates/localhost.crt", &file("proxy.crt")),
            ("/etc/nginx/certificates/localhost.key", &file("proxy.key")),
            ("/etc/nginx/issuer-headers.conf", &file("issuer-headers.conf")),
            ("/var/log/nginx/access.log", &file("api.log")),
            ("server issuer:8080;", "server 127.0.0.1:8080;"),
            ("http://api:3000", "http://127.0.0.1:3000"),
        ],
    );
    nginx_files(folder.path(), &recipe, &["auth.localhost", "api.localhost"]);
    test(&folder);
}

#[test]
#[ignore = "needs Caddy: run cargo xtask test"]
fn caddy_validates_the_shipped_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("api.log").display().to_string();
    let file = changed(CADDY, &[("/var/log/caddy/issuer.log", &log)]);
    fs::write(folder.path().join("Caddyfile"), &file).unwrap();
    let mut command = Command::new(crate::proxy::named("PORTCULLIS_CADDY", "caddy"));
    command.args(["validate", "--config", "Caddyfile", "--adapter", "caddyfile"]);
    for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(variable, folder.path());
    }
    succeeds(command.current_dir(folder.path()));
}
