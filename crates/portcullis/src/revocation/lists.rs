//! The status lists of one issuer. The issuer's tokens name the lists, within the limits set here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use url::Url;

use super::StatusListStatus;
use crate::claims::StatusReference;
use crate::clock::Clock;
use crate::crypto::Algorithms;
use crate::error::TokenError;
use crate::fetch::Client;
use crate::key_source::{KeySource, ResolveError};
use crate::maybe_ready::MaybeReady;
use crate::remote::freshness::Ages;
use crate::remote::status_list::{self, IDLE, RemoteStatusList};

/// The maximum number of lists that are cached and refreshed. A list covers about a million tokens, so an
/// issuer has few lists.
const MAX_LISTS: u64 = 64;

/// The status lists of an issuer, and how they are fetched and verified.
pub(crate) struct StatusLists {
    /// The URL prefix of the lists and the client to fetch them; `None` if there are no lists.
    place: Option<(String, Client)>,
    issuer: String,
    keys: Arc<dyn KeySource>,
    algorithms: Algorithms,
    leeway: Duration,
    fetch_timeout: Duration,
    clock: Arc<dyn Clock>,
    known: Cache<String, RemoteStatusList>,
}

impl StatusLists {
    pub(crate) fn new(
        place: Option<(String, Client)>,
        issuer: &str,
        keys: Arc<dyn KeySource>,
        algorithms: &Algorithms,
        [leeway, fetch_timeout]: [Duration; 2],
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            place,
            issuer: issuer.to_owned(),
            keys,
            algorithms: algorithms.clone(),
            leeway,
            fetch_timeout,
            clock: clock.clone(),
            known: Cache::builder().max_capacity(MAX_LISTS).time_to_idle(IDLE).build(),
        }
    }

    /// Returns the status of the token with this status list reference.
    pub(crate) fn standing(
        &self,
        place: Option<StatusReference<'_>>,
        ages: Ages,
    ) -> MaybeReady<Result<(), ResolveError>> {
        let list = place.and_then(|place| Some((place.index, self.list(place.uri)?)));
        match list {
            Some((index, list)) => list.standing(index, ages),
            None => MaybeReady::Ready(Err(ResolveError::Refused(TokenError::NoStatus))),
        }
    }

    /// Returns the list at this URL, if it is within the issuer's prefix.
    pub(crate) fn list(&self, uri: &str) -> Option<RemoteStatusList> {
        if let Some(list) = self.known.get(uri) {
            return Some(list);
        }
        let (prefix, client) = self.place.as_ref()?;
        // Reject URLs that are not normalized: `/lists/../` could leave the prefix.
        let url = Url::parse(uri).ok().filter(|url| url.as_str() == uri)?;
        if !uri.starts_with(prefix.as_str()) || !client.urls.allows(&url) {
            return None;
        }
        let new = || {
            let config = status_list::Config {
                url,
                issuer: self.issuer.clone(),
                keys: self.keys.clone(),
                algorithms: self.algorithms.clone(),
                leeway: self.leeway,
                fetch_timeout: self.fetch_timeout,
                client: client.clone(),
                clock: self.clock.clone(),
            };
            RemoteStatusList::new(uri, config)
        };
        Some(self.known.get_with_by_ref(uri, new))
    }

    /// Records that the list is in use, so that it continues to be refreshed.
    pub(crate) fn remember(&self, list: &RemoteStatusList, at: Duration) {
        self.known.get_with_by_ref(list.uri(), || list.clone());
        list.is_remembered(at);
    }

    pub(crate) fn status(&self) -> Vec<StatusListStatus> {
        let mut all: Vec<_> = self.known.iter().map(|(_, list)| list.status()).collect();
        all.sort_by(|one, other| one.uri.cmp(&other.uri));
        all
    }
}

impl fmt::Debug for StatusLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.place.as_ref().map(|(prefix, _)| prefix);
        f.debug_struct("StatusLists").field("prefix", &prefix).finish_non_exhaustive()
    }
}
