//! A scope name instead of a policy.

use portcullis_axum::RequireLayer;

fn case() {
    let _ = RequireLayer::new("orders:read");
}
