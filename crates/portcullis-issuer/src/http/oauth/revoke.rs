//! `POST /oauth/revoke` (RFC 7009).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::caller::{Caller, ClientFields};
use super::error::OAuthError;
use super::form::Form;
use crate::domain::audit::EventKind;
use crate::domain::introspection::Revoked;
use crate::domain::peer::Peer;
use crate::http::api::Api;

/// The token to revoke. Its type follows from the token: a `token_type_hint` is not needed.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct RevocationRequest {
    /// An access token or a refresh token.
    #[schema(required, nullable = false)]
    token: Option<String>,
    #[serde(flatten)]
    client: ClientFields,
}

/// Revokes a token. A token of a session also ends the session.
///
/// An API that validates locally accepts an access token until it expires.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    tag = "oauth",
    operation_id = "revoke",
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token is revoked, or was not valid")),
    security((), ("client_secret" = [])),
)]
pub(in crate::http) async fn revoke(
    State(api): State<Arc<Api>>,
    peer: Peer,
    headers: HeaderMap,
    Form(request): Form<RevocationRequest>,
) -> Result<Response, OAuthError> {
    let caller = Caller::of(&api, &headers, request.client, &peer).await?;
    let token = request.token.ok_or(OAuthError::InvalidRequest("token is missing."))?;
    let event = api.domain.clients.event(EventKind::TokenRevoked, Some(caller.id()), &peer);
    match api.domain.introspection.revoke(&token, caller.id(), event).await? {
        // RFC 7009 section 2.2: the response is 200 for an unknown token, too.
        Revoked::Done => Ok([(CACHE_CONTROL, "no-store")].into_response()),
        // RFC 7009 section 2.1. This reveals nothing: the holder can read the client in the token.
        Revoked::NotYours => {
            Err(OAuthError::InvalidGrant("The token was issued to another client."))
        }
    }
}
