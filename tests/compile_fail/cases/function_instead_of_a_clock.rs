//! A function instead of a clock.

use std::time::SystemTime;

use portcullis::Authenticator;

fn case() {
    let _ = Authenticator::builder("https://auth.example", "https://api.example")
        .clock(SystemTime::now);
}
