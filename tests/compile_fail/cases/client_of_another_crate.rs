//! An HTTP client of the application's own.

use portcullis::Authenticator;

#[derive(Debug)]
struct Client;

fn case() {
    let _ = Authenticator::builder("https://auth.example", "https://api.example").fetch(Client);
}
