//! Who changes another user's account.

use super::{Audit, EventKind, NewEvent};
use crate::domain::peer::Peer;

/// How the log names an operator. No user has this id: those are hexadecimal.
const OPERATOR: &str = "operator";

/// Who changes another user's account.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Actor<'a> {
    /// At the command line, or an app that has the issuer inside.
    Operator,
    /// A user with the scope for it, over HTTP.
    Admin { id: &'a str, peer: &'a Peer },
}

impl Audit {
    /// Creates an event that names who caused it.
    pub(crate) fn event_by(&self, kind: EventKind, actor: Actor<'_>) -> NewEvent {
        match actor {
            Actor::Operator => self.event(kind, &Peer::default()).by(OPERATOR),
            Actor::Admin { id, peer } => self.event(kind, peer).by(id),
        }
    }
}
