//! Describes in words what was found at an issuer.

use super::{Found, Timing};
use crate::output::escaped;
use crate::tune::costs::KEYCLOAK_MOST;
use crate::units::duration;

/// For each cost, whether an option replaces the measurement.
#[derive(Debug, Clone, Copy)]
pub(in crate::tune) struct OwnCosts {
    pub(in crate::tune) fetch: bool,
    pub(in crate::tune) refresh: bool,
    pub(in crate::tune) lookup: bool,
    pub(in crate::tune) login: bool,
}

/// A measurement, and the option that replaces it.
struct Measurement {
    what: &'static str,
    timing: Timing,
    option: &'static str,
    is_replaced: bool,
}

impl Found {
    fn measurements(&self, own: OwnCosts) -> Vec<Measurement> {
        [
            ("a fetch of the keys", Some(self.fetch), "--fetch-cost", own.fetch),
            ("a client-credentials grant", self.grant, "--refresh-cost", own.refresh),
            ("a password grant", self.password, "--login-cost", own.login),
            ("a refresh", self.refresh, "--refresh-cost", own.refresh),
            ("an introspection", self.introspection, "--lookup-cost", own.lookup),
        ]
        .into_iter()
        .filter_map(|(what, timing, option, is_replaced)| {
            Some(Measurement { what, timing: timing?, option, is_replaced })
        })
        .collect()
    }

    /// Describes the source of the costs that were measured at the issuer.
    pub(in crate::tune) fn source(&self, own: OwnCosts) -> String {
        let mut of: Vec<_> = self
            .measurements(own)
            .into_iter()
            .map(|Measurement { what, timing, option, is_replaced }| {
                let stands =
                    if self.is_stand_in(what) { ", which stands for a refresh" } else { "" };
                let unused = if is_replaced {
                    format!(" (not used: {option} is set)")
                } else {
                    String::new()
                };
                format!("{what} {timing}{stands}{unused}")
            })
            .collect();
        if self.grant.is_none() && self.refresh.is_none() {
            of.push("no refresh, since --client-id is not set".to_owned());
        }
        format!(
            "{}, measured in this run from this machine with {} requests, one at a time: {}. These times \
             include the network and replace CPU times; the issuer's background work, such as garbage \
             collection, is not in them. They vary between runs: the medians of one Keycloak's grants were \
             2.2 to 27.7 ms within 20 min, so repeat the run. Costs that were not measured are those of \
             --costs-of",
            self.issuer,
            self.requests,
            of.join("; ")
        )
    }

    fn is_stand_in(&self, what: &str) -> bool {
        what == "a client-credentials grant" && self.refresh.is_none()
    }

    /// Measurements that are in use (no option replaces them) and that vary too much or stand in
    /// for another measurement.
    pub(in crate::tune) fn doubtful(&self, own: OwnCosts) -> Vec<String> {
        let used = self.measurements(own).into_iter().filter(|of| !of.is_replaced);
        let mut all: Vec<_> = used
            .filter_map(|Measurement { what, timing, option, .. }| {
                let [low, high] = timing.noise()?.map(duration);
                Some(format!(
                    "NOISY: the quartiles of {what} at the issuer are {low} and {high}. Likely causes are an \
                     issuer that was just started, since the first hundreds of requests to a JVM, such as \
                     Keycloak's, take several times as long, and a busy machine. Do not rely on the median: repeat with more \
                     --issuer-requests, set {option} to the CPU time of the issuer's process per \
                     request, or make two reports, with the lowest and the highest cost that --costs-of \
                     names"
                ))
            })
            .collect();
        all.extend(self.beyond_range(own));
        if self.is_keycloak && self.grant.is_some() && self.refresh.is_none() && !own.refresh {
            all.push(
                "a client-credentials grant stands for a refresh, and at Keycloak a refresh costs about \
                 twice as much (7.65 ms of CPU time, against 4 ms for such a grant), so the cores for \
                 refreshes are too low. Measure a refresh with --username and --password-file, or set \
                 --refresh-cost"
                    .to_owned(),
            );
        }
        all
    }

    /// Measurements at a Keycloak that are in use and took more than twice the upper end of the range that
    /// `--costs-of keycloak` states.
    fn beyond_range(&self, own: OwnCosts) -> Vec<String> {
        let used =
            self.measurements(own).into_iter().filter(|of| self.is_keycloak && !of.is_replaced);
        used.filter_map(|Measurement { what, timing, option, .. }| {
            let (_, most) = KEYCLOAK_MOST.into_iter().find(|(of, _)| *of == option)?;
            (timing.median > 2.0 * most).then(|| {
                format!(
                    "measured on a busy machine, or over a slow network? The median of \
                     {what} is {}, more than twice {}, the highest CPU time of \
                     --costs-of keycloak, so the cores for it may be too high. \
                     Repeat the run on an idle machine near the issuer, or set {option} to the CPU \
                     time of the issuer's process per request",
                    duration(timing.median),
                    duration(most)
                )
            })
        })
        .collect()
    }

    /// The names of the measurements that are in use and vary too much.
    pub(in crate::tune) fn noisy(&self, own: OwnCosts) -> Vec<&'static str> {
        let used = self.measurements(own).into_iter().filter(|of| !of.is_replaced);
        used.filter(|of| of.timing.noise().is_some()).map(|of| of.what).collect()
    }

    /// Returns names and values for a report.
    pub(in crate::tune) fn lines(&self) -> Vec<(&'static str, String)> {
        let offered = |offer: Option<bool>, unknown: &str| match offer {
            Some(true) => "offered".to_owned(),
            Some(false) => "not offered, and left out of this report".to_owned(),
            None => format!("unknown: {unknown}"),
        };
        let mut introspection = offered(self.offers.introspection, "not in its metadata");
        if self.may_not_ask {
            introspection += ", and not measured: the client's own token is reported as inactive, so this \
                              client is not allowed to introspect (Keycloak requires it in the token's `aud`)";
        }
        let control = escaped(self.cache_control.as_deref().unwrap_or("not sent"));
        let mut lines = vec![
            (
                "Cache-Control of its JWKS",
                match self.max_age {
                    Some(age) => {
                        format!("{control}: the TTL of a service is at most {}", duration(age))
                    }
                    None => format!("{control}: a service caches the keys for its own TTL"),
                },
            ),
            (
                "token lifetime",
                self.token_lifetime
                    .map_or_else(|| "unknown: give a client (--client-id)".to_owned(), duration),
            ),
            (
                "algorithm of its tokens",
                match (&self.algorithm, self.is_keycloak) {
                    (Some(name), _) => name.clone(),
                    (None, true) => "RS256 is assumed: the path of its metadata is Keycloak's"
                        .to_owned(),
                    (None, false) => "unknown: give a client (--client-id)".to_owned(),
                },
            ),
            ("introspection", introspection),
            (
                "status lists",
                offered(self.offers.status_lists, "give a client (--client-id), to see its token"),
            ),
            (
                "back-channel logout",
                if self.offers.sends_logouts() {
                    "offered: routes with `Revocation::feed` reject the access tokens of a session that the issuer \
                     reports as ended"
                } else {
                    "not announced in its metadata, so `Revocation::feed` is left out of this report"
                }
                .to_owned(),
            ),
        ];
        if self.offers.status_lists != Some(false) {
            let push = "not checked; assumed only with --costs-of companion (the default)";
            lines.push(("push of its status list", push.to_owned()));
        }
        lines
    }
}
