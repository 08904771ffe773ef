//! Serves the built page, with a content security policy.

use std::error::Error;
use std::fs;
use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::get;

/// What Vite builds.
const BUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page/dist");

/// Creates the router of the page, which may call these two origins only.
pub(crate) fn router(issuer: &str, api: &str) -> Result<Router, Box<dyn Error>> {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
         connect-src {issuer} {api}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy)?;
    let built = Path::new(BUILT);
    let index = fs::read(built.join("index.html")).map_err(|error| {
        format!(
            "{BUILT}/index.html: {error}; build the page: see examples/browser-session/README.md"
        )
    })?;
    // The names of assets change with their content.
    let mut router = Router::new().route("/", file(index, "text/html", "no-cache", &policy));
    for entry in fs::read_dir(built.join("assets"))? {
        let path = entry?.path();
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            _ => continue,
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let asset = file(fs::read(&path)?, kind, "public, max-age=31536000, immutable", &policy);
        router = router.route(&format!("/assets/{name}"), asset);
    }
    Ok(router)
}

fn file(
    text: Vec<u8>,
    kind: &'static str,
    caching: &'static str,
    policy: &HeaderValue,
) -> axum::routing::MethodRouter {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static(caching)),
        (CONTENT_SECURITY_POLICY, policy.clone()),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    let text = Bytes::from(text);
    get(async move || (headers, text).into_response())
}
