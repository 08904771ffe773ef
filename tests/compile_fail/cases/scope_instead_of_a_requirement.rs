//! The name of a scope in the place of a policy.

use portcullis_axum::RequireLayer;

fn case() {
    let _ = RequireLayer::new("orders:read");
}
