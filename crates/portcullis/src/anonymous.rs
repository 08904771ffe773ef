//! A caller without a token, where one is not compulsory.

use std::sync::Arc;

use crate::refusal::ProtectionSpace;
use crate::refusal::{Refusal, Site, Unreported};

/// A request without a token that an optional layer let through.
///
/// It stands in the request's extensions in the place of an
/// [`Authenticated`](crate::Authenticated), so that a caller without a token can be told from a
/// service without a layer: the one gets 401 where a caller is required, the other 500.
#[derive(Debug, Clone)]
pub struct Anonymous {
    pub(crate) space: Arc<ProtectionSpace>,
}

impl Anonymous {
    /// The refusal for a place that takes no anonymous callers.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.refused().at(&Site::default())
    }

    pub(crate) fn refused(&self) -> Unreported {
        Unreported::missing(&self.space)
    }
}
