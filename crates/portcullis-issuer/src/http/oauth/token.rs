//! `POST /oauth/token` (RFC 6749 section 3.2).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::TokenAnswer;
use super::caller::{Caller, ClientFields};
use super::error::OAuthError;
use super::exchange::{self, ExchangeFields, GRANT};
use super::form::Form;
use crate::domain::clients::{ClientGrant, ClientRight};
use crate::domain::peer::Peer;
use crate::http::api::Api;

/// A request for a token.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct TokenRequest {
    /// `client_credentials`, `refresh_token` or
    /// `urn:ietf:params:oauth:grant-type:token-exchange`.
    #[schema(required, nullable = false)]
    grant_type: Option<String>,
    /// The requested scopes, of the client's own scopes or of the exchanged token's.
    #[schema(nullable = false)]
    scope: Option<String>,
    /// The requested APIs (RFC 8707), of the client's APIs or, for a refresh, of the configured
    /// APIs. A token exchange allows only the issuer's URL.
    #[serde(default)]
    resource: Vec<String>,
    /// The refresh token of a session.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    #[serde(flatten)]
    exchange: ExchangeFields,
    #[serde(flatten)]
    client: ClientFields,
}

/// Issues a token to a machine client in its own name, continues a session, or exchanges a user's
/// token (RFC 8693).
///
/// An exchange is for a backend that acts for its user at the issuer. It needs the right
/// `exchange-tokens`, and a user's token whose `aud` is one of the client's resource servers. The new
/// token is for the issuer alone, lives 60 s, and names the client in `act`. Operations on passwords,
/// second factors, the audit log and administration reject it.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "oauth",
    operation_id = "token",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token", body = TokenAnswer<'_>)),
    security((), ("client_secret" = [])),
)]
pub(in crate::http) async fn token(
    State(api): State<Arc<Api>>,
    peer: Peer,
    headers: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> Result<Response, OAuthError> {
    let TokenRequest { grant_type, scope, resource, refresh_token, exchange, client } = request;
    let caller = Caller::of(&api, &headers, client, &peer).await?;
    let grant_type = grant_type.ok_or(OAuthError::InvalidRequest("grant_type is missing."))?;
    match (grant_type.as_str(), caller) {
        ("client_credentials", Caller::Registered(client)) => {
            let clients = &api.domain.clients;
            let grant = clients.grant(&client, scope.as_deref(), &resource, &peer).await?;
            match grant {
                ClientGrant::Token { access_token, scope } => {
                    Ok(answer(&api, &access_token, None, &scope))
                }
                ClientGrant::WrongScope => Err(OAuthError::InvalidScope),
                ClientGrant::WrongTarget => Err(OAuthError::InvalidTarget(
                    "A resource is not allowed for the client, or the client has no resources.",
                )),
            }
        }
        ("client_credentials", Caller::FirstParty) => Err(OAuthError::UnauthorizedClient(
            "A client without credentials cannot get a token in its own name.",
        )),
        // RFC 6749 section 6: a refresh token is bound to the client that it was issued to.
        ("refresh_token", Caller::Registered(client))
            if !client.has(ClientRight::ContinueSessions) =>
        {
            Err(OAuthError::UnauthorizedClient("The client lacks the continue-sessions right."))
        }
        (GRANT, Caller::Registered(client)) => {
            let wanted = (scope.as_deref(), resource.as_slice());
            exchange::exchange(&api, &client, exchange, wanted, &peer).await
        }
        (GRANT, Caller::FirstParty) => Err(OAuthError::UnauthorizedClient(
            "A client without credentials may not exchange tokens.",
        )),
        ("refresh_token", _) => refresh(&api, refresh_token, &resource, &peer).await,
        _ => Err(OAuthError::UnsupportedGrantType),
    }
}

/// Continues a session, as `POST /v1/auth/refresh` does.
async fn refresh(
    api: &Api,
    token: Option<String>,
    resource: &[String],
    peer: &Peer,
) -> Result<Response, OAuthError> {
    let why = "refresh_token is missing.";
    let token = zeroize::Zeroizing::new(token.ok_or(OAuthError::InvalidRequest(why))?);
    // A requested scope may be ignored (RFC 6749 section 3.3): the response names the scopes.
    let audience = api.audience(resource).map_err(|_| {
        OAuthError::InvalidTarget("A resource is neither the issuer nor one of its APIs.")
    })?;
    let refreshed = api.domain.sessions.refresh(&token, &audience, peer).await?;
    let why = "The refresh token is not valid.";
    let grant = refreshed.ok_or(OAuthError::InvalidGrant(why))?;
    Ok(answer(api, &grant.access_token, Some(&grant.refresh_token), &grant.scope))
}

fn answer(api: &Api, access_token: &str, refresh_token: Option<&str>, scope: &str) -> Response {
    let expires_in = api.config.access_expiry.as_secs();
    let token_type = "Bearer";
    let answer = TokenAnswer {
        access_token,
        token_type,
        expires_in,
        refresh_token,
        scope,
        issued_token_type: None,
    };
    ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
