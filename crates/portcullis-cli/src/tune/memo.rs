//! One page for a security review: what was decided, why, and what remains.

use super::report::{Figures, Report};
use super::text::{ASSUMPTIONS, number, percent, secs};

pub(super) fn memo(report: &Report) -> String {
    let mut text = String::from(
        "# How long a revoked session is accepted\n\nThe service validates access tokens locally and \
         asks nobody on the request path. What is revoked at the issuer is therefore noticed later: a \
         **session** when its access token expires, a **key** when the key set is fetched again. The \
         JWKS TTL does not shorten the revocation of sessions.\n\n## Values\n\n",
    );
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        let values: Vec<_> = report.settings.iter().map(value).collect();
        text += &format!("| {name} | {} |\n", values.join(" | "));
    };
    row("access expiry", &|figures| secs(figures.scenario.access_expiry));
    row("---", &|_| "---".to_owned());
    row("a revoked session is accepted for at most", &|figures| secs(figures.lag_bound));
    row("for half of them at most", &|figures| secs(figures.lag_median.model));
    row("for 99 of 100 at most", &|figures| secs(figures.lag_p99.model));
    row("a withdrawn key is accepted for at most", &|figures| secs(figures.key_lag_bound));
    row("the same while the issuer is away", &|figures| secs(figures.key_lag_bound_in_outage));
    row("refreshes/s at the issuer", &|figures| number(figures.refreshes.model));
    row("JWKS fetches/s at the issuer", &|figures| number(figures.fetches.model));
    row("issuer cores for both", &|figures| number(figures.issuer_cores));
    row("active sessions locked out by an outage", &|figures| {
        format!("{} after {}", percent(figures.locked_out.model), secs(figures.scenario.outage))
    });
    row("requests refused since clocks differ", &|figures| percent(figures.refused_by_skew.model));
    text += "\n## Tiers\n\n| tier | access expiry | a revoked session is accepted for | refreshes/s | \
             locked out by the outage |\n|---|---|---|---|---|\n";
    for (tier, expiry) in TIERS {
        if let Some(point) = report.sweep.iter().find(|point| point.access_expiry == *expiry) {
            text += &format!(
                "| {tier} | {} | at most {} | {} | {} |\n",
                secs(point.access_expiry),
                secs(point.lag_bound),
                number(point.refreshes),
                percent(point.locked_out)
            );
        }
    }
    text += "\n## Alternatives\n\nFor single routes that ask for more than expiry; closed forms, \
             not simulated.\n\n| how a revocation is noticed | accepted for at most | usually | requests/s at the \
             issuer | issuer cores | locked out by the outage |\n|---|---|---|---|---|---|\n";
    for mechanism in &report.mechanisms {
        text += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            mechanism.name,
            secs(mechanism.lag_bound),
            secs(mechanism.usual_lag),
            number(mechanism.issuer_requests),
            number(mechanism.issuer_cores),
            percent(mechanism.locked_out)
        );
    }
    if let Some(recommendation) = &report.recommendation {
        text += "\n## Recommendation\n\n";
        for why in &recommendation.why {
            text += &format!("- {why}\n");
        }
    }
    text += "\n## Formulas\n\n\
             - session lag ≤ access expiry + leeway, plus whatever clocks differ by\n\
             - key lag ≤ JWKS TTL + fetch timeout; JWKS TTL + max stale while the issuer is away\n\
             - refreshes/s = sessions / (age at refresh + the mean wait for the session to be active)\n\
             - JWKS fetches/s = instances / (TTL − 1.5 × refresh ahead) + instances × rotations\n\n\
             ## Assumptions\n\n";
    for assumption in ASSUMPTIONS {
        text += &format!("- {assumption}\n");
    }
    text += "\n## What remains\n\n\
             - Until its token expires, a revoked session is accepted. Routes that can not bear that look \
             the session up at the issuer, and pay with a call.\n\
             - Whoever reconfigures the issuer changes the bound; `max_token_lifetime` in the service \
             refuses tokens that were issued for longer.\n\
             - A short expiry makes every session depend on the issuer as often.\n\n";
    text += &format!(
        "Made by `portcullis tune`, seed {}, {} simulated for each session and instance.",
        report.seed,
        secs(report.simulated_secs)
    );
    text
}

/// Expiries of the sweep, and whom they are for.
const TIERS: &[(&str, f64)] = &[
    ("payments, administration", 60.0),
    ("personal data", 300.0),
    ("the default", 900.0),
    ("reading what is public anyhow", 3600.0),
];
