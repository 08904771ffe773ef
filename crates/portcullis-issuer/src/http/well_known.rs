//! The key set and the metadata, which verifiers fetch.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::api::Api;
use super::metadata::Metadata;
use crate::domain::keys::Snapshot;

/// How long a request for the key set waits for the store.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// A key set (RFC 7517 section 5).
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of a document that the key ring keeps serialized")]
struct JwkSet {
    /// The public keys: the current key, the next key, and earlier keys of tokens that may be
    /// valid.
    keys: Vec<Map<String, Value>>,
}

/// The keys that verify access tokens.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "discovery",
    operation_id = "key_set",
    params(("If-None-Match" = Option<String>, Header, description = "`ETag` of the client's set")),
    responses(
        (status = 200, description = "The key set", body = JwkSet,
         content_type = "application/jwk-set+json", headers(("ETag" = String))),
        (status = 304, description = "The client's set is current",
         headers(("ETag" = String))),
    ),
)]
pub(super) async fn jwks(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let keys = current_or_last_known(&api).await;
    // Shared caches must revalidate every time. A verifier fetches the set again when a token has
    // an unknown `kid`; a cached response would hide the new key from all verifiers behind the
    // cache.
    let caching = format!("{}, s-maxage=0", cache_control(&api));
    let common = [(ETAG, keys.jwks.etag.clone()), (CACHE_CONTROL, caching)];
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .any(|field| keys.jwks.is_named_by(field));
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    // RFC 7517 section 8.5.
    let kind = [(CONTENT_TYPE, "application/jwk-set+json")];
    (common, kind, keys.jwks.body.clone()).into_response()
}

/// Returns the current keys, or the last known keys if the store fails or is slow: all APIs depend
/// on the key set.
async fn current_or_last_known(api: &Api) -> Arc<Snapshot> {
    match tokio::time::timeout(MAX_WAIT, api.domain.keys.current()).await {
        Ok(Ok(keys)) => return keys,
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the store failed, serving the last known keys");
        }
        Err(_) => tracing::warn!("the store timed out, serving the last known keys"),
    }
    api.domain.keys.last_known()
}

/// The issuer's metadata, for OpenID Connect Discovery.
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "discovery",
    operation_id = "openid_configuration",
    responses((status = 200, description = "The metadata", body = Metadata<'_>)),
)]
pub(super) async fn metadata(State(api): State<Arc<Api>>) -> Response {
    let document = Metadata::of(&api.config.issuer);
    ([(CACHE_CONTROL, cache_control(&api))], Json(document)).into_response()
}

/// The issuer's metadata, for OAuth 2.0 clients (RFC 8414).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "discovery",
    operation_id = "authorization_server_metadata",
    responses((status = 200, description = "The metadata", body = Metadata<'_>)),
)]
pub(super) async fn metadata_of_rfc_8414(api: State<Arc<Api>>) -> Response {
    metadata(api).await
}

fn cache_control(api: &Api) -> String {
    format!("public, max-age={}", api.config.jwks_max_age.as_secs())
}
