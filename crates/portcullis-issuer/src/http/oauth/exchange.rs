//! The token exchange grant at `POST /oauth/token` (RFC 8693).

use axum::Json;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::TokenAnswer;
use super::error::OAuthError;
use crate::domain::audit::EventKind;
use crate::domain::clients::{ClientRight, RegisteredClient};
use crate::domain::introspection::Exchanged;
use crate::domain::peer::Peer;
use crate::http::api::Api;

pub(in crate::http) const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The parameters of the grant (RFC 8693 section 2.1).
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct ExchangeFields {
    /// A user's access token for one of the client's resource servers.
    #[schema(nullable = false)]
    subject_token: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`
    #[schema(nullable = false)]
    subject_token_type: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`, if present.
    #[schema(nullable = false)]
    requested_token_type: Option<String>,
    /// The issuer's URL, if present.
    #[schema(nullable = false)]
    audience: Option<String>,
    /// Must be absent: the actor is always the client.
    #[schema(nullable = false)]
    actor_token: Option<String>,
}

/// Exchanges a user's token for a token for the issuer.
pub(super) async fn exchange(
    api: &Api,
    client: &RegisteredClient,
    fields: ExchangeFields,
    (scope, resource): (Option<&str>, &[String]),
    peer: &Peer,
) -> Result<Response, OAuthError> {
    if !client.has(ClientRight::ExchangeTokens) {
        let why = "The client lacks the exchange-tokens right.";
        return Err(OAuthError::UnauthorizedClient(why));
    }
    let issuer = &api.config.issuer;
    if resource.iter().chain(&fields.audience).any(|target| target != issuer) {
        return Err(OAuthError::InvalidTarget("The new token can be for the issuer only."));
    }
    let is_access_token = |kind: &Option<String>| kind.as_deref() == Some(ACCESS_TOKEN);
    if !is_access_token(&fields.subject_token_type)
        || (fields.requested_token_type.is_some() && !is_access_token(&fields.requested_token_type))
        || fields.actor_token.is_some()
    {
        return Err(OAuthError::InvalidRequest(
            "subject_token_type, and requested_token_type if present, must be \
             urn:ietf:params:oauth:token-type:access_token, and there must be no actor_token.",
        ));
    }
    let why = "subject_token is missing.";
    let token = fields.subject_token.ok_or(OAuthError::InvalidRequest(why))?;
    let event = api.domain.clients.event(EventKind::TokenExchanged, Some(&client.id), peer);
    match api.domain.introspection.exchange(&token, scope, client, event).await? {
        Exchanged::Token { access_token, scope, expires_in } => {
            let answer = TokenAnswer {
                access_token: &access_token,
                token_type: "Bearer",
                expires_in,
                refresh_token: None,
                scope: &scope,
                issued_token_type: Some(ACCESS_TOKEN),
            };
            Ok(([(CACHE_CONTROL, "no-store")], Json(answer)).into_response())
        }
        // RFC 8693 section 2.2.2.
        Exchanged::WrongToken => Err(OAuthError::InvalidRequest(
            "subject_token is not an active token of a user for a resource server of the client.",
        )),
        Exchanged::WrongScope => Err(OAuthError::InvalidScope),
    }
}
