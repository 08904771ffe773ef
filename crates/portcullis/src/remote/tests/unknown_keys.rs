//! Tokens with an unknown key: a budget of fetches, then a rejection that never blames the service.

use super::*;

#[tokio::test]
async fn unknown_kids_spend_a_burst_and_then_one_fetch_per_cooldown() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    for number in 0..3 {
        assert_eq!(world.ask(&format!("junk{number}")).await, "unknown");
    }
    for second in 0..30 {
        let expected = format!("429 after {} s", 30 - second);
        assert_eq!(world.ask(&format!("more{second}")).await, expected);
        assert_eq!(world.ask("a").await, "key");
        world.advance(1);
    }
    assert_eq!(world.fetches(), 4);
    assert_eq!(world.ask("junk").await, "unknown");
    assert_eq!(world.ask("junk").await, "429 after 30 s");
    assert_eq!(world.fetches(), 5);
}

#[tokio::test]
async fn twenty_thousand_random_kids_cost_only_a_burst_and_no_503() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    let mut counts = std::collections::BTreeMap::<_, usize>::new();
    for number in 0..20_000 {
        let answer = world.ask(&format!("junk{number}")).await;
        *counts.entry(answer.split(' ').next().unwrap().to_owned()).or_default() += 1;
        assert_eq!(world.ask("a").await, "key");
    }
    let expected = [("429".to_owned(), 19_997), ("unknown".to_owned(), 3)];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(world.fetches(), 4);
}

#[tokio::test]
async fn two_rotations_in_14_seconds_reject_no_token() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    for (id, ids) in [("b", ["a", "b"]), ("c", ["b", "c"])] {
        world.publish(&ids);
        world.advance(7);
        assert_eq!(world.ask(id).await, "key");
    }
}

#[tokio::test]
async fn probed_kid_is_accepted_as_soon_as_it_is_published() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.ask("b").await, "unknown");
    world.publish(&["a", "b"]);
    assert_eq!(world.ask("b").await, "key");
}

#[tokio::test]
async fn withdrawn_kid_is_401_even_over_the_budget() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.publish(&["b"]);
    world.advance(300);
    assert_eq!(world.ask("a").await, "unknown");
    for number in 0..4 {
        let _ = world.ask(&format!("junk{number}")).await;
    }
    assert!(world.ask("junk").await.starts_with("429"));
    assert_eq!(world.ask("a").await, "unknown");
    // Fetches fail and back off.
    world.fetch.set(JWKS, Answer::Fails);
    world.advance(300);
    assert!(world.ask("junk").await.starts_with("429"));
    assert_eq!(world.ask("a").await, "unknown");
    // No usable set is left, so the result is unknown.
    world.advance(3600);
    assert!(world.ask("a").await.starts_with("503"));
}

#[tokio::test]
async fn withdrawn_kid_stays_401_through_fetches_of_the_same_set() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.publish(&["b"]);
    for _ in 0..10 {
        world.advance(300);
        assert_eq!(world.ask("a").await, "unknown");
        assert_eq!(world.ask("b").await, "key");
    }
}

#[tokio::test]
async fn retries_of_a_failed_fetch_spend_no_budget() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(JWKS, Answer::Fails);
    for _ in 0..20 {
        assert!(world.ask("b").await.starts_with("429"));
        assert_eq!(world.ask("a").await, "key");
        world.advance(5);
    }
    assert_eq!(world.fetches(), 21, "the next attempt begins at most 5 s after a failure");
    world.publish(&["a", "b"]);
    assert_eq!(world.ask("b").await, "key");
    // One fetch was spent, before the first failure.
    for number in 0..2 {
        assert_eq!(world.ask(&format!("junk{number}")).await, "unknown");
    }
}

#[tokio::test]
async fn recovered_issuer_is_fetched_within_5_seconds() {
    let world = World::publishing(&["a"]);
    world.fetch.set(JWKS, Answer::status(503, "").with("retry-after", "300"));
    for _ in 0..20 {
        assert_eq!(world.ask("a").await.split(' ').next(), Some("503"));
        world.advance(4);
    }
    world.publish(&["a"]);
    world.advance(5);
    assert_eq!(world.ask("a").await, "key");
}
