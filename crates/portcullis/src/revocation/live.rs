//! Asking the issuer itself about the tokens of one issuer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;
use crate::remote::introspection::{AskedToken, Introspector, RemoteIntrospection};
use crate::remote::standing::Ages;

/// The most tokens whose answers are kept, for who may wait for one that is under way or is content
/// with one of a moment ago.
const MAX_TOKENS: u64 = 10_000;

/// How long an answer is kept that nobody asks for: no outage is bridged for longer.
const IDLE: Duration = Duration::from_secs(3600);

/// The questions about the tokens of an issuer.
pub(crate) struct Introspections {
    /// `None` where nobody is configured to be asked.
    introspector: Option<Arc<Introspector>>,
    known: Cache<AskedToken, RemoteIntrospection>,
}

impl Introspections {
    pub(crate) fn new(introspector: Option<Introspector>) -> Self {
        Self {
            introspector: introspector.map(Arc::new),
            known: Cache::builder().max_capacity(MAX_TOKENS).time_to_idle(IDLE).build(),
        }
    }

    pub(crate) fn are_possible(&self) -> bool {
        self.introspector.is_some()
    }

    /// Whether `token`, which was verified, stands; `None` where nobody can be asked.
    pub(crate) fn standing(
        &self,
        token: &str,
        ages: Ages,
    ) -> Option<MaybeReady<Result<(), ResolveError>>> {
        let introspector = self.introspector.as_ref()?;
        let known = self.known.get(token).unwrap_or_else(|| {
            let asked = AskedToken::new(token);
            let new = || RemoteIntrospection::new(asked.clone(), introspector);
            self.known.get_with(asked.clone(), new)
        });
        Some(known.standing(ages))
    }
}

impl fmt::Debug for Introspections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspections")
            .field("introspector", &self.introspector)
            .finish_non_exhaustive()
    }
}
