//! `POST /oauth/introspect` (RFC 7662).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::caller::{Caller, ClientFields};
use super::error::OAuthError;
use super::form::Form;
use crate::domain::introspection::Introspected;
use crate::domain::peer::Peer;
use crate::http::api::Api;

/// The token to introspect. Its type follows from the token: a `token_type_hint` is not needed.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct IntrospectionRequest {
    /// An access token or a refresh token.
    #[schema(required, nullable = false)]
    token: Option<String>,
    #[serde(flatten)]
    client: ClientFields,
}

/// Returns whether a token is active, and its claims.
///
/// A client may introspect access tokens whose `aud` has one of its resource servers; with the
/// right `introspect-all`, all access tokens; with the right `continue-sessions`, refresh tokens.
/// All other tokens are reported as inactive.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    tag = "oauth",
    operation_id = "introspect",
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The state of the token", body = Introspected)),
    security((), ("client_secret" = [])),
)]
pub(in crate::http) async fn introspect(
    State(api): State<Arc<Api>>,
    peer: Peer,
    headers: HeaderMap,
    Form(request): Form<IntrospectionRequest>,
) -> Result<Response, OAuthError> {
    // RFC 7662 section 2.1: without authentication anyone could try tokens out.
    let caller = Caller::of(&api, &headers, request.client, &peer).await?;
    let Caller::Registered(client) = caller else { return Err(OAuthError::InvalidClient) };
    let token = request.token.ok_or(OAuthError::InvalidRequest("token is missing."))?;
    let introspected = api.domain.introspection.introspect(&token, &client).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(introspected)).into_response())
}
