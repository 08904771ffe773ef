//! Exchanges of refresh tokens: expired sessions, changed rules, repeats, and tokens of the former
//! format.

use super::past::{count, run};
use super::{Place, rotation, token, with_alice};
use crate::domain::sessions::{Budget, Refreshed, Rotation, Rules};
use crate::domain::tokens::Until;
use crate::store::Store;

super::on_both!(
    expired_session_and_diverged_token_are_rejected,
    used_session_expires_at_its_maximum_age,
    shorter_lifetime_applies_to_existing_sessions,
    place_is_taken_for_as_long_as_the_new_token_is_valid,
    repeated_refresh_takes_from_the_budget,
    token_of_the_former_format_with_a_used_successor_is_reused,
);

async fn expired_session_and_diverged_token_are_rejected(place: Place) {
    let store = with_alice(&place).await;
    let expired = store.rotate_refresh(rotation(1, 9000)).await.unwrap();
    assert!(matches!(expired, Refreshed::Refused), "{expired:?}");
    // This token has the same generation, but was issued before a backup was restored.
    let other = Rotation { presented: token(99), ..rotation(1, 2000) };
    let other = store.rotate_refresh(other).await.unwrap();
    assert!(matches!(other, Refreshed::Diverged), "{other:?}");
    assert!(store.live_session("s", 2000).await.unwrap().is_none());
}

async fn used_session_expires_at_its_maximum_age(place: Place) {
    let store = with_alice(&place).await;
    let rules = Rules { max_secs: 5000, ..rotation(1, 2000).rules };
    store.rotate_refresh(Rotation { rules, ..rotation(1, 2000) }).await.unwrap();
    let (session, _) = store.live_session("s", 2000).await.unwrap().unwrap();
    assert_eq!(session.expires_at, 6000);
}

async fn shorter_lifetime_applies_to_existing_sessions(place: Place) {
    let store = with_alice(&place).await;
    let rules = rotation(1, 2000).rules;
    // The session began at 1000, and expires at 9000 under the earlier rules.
    for (rules, passes) in
        [(Rules { max_secs: 1000, ..rules }, false), (Rules { max_secs: 1001, ..rules }, true)]
    {
        let asked = Rotation { rules, ..rotation(1, 2000) };
        let refreshed = store.rotate_refresh(asked).await.unwrap();
        assert_eq!(matches!(refreshed, Refreshed::Rotated(..)), passes, "{refreshed:?}");
    }
}

async fn place_is_taken_for_as_long_as_the_new_token_is_valid(place: Place) {
    const TAKEN: &str = "SELECT max(taken_until) FROM status_places";
    let store = with_alice(&place).await;
    for (generation, expiry, taken) in [(1, 100_000, 100_000), (2, 100_001, 200_000)] {
        let until = Until { expiry, extend_to: 200_000, free: 1000 };
        let asked = Rotation { until, ..rotation(generation, 2000) };
        let refreshed = store.rotate_refresh(asked).await.unwrap();
        assert!(matches!(refreshed, Refreshed::Rotated(..)), "{refreshed:?}");
        assert_eq!(count(&place, TAKEN).await, taken);
    }
}

async fn repeated_refresh_takes_from_the_budget(place: Place) {
    let store = with_alice(&place).await;
    let rules = Rules { budget: Budget::new(3), ..rotation(1, 2000).rules };
    let ask = async || store.rotate_refresh(Rotation { rules, ..rotation(1, 2000) }).await.unwrap();
    assert!(matches!(ask().await, Refreshed::Rotated(..)));
    for _ in 0..2 {
        assert!(matches!(ask().await, Refreshed::Repeated { .. }));
    }
    assert!(matches!(ask().await, Refreshed::Limited { .. }));
}

/// Two tokens of the former format: `token(2)` was exchanged for `token(1)`.
const FORMER: &str = "INSERT INTO refresh_tokens (hash, session_id, created_at, rotated_at) \
    SELECT token_hash, id, 1000, 1000 FROM sessions WHERE id = 's' \
    UNION ALL SELECT previous_hash, id, 1000, NULL FROM sessions WHERE id = 's'";

/// Opens a store whose session `s` still has tokens of the former format.
pub(super) async fn with_former_tokens(place: &Place) -> std::sync::Arc<dyn Store> {
    let store = with_alice(place).await;
    assert!(matches!(
        store.rotate_refresh(rotation(1, 1000)).await.unwrap(),
        Refreshed::Rotated(..)
    ));
    run(place, FORMER).await;
    let moved_back = "UPDATE sessions SET generation = 0, token_hash = NULL, \
        previous_hash = NULL, sealed_successor = NULL, rotated_at = NULL";
    run(place, moved_back).await;
    store
}

async fn token_of_the_former_format_with_a_used_successor_is_reused(place: Place) {
    let store = with_former_tokens(&place).await;
    // The spent token is presented again.
    let repeated = || Rotation {
        presented: token(2),
        generation: 0,
        former_successor: Some(token(1)),
        ..rotation(1, 1001)
    };
    let repeats = store.rotate_refresh(repeated()).await.unwrap();
    assert!(matches!(repeats, Refreshed::Repeated { .. }), "{repeats:?}");
    run(&place, "UPDATE refresh_tokens SET rotated_at = 1001 WHERE rotated_at IS NULL").await;
    let reused = store.rotate_refresh(repeated()).await.unwrap();
    assert!(matches!(reused, Refreshed::Reused), "{reused:?}");
}
