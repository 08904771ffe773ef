//! The state that all requests to one service share.

use std::any::Any;
use std::sync::Arc;

use super::{Tally, WriteBody};
use crate::clock::Clock;
use crate::resource::Resource;

/// The protection space ([RFC 9110 §11.5]) of a service, and its clock.
///
/// [RFC 9110 §11.5]: https://www.rfc-editor.org/rfc/rfc9110#section-11.5
#[derive(Debug)]
pub(crate) struct ProtectionSpace {
    /// The `realm` of the challenges.
    pub(crate) realm: String,
    /// The metadata, which challenges link to.
    pub(crate) resource: Option<Resource>,
    /// Writes the bodies of refusals.
    pub(crate) write_body: Option<WriteBody>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Counts refusals, for the log.
    pub(crate) tally: Arc<Tally>,
    /// The registry of the service's streams. Its module depends on this one, so its type is not
    /// named here.
    pub(crate) streams: Arc<dyn Any + Send + Sync>,
}

#[cfg(test)]
impl ProtectionSpace {
    /// Creates a protection space for tests of the code that runs after authentication.
    pub(crate) fn for_test() -> Arc<Self> {
        let clock: Arc<dyn Clock> = Arc::new(crate::testing::ManualClock::at(crate::testing::NOW));
        let (realm, tally) = ("api".to_owned(), Tally::new(clock.clone(), None));
        let streams = Arc::new(());
        Arc::new(Self { realm, resource: None, write_body: None, clock, tally, streams })
    }
}
