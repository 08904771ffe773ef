//! A set of keys in the place of a source of keys.

use portcullis::{Authenticator, keys::KeySet};

fn case() {
    let _ = Authenticator::builder("https://auth.example", "https://api.example")
        .key_source(KeySet::default());
}
