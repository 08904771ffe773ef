//! The operations that send and redeem single-use tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::api::Api;
use super::body::JsonBody;
use super::problem::Problem;
use crate::domain::messages::{Messages, Redeemed};
use crate::domain::peer::Peer;

/// The user who has forgotten the password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Forgotten {
    /// The user's name, case-insensitive.
    username: String,
}

/// A token of a password reset or an invitation, and the new password.
#[derive(Deserialize, ToSchema)]
pub(super) struct TokenAndNewPassword {
    /// Valid once, and for 15 minutes.
    token: String,
    /// The new password: neither the user's name or address nor a common password; at most 1024
    /// bytes in UTF-8.
    #[schema(min_length = 8, max_length = 1024)]
    new_password: String,
}

/// The token of a registration, and the password of that registration.
#[derive(Deserialize, ToSchema)]
pub(super) struct TokenAndPassword {
    /// Valid once, and for 15 minutes.
    token: String,
    password: String,
}

/// These routes exist only with a notifier.
fn messages(api: &Api) -> Result<&Arc<Messages>, Problem> {
    api.domain.messages.as_ref().ok_or(Problem::NoSuchPage)
}

fn answer(redeemed: Redeemed) -> Result<StatusCode, Problem> {
    match redeemed {
        Redeemed::Done => Ok(StatusCode::NO_CONTENT),
        Redeemed::WrongToken => Err(Problem::WrongToken),
        Redeemed::WrongPassword => Err(Problem::WrongPassword),
    }
}

/// Sends a token to the user's address. The response is the same if there is no such user. At most
/// 3 tokens are sent to a user at once, and then one every 5 minutes. A request over that limit
/// sends nothing, and the last token stays valid.
#[utoipa::path(
    post,
    path = "/v1/auth/password-reset",
    tag = "users",
    operation_id = "request_password_reset",
    request_body = Forgotten,
    responses((status = 202, description = "If there is such a user, a token is on its way")),
)]
pub(super) async fn request_reset(
    State(api): State<Arc<Api>>,
    peer: Peer,
    JsonBody(Forgotten { username }): JsonBody<Forgotten>,
) -> Result<StatusCode, Problem> {
    messages(&api)?.request_reset(&username, &peer).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a password with the token of a reset or an invitation, and ends all sessions of the user.
#[utoipa::path(
    post,
    path = "/v1/auth/set-password",
    tag = "users",
    operation_id = "set_password_by_token",
    request_body = TokenAndNewPassword,
    responses((status = 204, description = "The password is set")),
)]
pub(super) async fn set_password(
    State(api): State<Arc<Api>>,
    peer: Peer,
    JsonBody(TokenAndNewPassword { token, new_password }): JsonBody<TokenAndNewPassword>,
) -> Result<StatusCode, Problem> {
    let (token, password) = (Zeroizing::new(token), Zeroizing::new(new_password));
    answer(messages(&api)?.set_password(&token, password, &peer).await?)
}

/// Completes a registration with the token that was sent to the address.
#[utoipa::path(
    post,
    path = "/v1/auth/verify-address",
    tag = "users",
    operation_id = "verify_address",
    request_body = TokenAndPassword,
    responses((status = 204, description = "The user can log in")),
)]
pub(super) async fn verify_address(
    State(api): State<Arc<Api>>,
    peer: Peer,
    JsonBody(TokenAndPassword { token, password }): JsonBody<TokenAndPassword>,
) -> Result<StatusCode, Problem> {
    let (token, password) = (Zeroizing::new(token), Zeroizing::new(password));
    answer(messages(&api)?.verify_address(&token, password, &peer).await?)
}
