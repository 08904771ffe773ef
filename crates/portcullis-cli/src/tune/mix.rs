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

    /// Time for which an instance uses an introspection response again (`Revocation::live().reuse_for`),
    /// from 100 ms to 1 h. [default: it introspects each request]
    #[arg(long, value_name = "DURATION", value_parser = seconds, allow_hyphen_values = true, help_heading = "Other mechanisms")]
    pub(super) reuse_for: Option<f64>,
}

impl Mix {
    pub(super) fn check(self) -> Result<(), Failure> {
        if let Some(given) = self.reuse_for.filter(|given| !(0.1..=3600.0).contains(given)) {
            return Err(Failure::wrong(format!(
                "--reuse-for is {}; it must be from 100 ms to 1 h",
                duration(given)
            )));
        }
        if self.live_share + self.list_share > 100.0 {
            return Err(Failure::wrong(
                "the sum of --live-share and --list-share is above 100 percent",
            ));
        }
        Ok(())
    }

    /// Rejects a share of a guarantee that the issuer does not offer.
    pub(super) fn check_offers(self, offers: Offers) -> Result<(), Failure> {
        if self.reuse_for.is_some() && offers.introspection == Some(false) {
            return Err(Failure::wrong(
                "--reuse-for has no effect: the issuer (--issuer, --costs-of or --lacks) offers no \
                 introspection; remove it",
            ));
        }
        for (option, share, offered) in [
            ("--live-share", self.live_share, offers.introspection),
            ("--list-share", self.list_share, offers.status_lists),
        ] {
            if share > 0.0 && offered == Some(false) {
                let instead = match option {
                    "--list-share" if offers.introspection != Some(false) => {
                        ". Use --live-share for these routes; in the service, `Revocation::live()\
                         .reuse_for(…)` (--reuse-for 10s) introspects less often if a session's requests reach the same \
                         instance"
                    }
                    _ => ". Leave it out: these routes rely on the expiry, or on a `max_token_age`",
                };
                return Err(Failure::wrong(format!(
                    "{option} is {} %, but the issuer (--issuer or --costs-of) does not offer it{instead}",
                    number(share)
                )));
            }
        }
        Ok(())
    }

    /// The bound and the lockout of each kind of route.
    pub(super) fn routes(
        self,
        expiry: &Mechanism,
        list: &Mechanism,
        asked: &Mechanism,
        fan_out: u64,
    ) -> Option<String> {
        let live_routes = match fan_out {
            1 => "require introspection".to_owned(),
            all => format!(
                "require introspection (each of the {all} services of a request introspects)"
            ),
        };
        let (live, listed) = (self.live_share, self.list_share);
        let kinds = [
            ((100.0 - live - listed).max(0.0), "rely on the expiry", expiry),
            (listed, "require a status list", list),
            (live, live_routes.as_str(), asked),
        ];
        let parts = kinds.into_iter().filter(|kind| kind.0 > 0.0).map(|(share, what, of)| {
            format!(
                "{} % of the requests {what}: {}, {} locked out ({} in a partition)",
                number(share),
                match of.lag_bound {
                    0.0 => "no lag".to_owned(),
                    bound => format!("a lag of at most {}", duration(bound)),
                },
                percent(of.locked_out),
                percent(of.in_partition)
            )
        });
        (live + listed > 0.0).then(|| parts.collect::<Vec<_>>().join("; "))
    }

    /// The cores of the issuer for introspection and for status lists, beside those of the expiry, in the
    /// busiest minute if there is one. `active`: the active sessions.
    pub(super) fn route_cores(
        self,
        expiry: &Mechanism,
        list: &Mechanism,
        asked: &Mechanism,
        active: f64,
    ) -> RouteCores {
        let live = self.live_share / 100.0;
        let cores = |of: &Mechanism| of.busiest_cores.unwrap_or(of.issuer_cores);
        let beside = |of: &Mechanism| cores(of) - cores(expiry);
        RouteCores {
            introspection: live * beside(asked),
            per_active: live * (asked.issuer_cores - expiry.issuer_cores) / active,
            status_lists: if self.list_share > 0.0 { beside(list) } else { 0.0 },
        }
    }

    /// All routes together, from the figures of each guarantee alone; `None` if all rely on the expiry.
    pub(super) fn together(
        self,
        expiry: &Mechanism,
        list: &Mechanism,
        asked: &Mechanism,
        pushed: bool,
    ) -> Option<Mechanism> {
        let (live, listed) = (self.live_share / 100.0, self.list_share / 100.0);
        if live + listed == 0.0 {
            return None;
        }
        let rest = (1.0 - live - listed).max(0.0);
        // Each instance fetches the list, however few of its requests need it.
        let fetched = if listed > 0.0 { 1.0 } else { 0.0 };
        let beside = |of: fn(&Mechanism) -> f64| {
            of(expiry) + fetched * (of(list) - of(expiry)) + live * (of(asked) - of(expiry))
        };
        let worst = |share: f64, value: f64| if share > 0.0 { value } else { 0.0 };
        let over_all = |of: fn(&Mechanism) -> f64| {
            worst(rest, of(expiry)).max(worst(listed, of(list))).max(worst(live, of(asked)))
        };
        let named = format!("a status list, {}", if pushed { "pushed" } else { "polled" });
        let introspection = match self.reuse_for {
            Some(reuse) => format!("introspection reused for {}", duration(reuse)),
            None => "introspection".to_owned(),
        };
        let asking: Vec<_> = [(self.live_share, introspection), (self.list_share, named)]
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
            locked_out: rest * expiry.locked_out
                + listed * list.locked_out
                + live * asked.locked_out,
            in_partition: rest * expiry.in_partition
                + listed * list.in_partition
                + live * asked.in_partition,
            only_modelled: true,
        })
    }
}
