//! A caller without a token.

use std::sync::Arc;

use crate::refusal::ProtectionSpace;
use crate::refusal::{Refusal, Site, Unreported};

/// A request without a token that was let through.
///
/// It is in the request's extensions instead of an [`Authenticated`](crate::Authenticated). It
/// distinguishes a caller without a token, who gets 401 from a handler that requires a caller, from
/// a service without a layer, where the same handler answers 500.
#[derive(Debug, Clone)]
pub struct Anonymous {
    pub(crate) space: Arc<ProtectionSpace>,
}

impl Anonymous {
    /// Returns the refusal for code that requires a caller.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.refused().at(&Site::default())
    }

    pub(crate) fn refused(&self) -> Unreported {
        Unreported::missing(&self.space)
    }
}
