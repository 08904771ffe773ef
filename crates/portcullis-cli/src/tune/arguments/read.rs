//! From options to what is modelled.

use super::{Known, TuneArguments};
use crate::exit::Failure;
use crate::tune::activity::Recorded;
use crate::tune::costs;
use crate::tune::scenario::{self, Activity, Costs, Habit, Scenario, Verifier};
use crate::units::{duration, number};

impl TuneArguments {
    /// The scenario with one of the two expiries.
    pub(in crate::tune) fn scenario(&self, access_expiry: f64, known: &Known) -> Scenario {
        let recorded = known.recorded.as_ref();
        Scenario {
            access_expiry,
            verifier: self.verifier(known),
            sessions: self
                .sessions
                .or(recorded.map(|recorded| recorded.summary.sessions))
                .unwrap_or(10_000),
            instances: self.instances,
            fan_out: self.fan_out,
            activity: recorded.map_or(
                Activity {
                    request_every: self.request_every,
                    burst: self.burst,
                    pause: self.pause,
                },
                Recorded::activity,
            ),
            habit: self.habit,
            refresh_early: self.refresh_early,
            session_idle: self.session_idle.or(self.costs_of.session_idle()),
            revocations_per_day: self.revocations_per_day,
            rotations_per_day: self.rotations_per_day,
            outage: self.outage,
            restarted: self.restarted / 100.0,
            kept_keys: self.kept_keys,
            clock_skew: self.clock_skew,
            costs: self.costs(known),
            issuer_cores: self.issuer_cores,
        }
    }

    fn verifier(&self, known: &Known) -> Verifier {
        Verifier {
            jwks_ttl: self.jwks_ttl,
            used_ttl: scenario::used_ttl(self.jwks_ttl, known.max_age(self)),
            refresh_ahead: self.refresh_ahead.unwrap_or(scenario::default_ahead(self.jwks_ttl)),
            leeway: self.leeway,
            fetch_timeout: self.fetch_timeout,
            max_stale: self.max_stale,
        }
    }

    /// By the options; or else as measured by `bench` and at the issuer; or else as measured elsewhere.
    fn costs(&self, known: &Known) -> Costs {
        let elsewhere = self.costs_of.costs();
        let validation = known.validation.as_ref();
        let there = known.issuer.as_ref();
        let refresh = there.and_then(|found| found.grant).map(|grant| grant.median * 1e6);
        let lookup = there.and_then(|found| found.introspection).map(|asked| asked.median * 1e6);
        let fetch = there.map(|found| found.fetch.median * 1e6);
        let verify = validation.map_or(elsewhere.verify, |of| of.verify);
        let hit = validation.map_or(costs::HIT, |of| of.hit);
        let refresh = self.refresh_cost.or(refresh).unwrap_or(elsewhere.refresh) / 1e6;
        Costs {
            verify: self.verify_cost.unwrap_or(verify) / 1e6,
            hit: self.hit_cost.unwrap_or(hit) / 1e6,
            refresh,
            fetch: self.fetch_cost.or(fetch).unwrap_or(elsewhere.fetch) / 1e6,
            lookup: self.lookup_cost.or(lookup).unwrap_or(elsewhere.lookup) / 1e6,
            login: self.peak.login_cost(refresh),
        }
    }

    /// Where these come from.
    pub(in crate::tune) fn source_of_costs(&self, known: &Known) -> String {
        let issuer = match &known.issuer {
            Some(found) => found.source(),
            None => self.costs_of.costs().source.to_owned(),
        };
        match &known.validation {
            Some(validation) => format!("{issuer}. A validation is of {}", validation.source),
            None => issuer,
        }
    }

    /// What no option can see of itself.
    pub(in crate::tune) fn check(&self) -> Result<(), Failure> {
        for (name, value, least, most) in [
            ("--access-expiry", self.access_expiry.unwrap_or(1.0), 1.0, 86_400.0),
            ("--vs-access-expiry", self.vs_access_expiry.unwrap_or(1.0), 1.0, 86_400.0),
            ("--jwks-ttl", self.jwks_ttl, 1.0, 86_400.0),
            ("--fetch-timeout", self.fetch_timeout, 0.1, 60.0),
            ("--max-stale", self.max_stale, 0.0, 604_800.0),
            ("--refresh-ahead", self.refresh_ahead.unwrap_or(0.0), 0.0, self.jwks_ttl),
            ("--leeway", self.leeway, 0.0, 300.0),
            ("--request-every", self.request_every, 0.001, 86_400.0),
            ("--burst", self.burst, 1.0, 604_800.0),
            ("--pause", self.pause, 0.0, 604_800.0),
            ("--refresh-early", self.refresh_early, 0.0, 86_400.0),
            ("--session-idle", self.session_idle.unwrap_or(60.0), 60.0, 2_592_000.0),
            ("--burst-gap", self.burst_gap, 1.0, 86_400.0),
            ("--list-max-age", self.list_max_age, 3.0, 86_400.0),
            ("--outage", self.outage, 1.0, 604_800.0),
            ("--clock-skew", self.clock_skew, 0.0, 86_400.0),
            ("--survive", self.survive.unwrap_or(1.0), 1.0, 86_400.0),
            ("--simulate", self.simulate, 60.0, 86_400.0),
        ] {
            if !(least..=most).contains(&value) {
                let (least, most) = (duration(least), duration(most));
                return Err(Failure::wrong(format!(
                    "{name} is {}: it must be from {least} to {most}",
                    duration(value)
                )));
            }
        }
        if self.fan_out > self.instances {
            return Err(Failure::wrong(format!(
                "--fan-out is {0}: a request goes through {0} services, each with an instance of its own, and \
                 --instances is only {1}. Raise --instances, or lower --fan-out",
                self.fan_out, self.instances
            )));
        }
        for (name, given) in [
            ("--max-lag", self.max_lag.is_some()),
            ("--max-refresh-rps", self.max_refresh_rps.is_some()),
        ] {
            if given && self.survive.is_some() {
                return Err(Failure::wrong(format!(
                    "{name} and --survive each recommend an access expiry of their own, mostly a short and a \
                     long one: ask for one of them, and set the other's figures beside it with --access-expiry"
                )));
            }
        }
        // One every 10 s: each is a fetch of each instance in the simulation.
        const MOST_ROTATIONS: f64 = 8640.0;
        if self.rotations_per_day > MOST_ROTATIONS {
            return Err(Failure::wrong(format!(
                "--rotations-per-day is {}: it must be at most {MOST_ROTATIONS}",
                self.rotations_per_day
            )));
        }
        self.mix.check()?;
        self.peak.check(self.session_idle.or(self.costs_of.session_idle()).is_some())?;
        if self.survivors > 100.0 {
            return Err(Failure::wrong("--survivors is a share in percent: it must be below 100"));
        }
        if self.survivors >= 100.0 {
            return Err(Failure::wrong(
                "--survivors must be below 100 percent: some token always ends as an outage begins",
            ));
        }
        if self.restarted > 100.0 {
            return Err(Failure::wrong(
                "--restarted is a share in percent: it must be from 0 to 100",
            ));
        }
        // A number without a unit is of microseconds, which is easily forgotten.
        const LEAST: f64 = 10.0;
        for (name, cost) in [
            ("--refresh-cost", self.refresh_cost),
            ("--fetch-cost", self.fetch_cost),
            ("--lookup-cost", self.lookup_cost),
        ] {
            if let Some(cost) = cost.filter(|cost| *cost < LEAST) {
                return Err(Failure::wrong(format!(
                    "{name} is {0} µs, which no issuer reaches: a number alone is of microseconds. Write {0}ms \
                     for milliseconds, or at least {1} µs",
                    number(cost),
                    number(LEAST)
                )));
            }
        }
        if self.habit == Habit::Lazy && self.refresh_early > 0.0 {
            return Err(Failure::wrong(
                "--refresh-early: a lazy client refreshes on a 401; it goes with --habit timer",
            ));
        }
        if self.live && !cfg!(feature = "live") {
            return Err(Failure::wrong(
                "--live: this build has no live run; install one that has: \
                 `cargo install portcullis-cli --features live`",
            ));
        }
        if self.live
            && self.access_expiry.unwrap_or(1.0).fract()
                + self.vs_access_expiry.unwrap_or(1.0).fract()
                > 0.0
        {
            return Err(Failure::wrong("--live: an access expiry has whole seconds"));
        }
        Ok(())
    }
}
