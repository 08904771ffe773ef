//! Checks that no crate has a forbidden dependency, which its users would have to build. Other web
//! frameworks, the issuer's database and password hash, and jsonwebtoken (except in its adapter)
//! are forbidden. Without default features, an HTTP client and TLS are forbidden, too.

use crate::run::{Failure, cargo, output};

/// The rules: a package, its features, and the forbidden dependencies. `actix` forbids the crate
/// `actix` and every crate whose name begins with `actix-`.
const RULES: [(&str, &str, &[&str]); 19] = [
    // The benchmarks compare the core with jsonwebtoken.
    ("portcullis", "--all-features", &["jsonwebtoken"]),
    ("portcullis", "--all-features", FRAMEWORKS),
    // h2 0.3 has an advisory, so applications must opt in to HTTP/2.
    ("portcullis-actix", "--all-features", &["h2"]),
    ("portcullis-tower", "--all-features", FRAMEWORKS),
    ("portcullis-hyper", "--all-features", FRAMEWORKS),
    ("portcullis-jsonwebtoken", "--all-features", FRAMEWORKS),
    // The application chooses one of these crypto backends of jsonwebtoken.
    ("portcullis-jsonwebtoken", "--all-features", &["ed25519-dalek", "hmac", "p256", "rsa"]),
    // Neither store may depend on the core's HTTP client, the issuer's database or a second TLS library.
    ("portcullis-postgres", "--no-default-features", STORES),
    ("portcullis-redis", "--no-default-features", STORES),
    ("portcullis", "--no-default-features", CLIENTS),
    ("portcullis", "--no-default-features", C),
    ("portcullis-graviola", "--all-features", C),
    ("portcullis-actix", "--no-default-features", CLIENTS),
    ("portcullis-axum", "--no-default-features", CLIENTS),
    ("portcullis-hyper", "--no-default-features", CLIENTS),
    ("portcullis-tower", "--no-default-features", CLIENTS),
    ("portcullis-issuer-client", "--all-features", &["argon2", "axum", "portcullis", "sqlx"]),
    ("portcullis-sidecar", "--all-features", &["argon2", "portcullis-issuer", "sqlx"]),
    ("portcullis-cli", "--no-default-features", &["argon2", "axum", "portcullis-issuer", "sqlx"]),
];

const FRAMEWORKS: &[&str] = &["actix", "axum", "poem", "rocket", "tonic", "warp"];

/// Dependencies that a revocation store must not have.
const STORES: &[&str] = &[
    "actix",
    "axum",
    "hyper",
    "jsonwebtoken",
    "native-tls",
    "openssl-sys",
    "reqwest",
    "ring",
    "sqlx",
];

/// Cryptography that needs a C compiler.
const C: &[&str] = &["aws-lc", "cc", "openssl", "openssl-sys", "ring"];

/// HTTP clients and TLS.
const CLIENTS: &[&str] = &[
    "hyper-rustls",
    "native-tls",
    "openssl",
    "quinn",
    "reqwest",
    "rustls",
    "tokio-rustls",
    "webpki",
];

/// Fails for every forbidden dependency of a package, on any platform.
pub(crate) fn check() -> Result<(), Failure> {
    let mut broken = Vec::new();
    for (package, features, forbidden) in RULES {
        let tree = output(&mut cargo(&[
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            features,
            "--target",
            "all",
        ]))?;
        let found = among(forbidden, &tree);
        if found.is_empty() {
            println!("{package} {features}: no {}", forbidden.join(", "));
        } else {
            broken.push(format!(
                "{package} must not depend on {} (`cargo tree -p {package} -e normal -i {}` shows why it does)",
                found.join(", "),
                found.first().unwrap_or(&""),
            ));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::new(broken.join("\n"))) }
}

/// Returns the forbidden crates in the output of `cargo tree --prefix none`, without the package itself.
fn among<'t>(forbidden: &[&str], tree: &'t str) -> Vec<&'t str> {
    let mut found: Vec<&str> = tree
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| forbidden.iter().any(|forbidden| is_called(name, forbidden)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn is_called(name: &str, forbidden: &str) -> bool {
    name.strip_prefix(forbidden).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_without_a_framework_passes() {
        let tree = "portcullis v0.1.0 (/src/crates/portcullis)\n\
                    reqwest v0.13.5\n\
                    hyper v1.12.0\n\
                    tower-http v0.6.8\n\
                    axumatic v1.0.0\n\
                    hyper v1.12.0 (*)\n";
        assert_eq!(among(FRAMEWORKS, tree), Vec::<&str>::new());
    }

    #[test]
    fn http_client_and_tls_are_found() {
        let tree = "portcullis-axum v0.1.0 (/src/crates/portcullis-axum)\n\
                    hyper v1.12.0\n\
                    rustls-webpki v0.103.8\n\
                    reqwest v0.13.5\n\
                    webpki-root-certs v1.0.4\n";
        assert_eq!(among(CLIENTS, tree), ["reqwest", "rustls-webpki", "webpki-root-certs"]);
    }

    #[test]
    fn package_is_not_its_own_dependency() {
        let tree = "portcullis-issuer-client v0.1.0\nsqlx-core v0.9.0\nportcullis v0.1.0\n";
        assert_eq!(among(&["portcullis", "sqlx"], tree), ["portcullis", "sqlx-core"]);
    }

    #[test]
    fn every_framework_in_a_tree_is_reported_once() {
        let tree = "portcullis v0.1.0 (/src/crates/portcullis)\n\
                    tonic v0.14.2\n\
                    axum v0.8.9\n\
                    axum-core v0.5.6\n\
                    actix-web v4.13.0\n\
                    actix-http v3.11.2\n\
                    axum-core v0.5.6 (*)\n\
                    http v1.5.0\n";
        assert_eq!(
            among(FRAMEWORKS, tree),
            ["actix-http", "actix-web", "axum", "axum-core", "tonic"]
        );
    }
}
