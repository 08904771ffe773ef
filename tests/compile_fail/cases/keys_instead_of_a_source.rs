//! A key set instead of a key source.

use portcullis::{Authenticator, keys::KeySet};

fn case() {
    let _ = Authenticator::builder("https://auth.example", "https://api.example")
        .key_source(KeySet::default());
}
