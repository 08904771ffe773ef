//! A custom HTTP client that does not implement `Fetch`.

use portcullis::Authenticator;

#[derive(Debug)]
struct OwnClient;

fn case() {
    let _ = Authenticator::builder("https://auth.example", "https://api.example").fetch(OwnClient);
}
