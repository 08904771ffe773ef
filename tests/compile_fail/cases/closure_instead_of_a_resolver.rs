//! A closure instead of a resolver.

use portcullis::{Authenticator, IssuerSettings};

fn case() {
    let _ = Authenticator::builder("https://auth.example", "https://api.example")
        .issuer_resolver(|issuer: &str| Some(IssuerSettings::new(issuer, "https://api.example")));
}
