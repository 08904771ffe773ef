//! The audit log, for those whose task it is to read it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::api::Api;
use super::problem::Problem;
use crate::domain::audit::Event;
use crate::domain::audit::PAGE;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Begin after the event of this serial number.
    #[serde(default)]
    after: i64,
    /// At most so many events, and never more than 1000.
    #[param(maximum = 65535)]
    limit: Option<u16>,
}

/// A part of the audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    /// In the order of their serial numbers.
    events: Vec<ShownEvent>,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct ShownEvent {
    /// Counts up; of two events the later one has the higher number.
    serial: i64,
    /// When it happened, in seconds since 1970.
    at: i64,
    /// What happened, such as `login` or `refresh_reused`.
    kind: String,
    /// Whose account it was about, if there is such an account.
    user_id: Option<String>,
    /// The session, if it was about one.
    session_id: Option<String>,
    /// The signing key, if it was about one.
    kid: Option<String>,
    /// The machine client, if it was about or by one.
    client_id: Option<String>,
    /// Where the client is, if that is known.
    address: Option<String>,
    /// What the client called itself, of a refresh token that was repeated or reused.
    user_agent: Option<String>,
    /// Who caused it, if it was not the user: `operator`, or an administrator's user id.
    actor: Option<String>,
}

/// The audit log, for users with the scope `identsphere:audit`.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "audit",
    operation_id = "read_audit_log",
    params(Page),
    responses((status = 200, description = "The events that follow", body = Events)),
)]
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Events>, Problem> {
    let Query(Page { after, limit }) = page.map_err(|_| Problem::WrongQuery)?;
    let events = api.domain.audit.events(after, limit.unwrap_or(PAGE)).await?;
    Ok(Json(Events { events: events.into_iter().map(ShownEvent::from).collect() }))
}

impl From<Event> for ShownEvent {
    fn from(event: Event) -> Self {
        let Event {
            serial,
            at,
            kind,
            user_id,
            session_id,
            kid,
            client_id,
            address,
            user_agent,
            actor,
        } = event;
        Self { serial, at, kind, user_id, session_id, kid, client_id, address, user_agent, actor }
    }
}
