//! The audit log, for users with the scope `identsphere:audit`.

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
    /// Begin after the event with this serial number.
    #[serde(default)]
    after: i64,
    /// The maximum number of events, at most 1000.
    #[param(maximum = 65535)]
    limit: Option<u16>,
}

/// A part of the audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    /// The events, in the order of their serial numbers.
    events: Vec<ShownEvent>,
}

/// An event of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct ShownEvent {
    /// The serial number: of two events the later one has the higher number.
    serial: i64,
    /// The time of the event, in seconds since 1970.
    at: i64,
    /// The kind of the event, such as `login` or `refresh_reused`.
    kind: String,
    /// The id of the user that the event is about, if there is such a user.
    user_id: Option<String>,
    /// The id of the session that the event is about, if any.
    session_id: Option<String>,
    /// The `kid` of the signing key that the event is about, if any.
    kid: Option<String>,
    /// The id of the machine client that the event is about or that caused it, if any.
    client_id: Option<String>,
    /// The address of the request's client, if known.
    address: Option<String>,
    /// The client's `User-Agent`, for a refresh token that was repeated or reused.
    user_agent: Option<String>,
    /// The actor, if it was not the user: `operator`, or an administrator's user id.
    actor: Option<String>,
    /// The name of the user, if the event is about a user who was deleted.
    user_name: Option<String>,
    /// The number of things that the event is about, if it is about several.
    count: Option<i64>,
}

/// The audit log, for users with the scope `identsphere:audit`.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "audit",
    operation_id = "read_audit_log",
    params(Page),
    responses((status = 200, description = "The events after this serial number", body = Events)),
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
            user_name,
            count,
        } = event;
        Self {
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
            user_name,
            count,
        }
    }
}
