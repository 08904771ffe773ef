//! The actor of a change to another user's account.

use super::{Audit, EventKind, NewEvent};
use crate::domain::peer::Peer;

/// The name of an operator in the log. No user has this id: users' ids are hexadecimal.
const OPERATOR: &str = "operator";

/// The actor of a change to another user's account.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Actor<'a> {
    /// An operator at the command line, or an app that embeds the issuer.
    Operator,
    /// A user with [`ADMIN_SCOPE`](crate::ADMIN_SCOPE), over HTTP.
    Admin { authority: Authority<'a>, peer: &'a Peer },
}

/// The administrator's session with which a request came. It is checked again in the transaction of the
/// change, because the administrator may have been disabled since the request began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authority<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) session_id: &'a str,
}

impl<'a> Actor<'a> {
    /// Returns the authority that must still hold when the change is made. `None` for an operator, who
    /// needs no session.
    pub(crate) fn authority(self) -> Option<Authority<'a>> {
        match self {
            Self::Operator => None,
            Self::Admin { authority, .. } => Some(authority),
        }
    }
}

impl NewEvent {
    /// Sets an operator as the actor of the event.
    pub(crate) fn by_operator(self) -> Self {
        self.by(OPERATOR)
    }
}

impl Audit {
    /// Creates an event with its actor.
    pub(crate) fn event_by(&self, kind: EventKind, actor: Actor<'_>) -> NewEvent {
        match actor {
            Actor::Operator => self.event(kind, &Peer::default()).by_operator(),
            Actor::Admin { authority, peer } => self.event(kind, peer).by(authority.user_id),
        }
    }
}
