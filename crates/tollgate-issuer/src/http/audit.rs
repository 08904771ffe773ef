//! The audit log, for those whose task it is to read it.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::audit::PAGE;
use crate::issuer::Issuer;

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    after: i64,
    limit: Option<u16>,
}

/// `GET /v1/audit`
pub(super) async fn events(
    State(issuer): State<Issuer>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(Page { after, limit }) = page.map_err(|_| Problem::WrongQuery)?;
    let events = issuer.events(after, limit.unwrap_or(PAGE)).await?;
    Ok(Json(json!({ "events": events })))
}
