//! The rows that housekeeping deletes, and when they are due.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis::testing::ManualClock;

use super::Place;
use super::past::run;
use super::refresh::with_former_tokens;
use crate::config::IssuerConfig;
use crate::domain::housekeeping::{Chore, Housekeeping, HousekeepingStore};
use crate::domain::{Answer, Member};

super::on_both!(
    tokens_of_the_former_format_are_kept_while_their_session_lives,
    due_mac_keys_are_deleted_except_the_latest,
);

async fn tokens_of_the_former_format_are_kept_while_their_session_lives(place: Place) {
    let store = with_former_tokens(&place).await;
    let forget = async |now| store.tidy(Chore::ForgetFormerTokens, now, 9).await.unwrap();
    assert_eq!((forget(8999).await, forget(9000).await), (0, 2));
}

async fn due_mac_keys_are_deleted_except_the_latest(place: Place) {
    let store = place.open().await;
    let keys = match &place {
        Place::Sqlite(_) => {
            "INSERT INTO refresh_keys (number, sealed, verify_until) \
             VALUES (1, x'01', 1500), (2, x'01', 1600), (3, x'01', 1700)"
        }
        Place::Postgres(_) => {
            "INSERT INTO refresh_keys (number, sealed, verify_until) \
             VALUES (1, '\\x01', 1500), (2, '\\x01', 1600), (3, '\\x01', 1700)"
        }
    };
    run(&place, keys).await;
    let forget = async |now| store.tidy(Chore::ForgetRefreshKeys, now, 9).await.unwrap();
    assert_eq!((forget(1499).await, forget(1500).await, forget(9000).await), (0, 1, 1));
    let kept = store.earlier_mac_keys().await.unwrap();
    // The latest key is kept, so that no later key gets the same number.
    assert_eq!(kept.iter().map(|key| key.number).collect::<Vec<_>>(), [3]);
}

/// A store that records its calls. The first batch of each chore is full.
#[derive(Debug, Default)]
struct Asked {
    chores: Mutex<Vec<(Chore, i64)>>,
    beats: Mutex<Vec<i64>>,
    follows: bool,
}

impl Member for Asked {
    fn leads(&self) -> bool {
        !self.follows
    }

    fn heartbeat(&self) -> Answer<'_, Option<i64>> {
        Box::pin(async { Ok(self.beats.lock().unwrap().last().copied()) })
    }
}

impl HousekeepingStore for Asked {
    fn tidy(&self, chore: Chore, before: i64, limit: u64) -> Answer<'_, u64> {
        let mut chores = self.chores.lock().unwrap();
        let first = !chores.contains(&(chore, before));
        chores.push((chore, before));
        Box::pin(async move { Ok(if first { limit } else { 0 }) })
    }

    fn beat(&self, now: i64) -> Answer<'_, ()> {
        self.beats.lock().unwrap().push(now);
        Box::pin(async { Ok(()) })
    }
}

const NOW: i64 = 1_800_000_000;

fn housekeeping(store: Asked) -> (Arc<Housekeeping>, Arc<Asked>, ManualClock) {
    let (store, clock) = (Arc::new(store), ManualClock::at(1_800_000_000));
    let mut config = IssuerConfig::new("https://auth.example.com", "a.db");
    config.access_expiry = Duration::from_secs(300);
    config.status_list_ttl = Duration::from_secs(20);
    let housekeeping = Housekeeping {
        store: Arc::clone(&store) as _,
        clock: Arc::new(clock.clone()),
        tokens: config.tokens(),
        grace_secs: 10,
        audit_retention: Duration::from_secs(1000),
    };
    (Arc::new(housekeeping), store, clock)
}

#[tokio::test(start_paused = true)]
async fn each_chore_deletes_all_rows_that_are_due() {
    let (housekeeping, store, _) = housekeeping(Asked::default());
    let free = housekeeping.tokens.until(NOW).free;
    assert!(free < NOW);
    housekeeping.run().await.unwrap();
    let expected = [
        (Chore::EraseSuccessors, NOW - 10),
        (Chore::ForgetFormerTokens, NOW),
        (Chore::ForgetSessions, NOW),
        (Chore::FreePlaces, free),
        (Chore::ForgetJwts, NOW),
        (Chore::ForgetRefreshKeys, NOW),
        (Chore::ForgetEvents, NOW - 1000),
        (Chore::ForgetUserTokens, NOW),
        (Chore::ForgetCeremonies, NOW),
        (Chore::ForgetUnverified, NOW - 900),
    ];
    let twice: Vec<_> = expected.into_iter().flat_map(|chore| [chore, chore]).collect();
    assert_eq!(*store.chores.lock().unwrap(), twice);
}

#[tokio::test(start_paused = true)]
async fn heartbeat_is_written_once_an_hour() {
    let (housekeeping, store, clock) = housekeeping(Asked::default());
    for secs in [0, 3599, 1] {
        clock.advance(Duration::from_secs(secs));
        housekeeping.run().await.unwrap();
    }
    assert_eq!(*store.beats.lock().unwrap(), [NOW, NOW + 3600]);
}

#[tokio::test(start_paused = true)]
async fn process_that_does_not_lead_deletes_nothing() {
    for (follows, works) in [(true, false), (false, true)] {
        let (housekeeping, store, _) = housekeeping(Asked { follows, ..Asked::default() });
        let _task = housekeeping.keep();
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(!store.chores.lock().unwrap().is_empty(), works);
    }
}
