//! A caller without a token.

use std::sync::Arc;

use crate::refusal::ProtectionSpace;
use crate::refusal::{Refusal, Site, Unreported};

/// A request without a token that was let through.
///
/// The request's extensions hold it instead of an [`Authenticated`](crate::Authenticated). A
/// handler that requires a caller answers 401 if it finds an `Anonymous`. If it finds neither, it
/// answers 500, because the service has no layer.
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
