//! JSON bodies. An invalid body is rejected with a problem document.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// How long a body may take to arrive.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(10);

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = tokio::time::timeout(MAX_WAIT, Json::from_request(request, state));
        match body.await.map_err(|_| Problem::TooSlow)? {
            Ok(Json(body)) => Ok(Self(body)),
            // The texts of axum's rejections are not used, since they quote the body.
            Err(JsonRejection::JsonDataError(_)) => Err(Problem::WrongFields),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::NotJson),
            Err(other) if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::TooLarge),
            Err(_) => Err(Problem::MalformedBody),
        }
    }
}
