//! The guarantees that a service's routes require, each with its share of the requests.

use clap::Args;

use super::issuer::Offers;
use super::mechanisms::{Mechanism, RouteCores};
use crate::exit::Failure;
use crate::units::{duration, number, percent, positive, seconds};

/// Shares of the requests. The other requests rely on the expiry.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Mix {
    /// Share of requests to routes that introspect every request (`Revocation::live`), in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = positive, help_heading = "Other mechanisms")]
    pub(super) live_share: f64,

    /// Share of requests to routes that require a status list, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = positive, help_heading = "Other mechanisms")]
    pub(super) list_share: f64,

    /// Share of requests to routes that require the feed of reported logouts (`Revocation::feed`), in
    /// percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = positive, help_heading = "Other mechanisms")]
    pub(super) feed_share: f64,

    /// Time for which an instance uses an introspection response again (`Revocation::live().reuse_for`),
    /// from 100 ms to 1 h, on all routes of --live-share. [default: it introspects each request]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Other mechanisms")]
    pub(super) reuse_for: Option<f64>,
}

/// The row of each guarantee.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kinds<'a> {
    pub(super) expiry: &'a Mechanism,
    pub(super) list: &'a Mechanism,
    pub(super) feed: &'a Mechanism,
    pub(super) live: &'a Mechanism,
}

impl Mix {
    pub(super) fn check(self) -> Result<(), Failure> {
        if let Some(given) = self.reuse_for.filter(|given| !(0.1..=3600.0).contains(given)) {
            return Err(Failure::wrong(format!(
                "--reuse-for is {}; it must be from 100 ms to 1 h",
                duration(given)
            )));
        }
        if self.live_share + self.list_share + self.feed_share > 100.0 {
            return Err(Failure::wrong(
                "the sum of --live-share, --list-share and --feed-share is above 100 percent",
            ));
        }
        Ok(())
    }

    /// Rejects a share of requests for a guarantee that the issuer does not offer.
    pub(super) fn check_offers(self, offers: Offers) -> Result<(), Failure> {
        if self.reuse_for.is_some() && offers.introspection == Some(false) {
            return Err(Failure::wrong(
                "--reuse-for has no effect: the issuer (--issuer, --costs-of or --lacks) offers no \
                 introspection; remove it",
            ));
        }
        let lacks_introspection = offers.introspection == Some(false);
        for (option, share, is_offered) in [
            ("--live-share", self.live_share, !lacks_introspection),
            ("--list-share", self.list_share, offers.status_lists != Some(false)),
            ("--feed-share", self.feed_share, offers.sends_logouts()),
        ] {
            if share > 0.0 && !is_offered {
                let instead = match (option, lacks_introspection, offers.sends_logouts()) {
                    ("--list-share", false, feed) => format!(
                        ". Use {}--live-share for these routes; in the service, `Revocation::live()\
                         .reuse_for(…)` (--reuse-for 10s) introspects less often if a session's requests reach the same \
                         instance",
                        if feed {
                            "--feed-share, for logouts that the issuer reports, or "
                        } else {
                            ""
                        }
                    ),
                    ("--list-share", true, true) => {
                        ". Use --feed-share for these routes, for logouts that the issuer reports"
                            .to_owned()
                    }
                    _ => ". Leave it out: these routes rely on the expiry, or on a `max_token_age`"
                        .to_owned(),
                };
                return Err(Failure::wrong(format!(
                    "{option} is {} %, but the issuer (--issuer, --costs-of or --lacks) does not offer \
                     it{instead}",
                    number(share)
                )));
            }
        }
        Ok(())
    }

    /// The bound and the lockout of each kind of route.
    pub(super) fn routes(self, of: Kinds<'_>, fan_out: u64) -> Option<String> {
        let live_routes = match fan_out {
            1 => "require introspection".to_owned(),
            all => format!(
                "require introspection (each of the {all} services of a request introspects)"
            ),
        };
        let reused = if self.reuse_for.is_some() { " (--reuse-for)" } else { "" };
        let kinds = [
            (self.rest(), "rely on the expiry", of.expiry, ""),
            (self.list_share, "require a status list", of.list, ""),
            (self.feed_share, "require the feed", of.feed, " from the service's 200"),
            (self.live_share, live_routes.as_str(), of.live, reused),
        ];
        let parts = kinds.into_iter().filter(|kind| kind.0 > 0.0).map(|(share, what, of, by)| {
            format!(
                "{} % of the requests {what}: {}, {} locked out ({} in a partition)",
                number(share),
                match of.lag_bound {
                    0.0 => "no lag".to_owned(),
                    bound => format!("a lag of at most {}{by}", duration(bound)),
                },
                percent(of.locked_out),
                percent(of.in_partition)
            )
        });
        self.is_given().then(|| parts.collect::<Vec<_>>().join("; "))
    }

    fn is_given(self) -> bool {
        self.live_share + self.list_share + self.feed_share > 0.0
    }

    /// The share of requests to routes that rely on the expiry, in percent.
    fn rest(self) -> f64 {
        (100.0 - self.live_share - self.list_share - self.feed_share).max(0.0)
    }

    /// The cores of the issuer for introspection and for status lists, in addition to those of the
    /// expiry. Uses the busiest minute if there is one. `active`: the number of active sessions.
    pub(super) fn route_cores(self, of: Kinds<'_>, active: f64) -> RouteCores {
        let live = self.live_share / 100.0;
        let cores = |of: &Mechanism| of.busiest_cores.unwrap_or(of.issuer_cores);
        let beside = |kind: &Mechanism| cores(kind) - cores(of.expiry);
        RouteCores {
            introspection: live * beside(of.live),
            per_active: live * (of.live.issuer_cores - of.expiry.issuer_cores) / active,
            status_lists: if self.list_share > 0.0 { beside(of.list) } else { 0.0 },
        }
    }

    /// Combines the rows of all guarantees into one for the whole service. `None` if all routes rely on the
    /// expiry.
    pub(super) fn together(self, kinds: Kinds<'_>, pushed: bool) -> Option<Mechanism> {
        if !self.is_given() {
            return None;
        }
        let Kinds { expiry, list, feed, live } = kinds;
        // Each instance fetches the list, even if few of its requests need it. The feed adds no load.
        let fetched = if self.list_share > 0.0 { 1.0 } else { 0.0 };
        let beside = |of: fn(&Mechanism) -> f64| {
            let introspected = self.live_share / 100.0 * (of(live) - of(expiry));
            of(expiry) + fetched * (of(list) - of(expiry)) + introspected
        };
        let shares = [
            (self.rest(), expiry),
            (self.list_share, list),
            (self.feed_share, feed),
            (self.live_share, live),
        ];
        let over_all = |of: fn(&Mechanism) -> f64| {
            let used = shares.iter().filter(|(share, _)| *share > 0.0);
            used.map(|(_, kind)| of(kind)).fold(0.0, f64::max)
        };
        let weighted = |of: fn(&Mechanism) -> f64| {
            shares.iter().map(|(share, kind)| share / 100.0 * of(kind)).sum()
        };
        let named = format!("a status list, {}", if pushed { "pushed" } else { "polled" });
        let introspection = match self.reuse_for {
            Some(reuse) => format!("introspection reused for {}", duration(reuse)),
            None => "introspection".to_owned(),
        };
        let asking: Vec<_> = [
            (self.live_share, introspection),
            (self.list_share, named),
            (self.feed_share, "the feed".to_owned()),
        ]
        .into_iter()
        .filter(|(share, _)| *share > 0.0)
        .map(|(share, what)| format!("{} % {what}", number(share)))
        .collect();
        Some(Mechanism {
            name: format!("your routes: {}", asking.join(", ")),
            lag_bound: over_all(|of| of.lag_bound),
            usual_lag: over_all(|of| of.usual_lag),
            issuer_requests: beside(|of| of.issuer_requests),
            issuer_cores: beside(|of| of.issuer_cores),
            busiest_cores: expiry
                .busiest_cores
                .map(|_| beside(|of| of.busiest_cores.unwrap_or_default())),
            locked_out: weighted(|of| of.locked_out),
            in_partition: weighted(|of| of.in_partition),
            only_modelled: true,
        })
    }
}
