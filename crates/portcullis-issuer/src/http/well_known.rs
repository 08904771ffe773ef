//! What verifiers read: the key set and where to find it.

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

/// How long the store may keep a verifier waiting.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// A key set (RFC 7517 section 5).
#[derive(ToSchema)]
#[expect(dead_code, reason = "says what the key ring keeps in its serialized form")]
struct JwkSet {
    /// The public keys of tokens that have not expired.
    keys: Vec<Map<String, Value>>,
}

/// The keys that verify access tokens.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "discovery",
    operation_id = "key_set",
    params(("If-None-Match" = Option<String>, Header, description = "The tag of a set at hand")),
    responses(
        (status = 200, description = "The key set", body = JwkSet,
         content_type = "application/jwk-set+json", headers(("ETag" = String))),
        (status = 304, description = "The set at hand is the current one",
         headers(("ETag" = String))),
    ),
)]
pub(super) async fn jwks(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let keys = current_or_last_known(&api).await;
    // A shared cache asks every time: one answer that it kept would hide a rotation from every
    // verifier behind it, for which an unknown `kid` is the reason to ask again.
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

/// Every app depends on these: a store that fails, or is slow, is no reason to fail them.
async fn current_or_last_known(api: &Api) -> Arc<Snapshot> {
    match tokio::time::timeout(MAX_WAIT, api.domain.keys.current()).await {
        Ok(Ok(keys)) => return keys,
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "serving the last known keys");
        }
        Err(_) => tracing::warn!("serving the last known keys: the store does not answer"),
    }
    api.domain.keys.last_known()
}

/// The metadata, as OpenID Connect Discovery has it.
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

/// The same, as RFC 8414 has it.
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
