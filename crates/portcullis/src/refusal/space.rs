//! What all the requests to one service have in common.

use std::sync::Arc;

use super::{Tally, WriteBody};
use crate::clock::Clock;
use crate::resource::Resource;

/// The protection space ([RFC 9110 §11.5]) that a service is, and the clock it goes by.
///
/// [RFC 9110 §11.5]: https://www.rfc-editor.org/rfc/rfc9110#section-11.5
#[derive(Debug)]
pub(crate) struct ProtectionSpace {
    /// The `realm` of its challenges.
    pub(crate) realm: String,
    /// What its metadata say, which its challenges then point to.
    pub(crate) resource: Option<Resource>,
    /// What its refusals have for bodies.
    pub(crate) write_body: Option<WriteBody>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Its refusals, for the log.
    pub(crate) tally: Arc<Tally>,
}

#[cfg(test)]
impl ProtectionSpace {
    /// For the tests of what comes after authentication.
    pub(crate) fn for_test() -> Arc<Self> {
        let clock: Arc<dyn Clock> = Arc::new(crate::testing::ManualClock::at(crate::testing::NOW));
        let (realm, tally) = ("api".to_owned(), Tally::new(clock.clone(), None));
        Arc::new(Self { realm, resource: None, write_body: None, clock, tally })
    }
}
