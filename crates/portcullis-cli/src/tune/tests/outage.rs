//! The users that an outage affects, the costs of tiers by share of sessions, and the cores at a peak.

use std::time::SystemTime;

use super::report;
use crate::tune::memo::memo;
use crate::tune::scenario::{Activity, Scenario};

#[test]
fn users_whose_token_is_due_are_the_refreshes_until_tokens_are_due_twice() {
    let of = Scenario::for_test();
    let (used, refreshes) = (of.used_for(), of.refreshes());
    for time in [1.0, 300.0, used] {
        let due = of.due_within(time);
        assert!((due / (refreshes * time) - 1.0).abs() < 1e-9, "{time}: {due}");
    }
    // After that, only sessions that have been inactive all the time are left, and finally none.
    assert!(of.due_within(2.0 * used) < 2.0 * refreshes * used);
    assert!((of.due_within(1e6) - 10_000.0).abs() < 1e-6, "{}", of.due_within(1e6));
    let always = Scenario { activity: Activity { pause: 0.0, ..of.activity }, ..of };
    assert_eq!((always.due_within(450.0), always.due_within(900.0)), (5000.0, 10_000.0));
}

#[test]
fn sessions_without_pauses_have_their_token_at_the_start_of_an_outage() {
    let of = Scenario::for_test();
    let always = Scenario { activity: Activity { pause: 0.0, ..of.activity }, ..of };
    for scenario in [of, always] {
        let none = scenario.locked_out(0.0);
        assert!(none.abs() < 1e-9, "{none}");
    }
}

#[test]
fn outage_names_active_and_distinct_users_and_the_failed_logins_of_a_peak() {
    let of = report("--sessions 6000 --access-expiry 5m --outage 10m");
    assert!((of.affected.active - 1000.0).abs() < 1e-6, "{:?}", of.affected);
    assert!(of.affected.due > of.affected.locked_out && of.affected.in_peak.is_none());
    assert!(of.to_string().contains("logins that fail"), "{of}");
    let options = "--sessions 6000 --access-expiry 5m --login-peak 9000 --login-cost 50ms";
    let within = report(&format!("{options} --outage 10m")).affected.in_peak.unwrap();
    assert_eq!(within.failed_logins, 6000.0);
    // In an outage that outlasts the peak, each login fails once.
    let longer = report(&format!("{options} --outage 2h")).affected.in_peak.unwrap();
    assert_eq!(longer.failed_logins, 9000.0);
    // 6000 logins of 50 ms take 300 s of one of the two cores. The peak, which goes on for 300 s, leaves half
    // of that core.
    assert!((within.recovery.unwrap() - 450.0).abs() < 1e-9, "{within:?}");
    // All sessions belong to the peak.
    assert!(within.recovery_by_logins && within.waiting_others == 0.0, "{within:?}");
    let none = report(&format!("{options} --outage 10m --issuer-cores 0.00001"));
    assert_eq!(none.affected.in_peak.as_ref().unwrap().recovery, None);
    let told = memo(&none, SystemTime::UNIX_EPOCH);
    for part in
        ["## Outage", "- logins that fail if the outage begins with the login peak: 6000", "never"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
}

const MORNING: &str = "--sessions 30000 --instances 160 --fan-out 5 --login-peak 20000 --login-within 15m \
                       --live-share 25 --costs-of keycloak --login-cost 97.5ms";

/// When the logins end, most sessions of the peak are still active.
#[test]
fn introspection_of_the_peak_counts_the_sessions_that_logged_in() {
    let of = report(MORNING);
    let peak = of.login_peak.as_ref().unwrap();
    // One in six of the 10,000 other sessions is active. After a login: 1/6 + 5/6·e^(−t/250 s).
    let others = 10_000.0 / 6.0;
    let after_login = 900.0 / 6.0 + 250.0 * 5.0 / 6.0 * (1.0 - (-900.0_f64 / 250.0).exp());
    let active = others + 20_000.0 / 900.0 * after_login;
    assert!((9_400.0..9_600.0).contains(&active), "{active}");
    assert!((peak.active - active).abs() < 1e-6, "{peak:?}");
    // Each active session introspects 25 % of 5 validations in 10 s.
    let introspection = active * 0.25 * 0.5 * of.settings[0].scenario.costs.lookup;
    assert!((peak.parts.introspection - introspection).abs() < 1e-9, "{peak:?}");
    let text = of.to_string();
    for part in [
        "When they end, 9500 sessions are active: 7840 of the peak, and 1670 of the others",
        "active sessions at a time, without a peak",
        "active sessions at the end of the login peak",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("in the peak as well"), "{text}");
}

/// After the peak, the issuer has its usual load.
#[test]
fn recovery_has_the_load_of_the_peak_only_while_it_goes_on() {
    let of = report(&format!("{MORNING} --issuer-cores 8 --outage 30m"));
    let (peak, within) = (of.login_peak.as_ref().unwrap(), of.affected.in_peak.as_ref().unwrap());
    let usual = of.mechanisms.last().unwrap().issuer_cores;
    // All logins of the peak fail, and of the 5000 other active users a third, who do not belong to the peak,
    // log in again as well.
    let expected = (20_000.0 + 5000.0 / 3.0) * 0.0975 / (8.0 - usual);
    assert_eq!((within.failed_logins, within.peak_left), (20_000.0, 0.0));
    assert!((within.waiting_others - 5000.0 / 3.0).abs() < 1e-6, "{within:?}");
    assert!((within.recovery.unwrap() - expected).abs() < 1e-6 * expected, "{within:?}");
    assert!(of.to_string().contains(" cores with your routes): the peak is over"), "{of}");
    // After an outage of 10 min, the peak continues for 5 min.
    let of = report(&format!("{MORNING} --outage 10m --issuer-cores 10"));
    let within = of.affected.in_peak.as_ref().unwrap();
    let costs = of.settings[0].scenario.costs;
    let (waiting, logins) =
        (of.settings[0].waiting_after_outage, of.settings[0].logging_in_after_outage);
    let logins = logins.unwrap().model;
    let others = 10_000.0 / 30_000.0;
    let work = others * ((waiting.model - logins) * costs.refresh + logins * costs.login)
        + within.failed_logins * costs.login;
    assert_eq!(within.peak_left, 300.0);
    let served = (10.0 - peak.cores) * 300.0;
    assert!(served < work, "{served}, {work}");
    let expected = 300.0 + (work - served) / (10.0 - usual);
    assert!((within.recovery.unwrap() - expected).abs() < 1e-6 * expected, "{within:?}");
    let text = of.to_string();
    assert!(
        text.contains("5 min with the load of the peak, and the rest without the peak ("),
        "{text}"
    );
}

#[test]
fn cores_at_the_peak_are_the_sum_of_the_listed_parts() {
    let options = "--login-peak 9000 --live-share 5 --list-share 20 --fan-out 5 --login-cost 75ms";
    let of = report(options);
    let (peak, rows) = (of.login_peak.as_ref().unwrap(), &of.mechanisms);
    let parts = peak.parts;
    let sum = parts.refreshes_and_fetches
        + parts.idle_logins
        + parts.logins
        + parts.refreshes_due
        + parts.introspection
        + parts.status_lists;
    assert!((peak.cores - sum).abs() < 1e-12, "{peak:?}");
    assert_eq!(parts.logins, 10.0 * 0.075);
    // Every instance polls its list and keys as it does without a peak. 1000 of 10,000 sessions are not
    // part of it.
    let costs = of.settings[0].scenario.costs;
    let refreshes = of.settings[0].refreshes.model * costs.refresh;
    let fetches = of.settings[0].fetches.model * costs.fetch;
    assert!((parts.refreshes_and_fetches - refreshes / 10.0 - fetches).abs() < 1e-12, "{peak:?}");
    let list = rows[2].issuer_cores - rows[0].issuer_cores;
    assert!((parts.status_lists - list).abs() < 1e-12, "{peak:?}");
    assert!(parts.introspection > 0.0 && parts.status_lists > 0.0, "{peak:?}");
    let text = of.to_string();
    for part in [
        "for introspection on your routes",
        "for status lists on your routes",
        "(75 ms each, --login-cost)",
        "each of the 5 services of a request introspects",
        "active sessions at a time, without a peak",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("usual load"), "{text}");
    let assumed = report("--login-peak 9000").to_string();
    assert!(assumed.contains("50.1 ms each, assumed: a refresh and 50 ms"), "{assumed}");
    let keycloak = report("--login-peak 9000 --costs-of keycloak").to_string();
    assert!(keycloak.contains("75 ms each, assumed: measured at Keycloak 26"), "{keycloak}");
}

#[test]
fn partition_leaves_routes_on_the_expiry_and_closes_those_with_introspection() {
    let of = report("--sessions 1000 --live-share 5 --list-share 20 --outage 30m");
    let [expiry, _, list, asked, _, mix] = &of.mechanisms[..] else { panic!("{of}") };
    assert_eq!((expiry.in_partition, list.in_partition, asked.in_partition), (0.0, 1.0, 1.0));
    assert!((mix.in_partition - 0.25).abs() < 1e-12 && expiry.locked_out > 0.9, "{mix:?}");
    let text = of.to_string();
    for part in ["100 % locked out (100 % in a partition)", "(0 % in a partition)", "in_outage"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn tier_costs_are_proportional_to_its_share_of_sessions() {
    let of = report("--sessions 1000 --access-expiry 15m");
    let [minute_old, older, rest] = &of.tiers[..] else { panic!("{:?}", of.tiers) };
    assert_eq!((minute_old.max_token_age, older.max_token_age), (Some(60.0), Some(300.0)));
    assert_eq!((rest.max_token_age, rest.refreshes[0]), (None, rest.refreshes[1]));
    let minute = report("--sessions 1000 --access-expiry 60").settings[0].refreshes.model;
    let base = of.settings[0].refreshes.model;
    assert_eq!(minute_old.refreshes[1], minute);
    let few = 0.9f64.mul_add(base, 0.1 * minute);
    assert!((minute_old.refreshes[0] - few).abs() < 1e-9, "{minute_old:?}");
    assert!(of.to_string().contains("max_token_age(60 s)"), "{of}");
}

/// With shares of routes, only the mix describes the service.
#[test]
fn introspection_of_each_request_gives_no_warning_beside_shares() {
    let options = "--sessions 100000 --costs-of keycloak --issuer-cores 2";
    let each = "overload: introspection of each request";
    assert!(report(options).warnings.iter().any(|warning| warning.contains(each)));
    let mixed = report(&format!("{options} --live-share 60")).warnings;
    assert!(mixed[0].starts_with("overload: your routes: 60 % introspection"), "{mixed:?}");
    assert_eq!(mixed.len(), 1, "{mixed:?}");
}

#[test]
fn outage_goal_states_its_price_in_the_same_sentence() {
    let why = report("--sessions 1000 --survive 30m").recommendation.unwrap().why;
    let expiry = why.iter().find(|why| why.starts_with("An access expiry of ")).unwrap();
    let sentence = expiry.split(". ").next().unwrap();
    assert!(sentence.contains("at the price of a lag of at most "), "{expiry}");
}

#[test]
fn lockout_plot_reaches_the_outage_and_series_have_the_colours_of_the_page() {
    let of = report("--sessions 1000 --access-expiry 60 --outage 12h --max-stale 7d");
    let html = crate::tune::html::page(&of);
    let plot = html.split("Active sessions that an outage of the issuer locks out").nth(1).unwrap();
    let plot = plot.split("<h2>").next().unwrap();
    assert!(plot.contains(">14 h<") || plot.contains(">12 h<"), "{plot}");
    // The colours follow the order of the lines.
    let order = |text: &str, quote: &str| {
        let at = |name: &str| text.find(&format!("{name}{quote}")).unwrap();
        at("these bursts") < at("always active")
    };
    let refreshes = html.split("<h2>Refreshes at the issuer</h2>").nth(1).unwrap();
    assert!(order(refreshes, "</li>"), "{refreshes}");
    assert!(order(include_str!("../page/wiring.js"), "', at"));
}

#[test]
fn max_stale_of_an_outage_goal_has_a_margin_and_is_compared_with_the_given_one() {
    let why = |options: &str| report(options).recommendation.unwrap().why.remove(0);
    let half = why("--sessions 1000 --survive 30m");
    for part in [
        "max_stale of at least 30 min 8 s, which the given 1 h fulfils",
        "+ 38 s for the first fetch after the outage",
    ] {
        assert!(half.contains(part), "{half}");
    }
    let long = why("--sessions 1000 --survive 2h");
    assert!(long.contains("more than the given 1 h"), "{long}");
}

/// 22.2 logins a second need 1.11 cores, and the companion issuer has one of two for them.
#[test]
fn logins_above_half_of_the_cores_are_warned_of_and_decide_the_size() {
    let options = "--sessions 30000 --login-peak 20000 --login-within 15m --issuer-cores";
    let of = report(&format!("{options} 2"));
    let peak = of.login_peak.as_ref().unwrap();
    assert!(peak.cores < 2.0 && peak.cores_at_70_percent < 2.0, "{peak:?}");
    assert!((peak.sizing.load.logins - 20_000.0 / 900.0 * 0.0501).abs() < 1e-9, "{peak:?}");
    assert_eq!((peak.sizing.cores, peak.sizing.by_logins), (4.0, true));
    let warning = "logins are the limit: in the login peak, they need 1.11 cores, and the companion issuer \
                   hashes passwords on at most 1 of its 2 cores. ";
    assert_eq!(of.warnings.len(), 1, "{:?}", of.warnings);
    assert!(of.warnings[0].starts_with(warning), "{:?}", of.warnings);
    assert!(of.warnings[0].ends_with("Size for 4 cores"), "{:?}", of.warnings);
    let text = of.to_string();
    for part in [
        "Size for 4 cores, by twice the 1.11 cores of the logins.",
        "of them for logins, needs 4 cores, by the logins. --issuer-cores is 2.",
        "cores of the issuer for password hashes ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Of 4 cores, logins have 2.
    assert_eq!(report(&format!("{options} 4")).warnings, Vec::<String>::new());
    // Keycloak has no such limit.
    let keycloak = report(&format!("{options} 4 --costs-of keycloak --login-cost 75ms"));
    assert!(!keycloak.warnings.iter().any(|warning| warning.contains("limit")), "{keycloak}");
    assert!(!keycloak.login_peak.as_ref().unwrap().sizing.by_logins, "{keycloak}");
    // Without a peak, sessions that ended while idle log in.
    let idle = report("--sessions 300000 --session-idle 15m --issuer-cores 12");
    let warning = "logins are the limit: without a login peak, they need ";
    assert!(idle.warnings.iter().any(|of| of.starts_with(warning)), "{:?}", idle.warnings);
}

#[test]
fn recovery_by_the_logins_names_their_cores() {
    let options = "--sessions 20000 --session-idle 30m --outage 30m";
    let text = report(options).to_string();
    assert!(
        text.contains(", limited by the logins, for which the issuer has 1 core  (computed)"),
        "{text}"
    );
    let peak = report(&format!("{options} --login-peak 9000 --live-share 5")).to_string();
    assert_eq!(
        peak.matches(" (limited by the logins, for which the issuer has 1 core)").count(),
        2,
        "{peak}"
    );
    let goal = report(&format!("{options} --survive 30m --survivors 10")).recommendation.unwrap();
    assert!(goal.why.iter().any(|why| why.contains("by the logins, for which")), "{goal:?}");
}

/// Each session of the peak logs in once, whether or not the outage is longer than the peak.
#[test]
fn no_session_waits_twice_after_an_outage_in_a_peak() {
    for (peak, outage) in
        [(20_000.0, "30m"), (20_000.0, "10m"), (30_000.0, "30m"), (60_000.0, "1h")]
    {
        let options = format!("--sessions 30000 --login-peak {peak} --outage {outage}");
        let of = report(&options);
        let (alone, within) = (&of.settings[0], of.affected.in_peak.as_ref().unwrap());
        let others = (1.0 - peak / 30_000.0_f64).max(0.0) * alone.waiting_after_outage.model;
        assert!((within.waiting_others - others).abs() < 1e-6, "{options}: {within:?}");
        let all = within.failed_logins + within.waiting_others;
        assert!(all <= 30_000.0_f64.max(peak) + 1e-6, "{options}: {all}");
    }
}

/// No session has to survive, so no expiry follows.
#[test]
fn outage_goal_without_survivors_has_a_max_stale_and_no_expiry() {
    let of = report("--sessions 1000 --survive 30m --survivors 0").recommendation.unwrap();
    assert_eq!((of.access_expiry, of.max_stale, of.unmet), (None, Some(1808), false));
    let why = of.why.join("\n");
    assert!(why.contains("With --survivors 0, no session needs an accepted token"), "{why}");
    assert!(why.contains("In a partition, ") && !why.contains("An access expiry of"), "{why}");
    assert!(!why.contains("Alternatively"), "{why}");
    let lag =
        report("--sessions 1000 --survive 30m --survivors 0 --max-lag 5m").recommendation.unwrap();
    assert_eq!((lag.access_expiry, lag.max_stale, lag.unmet), (Some(280), Some(1808), false));
    assert!(lag.conflict.is_none() && lag.why.join("\n").contains("reaches all goals"), "{lag:?}");
}
