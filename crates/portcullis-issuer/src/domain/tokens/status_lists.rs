//! Status lists (draft-ietf-oauth-status-list): the revoked tokens, as a signed list of bits that
//! verifiers cache.
//!
//! Each request reads a counter from the store, which every revocation in any process increments. So a
//! list in memory is served only if no token has been revoked since it was made. If the store fails,
//! the request fails too, so that no verifier mistakes an old list for a current one.

use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use portcullis::clock::Clock;
use serde::Serialize;
use tokio::sync::watch;

use super::jwt;
use super::settings::{LIFETIME_IN_TTLS, TokenSettings};
use super::store::{PLACES, Revoked, TokenStore};
use super::waits::{Verifier, Wait, Waits};
use crate::clock::{now_secs, secs};
use crate::domain::keys::{KeyRing, Snapshot};
use crate::error::Error;
use crate::etag;

/// The interval at which the counter is read while requests are waiting for a change.
const LOOK: Duration = Duration::from_millis(40);

/// A signed list, ready to be served.
#[derive(Debug)]
pub(crate) struct Published {
    /// The signed list. The next field is the same list compressed with gzip, which makes it a
    /// quarter shorter.
    pub(crate) token: Bytes,
    pub(crate) gzipped: Bytes,
    pub(crate) etag: String,
    /// The counter at which the list was last known to be current.
    version: i64,
    revoked: Revoked,
    kid: String,
    issued_at: i64,
}

/// The latest lists, and the requests that wait for changes.
pub(crate) struct StatusLists {
    settings: TokenSettings,
    keys: Arc<KeyRing>,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    published: Mutex<HashMap<i64, Arc<Published>>>,
    /// Held while a list is made, so that one list is made at a time.
    making: tokio::sync::Mutex<()>,
    version: watch::Sender<i64>,
    waits: Waits,
    /// `true` once the issuer stops: no request waits any more.
    stopped: watch::Sender<bool>,
}

impl StatusLists {
    pub(crate) fn new(
        settings: TokenSettings,
        keys: Arc<KeyRing>,
        store: Arc<dyn TokenStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            settings,
            keys,
            store,
            clock,
            published: Mutex::default(),
            making: tokio::sync::Mutex::default(),
            version: watch::channel(-1).0,
            waits: Waits::default(),
            stopped: watch::channel(false).0,
        }
    }

    /// Reserves a place among the waiting requests. Returns `None` if no place is free or the issuer is
    /// stopping; the request is then answered immediately.
    pub(crate) fn wait(&self, verifier: Verifier) -> Option<Wait<'_>> {
        self.waits.begin(verifier).filter(|_| !self.is_stopped())
    }

    /// Answers all waiting requests now. Later requests are answered without waiting.
    pub(crate) fn stop_waiting(&self) {
        self.stopped.send_replace(true);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    fn at_hand(&self, list: i64) -> Option<Arc<Published>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).get(&list).cloned()
    }

    fn keep(&self, list: i64, published: &Arc<Published>) {
        let mut all = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(list, published.clone());
    }

    /// Returns the current list with this number; `None` if there is no such list.
    pub(crate) async fn list(&self, list: i64) -> Result<Option<Arc<Published>>, Error> {
        let keys = self.keys.current().await?;
        let version = self.store.status_version().await?;
        let holds = |at_hand: &Arc<Published>| at_hand.version == version;
        if let Some(at_hand) = self.fresh(list, &keys).filter(holds) {
            return Ok(Some(at_hand));
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(at_hand) = self.fresh(list, &keys).filter(|at_hand| at_hand.version >= version)
        {
            return Ok(Some(at_hand));
        }
        // The places are read after the counter, so they may be newer than the counter, but never
        // older.
        let Some(revoked) = self.store.revoked_places(list, self.status_epoch()).await? else {
            return Ok(None);
        };
        let published = match self.fresh(list, &keys).filter(|at_hand| at_hand.revoked == revoked) {
            Some(same) => Published {
                token: same.token.clone(),
                gzipped: same.gzipped.clone(),
                etag: same.etag.clone(),
                kid: same.kid.clone(),
                version,
                revoked,
                issued_at: same.issued_at,
            },
            None => self.publish(list, &keys, version, revoked).await?,
        };
        let published = Arc::new(published);
        self.keep(list, &published);
        Ok(Some(published))
    }

    /// Returns the list that was published last, unless it is time for another signature.
    fn fresh(&self, list: i64, keys: &Snapshot) -> Option<Arc<Published>> {
        let epoch = self.status_epoch();
        self.at_hand(list)
            .filter(|at_hand| at_hand.kid == keys.active.kid() && at_hand.issued_at == epoch)
    }

    async fn publish(
        &self,
        list: i64,
        keys: &Snapshot,
        version: i64,
        revoked: Revoked,
    ) -> Result<Published, Error> {
        let (iat, ttl) = (self.status_epoch(), secs(self.settings.status_list_ttl));
        let uri = self.settings.status_list_uri(list);
        let claims = Claims {
            iss: &self.settings.issuer,
            sub: &uri,
            iat,
            exp: iat.saturating_add(ttl.saturating_mul(i64::from(LIFETIME_IN_TTLS))),
            ttl,
            status_list: Bits { bits: 1, lst: packed(&revoked)? },
        };
        let kid = keys.active.kid().to_owned();
        let token = jwt::sign(keys, "statuslist+jwt", &claims).await?;
        // The tag covers header and claims only: ECDSA signatures are random, so each process has
        // its own.
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        let etag = etag::of(signed);
        let (gzipped, token) = (gzipped(&token)?, token.into());
        Ok(Published { token, gzipped, etag, version, revoked, kid, issued_at: iat })
    }

    /// Returns the time of the current signature, which is the same in all processes.
    fn status_epoch(&self) -> i64 {
        let ttl = secs(self.settings.status_list_ttl).max(1);
        now_secs(&*self.clock).div_euclid(ttl).saturating_mul(ttl)
    }

    /// Waits for at most `at_most`: until any process revokes a token, the list needs another
    /// signature, or the issuer stops.
    pub(crate) async fn until_changes(self: &Arc<Self>, published: &Published, at_most: Duration) {
        let age = now_secs(&*self.clock).saturating_sub(published.issued_at).max(0);
        let left = secs(self.settings.status_list_ttl).saturating_sub(age).max(0);
        let at_most = at_most.min(Duration::from_secs(u64::try_from(left).unwrap_or_default()));
        let mut version = self.version.subscribe();
        // The first waiting request starts the task that reads the counter.
        self.tell_of_changes();
        let changed = version.wait_for(|version| *version > published.version);
        let mut stopped = self.stopped.subscribe();
        tokio::select! {
            _ = changed => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }

    /// Reads the counter as long as requests are waiting.
    fn tell_of_changes(self: &Arc<Self>) {
        if self.version.receiver_count() > 1 {
            return;
        }
        let lists = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(lists) = lists.upgrade() else { return };
                let sender = &lists.version;
                // If the store fails, requests are answered at the end of their waiting time.
                if let Ok(version) = lists.store.status_version().await {
                    sender.send_if_modified(|told| version > std::mem::replace(told, version));
                }
                if sender.receiver_count() == 0 {
                    return;
                }
            }
        });
    }
}

impl fmt::Debug for StatusLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusLists").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Section 5.1 of the draft.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    ttl: i64,
    status_list: Bits,
}

#[derive(Serialize)]
struct Bits {
    bits: u8,
    lst: String,
}

/// Packs one bit per place, beginning with the least significant bit of the first byte (section 4.1
/// of the draft).
fn packed(revoked: &Revoked) -> Result<String, Error> {
    let (blank, places) = match revoked {
        Revoked::All => (u8::MAX, &[][..]),
        Revoked::Places(places) => (0, &places[..]),
    };
    let mut bytes = vec![blank; PLACES as usize / 8];
    for place in places.iter().filter_map(|place| usize::try_from(*place).ok()) {
        if let Some(byte) = bytes.get_mut(place / 8) {
            *byte |= 1 << (place % 8);
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes).map_err(not_compressed)?;
    Ok(URL_SAFE_NO_PAD.encode(encoder.finish().map_err(not_compressed)?))
}

/// Compresses a signed list. The gain comes mainly from base64url, which uses eight bits for six.
fn gzipped(token: &str) -> Result<Bytes, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(token.as_bytes()).map_err(not_compressed)?;
    Ok(encoder.finish().map_err(not_compressed)?.into())
}

fn not_compressed(_: std::io::Error) -> Error {
    Error::Crypto("compressing a status list")
}
