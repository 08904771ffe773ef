use super::*;

const fn hash(byte: u8) -> TokenHash {
    [byte; 32]
}

/// A session at generation 5 that was rotated at 1000 s. The token of generation `n` has the hash
/// `hash(n)`.
fn kept() -> Kept {
    Kept {
        generation: 5,
        current: Some(hash(5)),
        previous: Some(hash(4)),
        sealed: Some(vec![1]),
        rotated_at: 1000,
        ..Kept::default()
    }
}

fn rotation(generation: u8, now: i64) -> Rotation {
    Rotation {
        session_id: String::new(),
        presented: hash(generation),
        generation: i64::from(generation),
        successor: hash(generation + 1),
        sealed: vec![2],
        former_successor: None,
        now,
        now_millis: now * 1000,
        until: Until { expiry: now, extend_to: now, free: now },
        rules: Rules { idle_secs: 1000, max_secs: 5000, grace_secs: 10, budget: Budget::new(0) },
        key_version: None,
        address: None,
        user_agent: None,
    }
}

const ROTATED: fn(&Judgement) -> bool = |it| matches!(it, Judgement::Rotate { .. });
const AT_ONCE_REPEATED: fn(&Judgement) -> bool =
    |it| matches!(it, Judgement::Repeat { late: None, .. });
const LATE_REPEATED: fn(&Judgement) -> bool =
    |it| matches!(it, Judgement::Repeat { late: Some(1), .. });
const REUSED: fn(&Judgement) -> bool = |it| *it == Judgement::Reused;
const DIVERGED: fn(&Judgement) -> bool = |it| *it == Judgement::Diverged;

#[test]
fn token_is_judged_by_generation_hash_and_age() {
    let other = |generation| Rotation { presented: hash(99), ..rotation(generation, 1000) };
    let no_grace = |generation| {
        let rules = Rules { grace_secs: 0, ..rotation(generation, 1000).rules };
        Rotation { rules, ..rotation(generation, 1000) }
    };
    for (what, rotation, expected) in [
        ("current", rotation(5, 9000), ROTATED),
        ("current, without grace", no_grace(5), ROTATED),
        ("predecessor at once", rotation(4, 1000), AT_ONCE_REPEATED),
        ("predecessor after 2 s", rotation(4, 1002), AT_ONCE_REPEATED),
        ("predecessor after 3 s", rotation(4, 1003), LATE_REPEATED),
        ("predecessor after 10 s", rotation(4, 1010), LATE_REPEATED),
        ("predecessor after 11 s", rotation(4, 1011), REUSED),
        ("predecessor, without grace", no_grace(4), REUSED),
        ("older than the predecessor", rotation(3, 1000), REUSED),
        ("first token", rotation(1, 1000), REUSED),
        ("same generation, another history", other(5), DIVERGED),
        ("predecessor of another history", other(4), REUSED),
        ("newer than the store", rotation(6, 1000), DIVERGED),
    ] {
        let judgement = kept().judge(&rotation);
        assert!(expected(&judgement), "{what}: {judgement:?}");
    }
    let erased = Kept { sealed: None, ..kept() };
    assert_eq!(erased.judge(&rotation(4, 1000)), Judgement::Reused, "the successor is erased");
}

#[test]
fn late_repeats_in_three_consecutive_generations_are_reuse() {
    let late = |late_generation, late_generations| {
        Kept { late_generation, late_generations, ..kept() }.judge(&rotation(4, 1005))
    };
    let repeat = |late| Judgement::Repeat { budget_until: 1_005_000, late: Some(late) };
    assert_eq!(late(0, 0), repeat(1));
    assert_eq!(late(4, 1), repeat(2), "the second in a row");
    assert_eq!(late(5, 2), repeat(2), "the same generation again");
    assert_eq!(late(4, 2), Judgement::Reused, "the third in a row");
    assert_eq!(late(3, 2), repeat(1), "not consecutive");
    let at_once = Kept { late_generation: 4, late_generations: 2, ..kept() };
    assert!(AT_ONCE_REPEATED(&at_once.judge(&rotation(4, 1002))), "after 2 s, so not late");
}

#[test]
fn budget_limits_refreshes_and_refills() {
    let limited = |budget_until, generation| {
        let rules = Rules { budget: Budget::new(3), ..rotation(generation, 1001).rules };
        let rotation = Rotation { rules, ..rotation(generation, 1001) };
        Kept { budget_until, ..kept() }.judge(&rotation)
    };
    let now = 1_001_000;
    assert_eq!(limited(0, 5), Judgement::Rotate { budget_until: now + 100_000 });
    assert_eq!(limited(now + 200_000, 5), Judgement::Rotate { budget_until: now + 300_000 });
    for generation in [4, 5] {
        let judgement = limited(now + 200_001, generation);
        assert_eq!(judgement, Judgement::Limited { retry_after_secs: 1 }, "{generation}");
    }
    assert_eq!(limited(now + 300_000, 5), Judgement::Limited { retry_after_secs: 100 });
    assert_eq!(limited(now + 300_000, 3), Judgement::Reused, "reuse is not hidden by the budget");
    assert_eq!(Budget::new(0).take(i64::MAX, 0), Ok(i64::MAX), "0 is no limit");
}

#[test]
fn token_of_the_former_format_is_valid_until_its_session_has_the_new_format() {
    let former =
        |rotated_at, successor_is_current| Some(Former { rotated_at, successor_is_current });
    let before = |former| Kept { former, ..Kept::default() };
    let after = |former| Kept { generation: 1, former, ..kept() };
    let presented = |now| Rotation { presented: hash(4), ..rotation(0, now) };
    for (what, kept, now, expected) in [
        ("current token", before(former(None, false)), 1000, ROTATED),
        ("spent before the upgrade", before(former(Some(999), true)), 1000, AT_ONCE_REPEATED),
        ("spent long before", before(former(Some(900), true)), 1000, REUSED),
        ("its successor was used", before(former(Some(999), false)), 1000, REUSED),
        ("exchanged for the new format", after(former(Some(1000), false)), 1001, AT_ONCE_REPEATED),
        ("exchanged long ago", after(former(Some(1000), false)), 1011, REUSED),
    ] {
        let judgement = kept.judge(&presented(now));
        assert!(expected(&judgement), "{what}: {judgement:?}");
    }
    assert_eq!(before(None).judge(&presented(1000)), Judgement::Unknown);
    let on_old_session = before(None).judge(&rotation(1, 1000));
    assert_eq!(on_old_session, Judgement::Diverged, "restored to before the new format");
    let later = Kept { generation: 2, former: former(Some(1000), false), ..kept() };
    assert_eq!(later.judge(&presented(1001)), Judgement::Reused);
}

#[test]
fn session_ends_when_it_is_unused_or_too_old() {
    let rules = rotation(5, 0).rules;
    assert_eq!(rules.expires_at(0, 100), 1100);
    assert_eq!(rules.expires_at(0, 4500), 5000);
    assert_eq!(rules.coarse(), 50);
    assert_eq!(Rules { idle_secs: 2_592_000, ..rules }.coarse(), 300);
}
