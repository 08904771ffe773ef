//! Builds the scenario from the options, and checks combinations of options.

use super::{Known, TuneArguments};
use crate::exit::Failure;
use crate::tune::activity::Recorded;
use crate::tune::costs::MeasuredAt;
use crate::tune::issuer::OwnCosts;
use crate::tune::scenario::{self, Activity, Habit, Scenario, Verifier};
use crate::units::{duration, number};

impl TuneArguments {
    /// The scenario with this expiry, which is one of the two that the options name.
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
            session_idle: known.session_idle(self).map(|(secs, _)| secs),
            revocations_per_day: self.revocations_per_day,
            rotations_per_day: self.rotations_per_day,
            outage: self.outage,
            restarted: self.restarted / 100.0,
            kept_keys: self.kept_keys,
            clock_skew: self.clock_skew,
            costs: self.sourced(known).costs(),
            issuer_cores: self.issuer_cores,
            hashes_on_half: known.costs_of(self).hashes_on_half(),
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

    /// Names the source of the costs.
    pub(in crate::tune) fn source_of_costs(&self, known: &Known) -> String {
        let issuer = match &known.issuer {
            Some(found) => {
                format!("{} {}", found.source(self.own_costs()), known.costs_of(self).name())
            }
            None => known.costs_of(self).costs().source.to_owned(),
        };
        match &known.validation {
            Some(validation) => format!("{issuer}. A validation: {}", validation.source),
            None => issuer,
        }
    }

    /// Measurements at the issuer that vary too much, or that stand in for another measurement.
    pub(in crate::tune) fn doubtful(&self, known: &Known) -> Vec<String> {
        known.issuer.as_ref().map(|found| found.doubtful(self.own_costs())).unwrap_or_default()
    }

    /// Measurements at the issuer that vary too much.
    pub(in crate::tune) fn noisy(&self, known: &Known) -> Vec<&'static str> {
        known.issuer.as_ref().map(|found| found.noisy(self.own_costs())).unwrap_or_default()
    }

    fn own_costs(&self) -> OwnCosts {
        OwnCosts {
            fetch: self.fetch_cost.is_some(),
            refresh: self.refresh_cost.is_some(),
            lookup: self.lookup_cost.is_some(),
            login: self.peak.login_cost.is_some(),
        }
    }

    /// Checks bounds and combinations of options.
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
            ("--feed-max-age", self.feed_max_age, 3.0, 86_400.0),
            ("--outage", self.outage, 1.0, 604_800.0),
            ("--clock-skew", self.clock_skew, 0.0, 86_400.0),
            ("--survive", self.survive.unwrap_or(1.0), 1.0, 86_400.0),
            ("--simulate", self.simulate, 60.0, 86_400.0),
        ] {
            if !(least..=most).contains(&value) {
                let (least, most) = (duration(least), duration(most));
                return Err(Failure::wrong(format!(
                    "{name} is {}; it must be from {least} to {most}",
                    duration(value)
                )));
            }
        }
        if self.fan_out > self.instances {
            return Err(Failure::wrong(format!(
                "--fan-out is {0}, which needs at least {0} instances, and --instances is {1}; raise --instances \
                 or lower --fan-out",
                self.fan_out, self.instances
            )));
        }
        // One rotation every 10 s. In the simulation, each instance fetches at each rotation.
        const MOST_ROTATIONS: f64 = 8640.0;
        if self.rotations_per_day > MOST_ROTATIONS {
            return Err(Failure::wrong(format!(
                "--rotations-per-day is {}; it must be at most {MOST_ROTATIONS}",
                self.rotations_per_day
            )));
        }
        self.mix.check()?;
        self.issuer.check()?;
        // It is not yet known whether the issuer is a Keycloak, which ends idle sessions.
        let of = self.costs_of.and_then(MeasuredAt::session_idle);
        let may_end = self.session_idle.or(of).is_some();
        self.peak.check(may_end || self.issuer.is_given())?;
        if self.survivors >= 100.0 {
            return Err(Failure::wrong(format!(
                "--survivors is {} %; it must be below 100 %, since some tokens expire just after an outage \
                 begins",
                number(self.survivors)
            )));
        }
        if self.restarted > 100.0 {
            let restarted = number(self.restarted);
            return Err(Failure::wrong(format!(
                "--restarted is {restarted} %; it must be from 0 to 100 %"
            )));
        }
        // Numbers without a unit are microseconds, so `5` for 5 ms is a likely mistake.
        const LEAST: f64 = 10.0;
        for (name, cost) in [
            ("--refresh-cost", self.refresh_cost),
            ("--fetch-cost", self.fetch_cost),
            ("--lookup-cost", self.lookup_cost),
        ] {
            if let Some(cost) = cost.filter(|cost| *cost < LEAST) {
                return Err(Failure::wrong(format!(
                    "{name} is {0} µs; it must be at least {1} µs. A number without a unit is in microseconds: \
                     write {0}ms for milliseconds",
                    number(cost),
                    number(LEAST)
                )));
            }
        }
        if self.habit == Habit::Lazy && self.refresh_early > 0.0 {
            return Err(Failure::wrong(
                "--refresh-early has no effect with --habit lazy, which refreshes on a 401; remove one of them",
            ));
        }
        if self.live && !cfg!(feature = "live") {
            return Err(Failure::wrong(
                "--live: this build lacks the feature `live`; install one with \
                 `cargo install portcullis-cli --features live`",
            ));
        }
        if self.live
            && self.access_expiry.unwrap_or(1.0).fract()
                + self.vs_access_expiry.unwrap_or(1.0).fract()
                > 0.0
        {
            return Err(Failure::wrong("--live: an access expiry must be in whole seconds"));
        }
        Ok(())
    }
}
