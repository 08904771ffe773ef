//! `POST /oauth/token` (RFC 6749 section 3.2).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, ClientFields};
use super::error::OAuthError;
use super::form::Form;
use crate::domain::clients::{ClientGrant, ClientRight};
use crate::domain::peer::Peer;
use crate::http::api::Api;

/// What a client asks for.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct TokenRequest {
    /// `client_credentials` or `refresh_token`.
    #[schema(required, nullable = false)]
    grant_type: Option<String>,
    /// Of a client's own scopes those that the token shall have.
    #[schema(nullable = false)]
    scope: Option<String>,
    /// Of its APIs those that the token shall be for (RFC 8707).
    #[serde(default)]
    resource: Vec<String>,
    /// The token of a session.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    #[serde(flatten)]
    client: ClientFields,
}

/// What it gets (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TokenAnswer<'a> {
    /// A JWT (RFC 9068).
    access_token: &'a str,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How many seconds the access token is good for.
    expires_in: u64,
    /// A session's, good for one refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<&'a str>,
    /// Left out when empty: a scope has at least one token (RFC 6749 section 3.3).
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    scope: &'a str,
}

/// Gives a machine client a token in its own name, or continues a session.
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
    let TokenRequest { grant_type, scope, resource, refresh_token, client } = request;
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
                    "The client may not ask for one of these resources, or has none.",
                )),
            }
        }
        ("client_credentials", Caller::FirstParty) => Err(OAuthError::UnauthorizedClient(
            "A client without credentials gets no token in its own name.",
        )),
        // RFC 6749 section 6: a refresh token is bound to the client that it was issued to.
        ("refresh_token", Caller::Registered(client))
            if !client.has(ClientRight::ContinueSessions) =>
        {
            Err(OAuthError::UnauthorizedClient(
                "The client has no right to continue sessions (continue-sessions).",
            ))
        }
        ("refresh_token", _) => refresh(&api, refresh_token, &resource, &peer).await,
        _ => Err(OAuthError::UnsupportedGrantType),
    }
}

/// Continues a session, as `POST /v1/auth/refresh` does: for whoever holds its refresh token, which
/// a login gave out and which is no client's in particular.
async fn refresh(
    api: &Api,
    token: Option<String>,
    resource: &[String],
    peer: &Peer,
) -> Result<Response, OAuthError> {
    let why = "refresh_token is missing.";
    let token = zeroize::Zeroizing::new(token.ok_or(OAuthError::InvalidRequest(why))?);
    // A token for more APIs than it was asked for could be used at those by the one that gets it.
    // A scope that is asked for may be ignored (RFC 6749 section 3.3): the answer tells it.
    if !resource.is_empty() {
        let why = "The tokens of a session are for all APIs; leave resource out.";
        return Err(OAuthError::InvalidTarget(why));
    }
    let why = "The refresh token is not valid (any more).";
    let grant =
        api.domain.sessions.refresh(&token, peer).await?.ok_or(OAuthError::InvalidGrant(why))?;
    Ok(answer(api, &grant.access_token, Some(&grant.refresh_token), &grant.scope))
}

fn answer(api: &Api, access_token: &str, refresh_token: Option<&str>, scope: &str) -> Response {
    let expires_in = api.config.access_expiry.as_secs();
    let token_type = "Bearer";
    let answer = TokenAnswer { access_token, token_type, expires_in, refresh_token, scope };
    ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
