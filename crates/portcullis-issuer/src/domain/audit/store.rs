//! The audit log as it is kept.

use std::fmt;

use super::event::{Event, NewEvent};
use crate::domain::Answer;

/// The audit log.
pub(crate) trait AuditStore: fmt::Debug + Send + Sync {
    /// Records an event that changed nothing else.
    fn record<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()>;
    /// Returns the events after this serial number, in ascending order.
    fn events(&self, after: i64, limit: i64) -> Answer<'_, Vec<Event>>;
}
