//! The audit log as it is kept.

use std::fmt;

use super::event::{Event, NewEvent};
use crate::domain::{Answer, Member};

/// The audit log.
pub(crate) trait AuditStore: Member + fmt::Debug {
    /// Records an event that changed nothing else.
    fn record<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()>;
    /// The events after this serial number, in their order.
    fn events(&self, after: i64, limit: i64) -> Answer<'_, Vec<Event>>;
    /// Forgets the events before this second.
    fn forget_events(&self, before: i64) -> Answer<'_, ()>;
}
