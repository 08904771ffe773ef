//! One page for a security review: what was decided, why, and what remains.

use std::time::SystemTime;

use super::figures::Figures;
use super::report::Report;
use super::text::{ASSUMPTIONS, loaded};
use crate::units::{duration, number, percent};

pub(super) fn memo(report: &Report, at: SystemTime) -> String {
    let mut text = String::from(
        "# How long a revoked session is accepted\n\nThe service validates access tokens locally and \
         asks nobody on the request path. What is revoked at the issuer is therefore noticed later: a \
         **session** when its access token expires, a **key** when the key set is fetched again. The \
         JWKS TTL does not shorten the revocation of sessions.\n\n",
    );
    text += &format!("Date: {}\n\n", date(at));
    for warning in &report.warnings {
        text += &format!("**Warning**: {warning}.\n\n");
    }
    text += &values(report);
    if let (Some(peak), Some(first)) = (&report.login_peak, report.settings.first()) {
        text += &format!("\nLogin peak: {}\n", peak.text(&first.scenario));
    }
    if let Some(issuer) = &report.issuer {
        text +=
            &format!("\n## The issuer\n\n{}, by {} requests\n\n", issuer.issuer, issuer.requests);
        for (name, value) in issuer.lines() {
            text += &format!("- {name}: {value}\n");
        }
    }
    text += &tiers(report);
    text += &alternatives(report);
    if let Some(recommendation) = &report.recommendation {
        text += "\n## Recommendation\n\n";
        for why in &recommendation.why {
            text += &format!("- {why}\n");
        }
    }
    text += FORMULAS;
    for assumption in ASSUMPTIONS {
        text += &format!("- {assumption}\n");
    }
    text += &format!("- The issuer's costs are of {}.\n", report.costs);
    text += REMAINS;
    text += "## Inputs\n\n| | |\n|---|---|\n";
    for (name, value) in report.inputs() {
        text += &format!("| {name} | {value} |\n");
    }
    text + &format!("\n{}\n\n{}", report.agreement(), report.provenance())
}

/// `08 Nov 2026`, in UTC.
fn date(at: SystemTime) -> String {
    let date = httpdate::fmt_http_date(at);
    date.get(5..16).unwrap_or(&date).to_owned()
}

fn values(report: &Report) -> String {
    let mut text = "## Values\n\n".to_owned();
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        let values: Vec<_> = report.settings.iter().map(value).collect();
        text += &format!("| {name} | {} |\n", values.join(" | "));
    };
    row("access expiry", &|figures| duration(figures.scenario.access_expiry));
    row("---", &|_| "---".to_owned());
    row("a revoked session is accepted for at most", &Figures::session_bound);
    row("not at all, since its token had expired", &|figures| {
        figures.by_file(|file| Some(1.0 - file.with_lag), figures.without_lag, percent)
    });
    row("of the others, half for at most", &|figures| {
        figures.by_file(|file| Some(file.lag_median), figures.lag_median, duration)
    });
    row("and 99 of 100 for at most", &|figures| {
        figures.by_file(|file| Some(file.lag_p99), figures.lag_p99, duration)
    });
    row("a withdrawn key is accepted for at most", &Figures::key_bound);
    row("the same while the issuer is away", &|figures| duration(figures.key_lag_bound_in_outage));
    row("refreshes/s at the issuer", &|figures| {
        figures.by_file(|file| Some(file.refreshes), figures.refreshes, number)
    });
    if report.recorded.is_some() {
        row("the same in the busiest minute", &|figures| {
            number(figures.load().busiest_minute.unwrap_or_default())
        });
    }
    row("JWKS fetches/s at the issuer", &|figures| figures.fetches.show(number));
    row("issuer cores for both", &Figures::cores);
    row("requests refused since clocks differ", &|figures| figures.refused_by_skew.show(percent));
    // The outage: who is locked out and why, how many ask when it is over, and for how long.
    let names = report.settings.first().map(Figures::outage_lines).unwrap_or_default();
    for (index, (name, _)) in names.iter().enumerate() {
        row(name.trim(), &|figures| {
            figures.outage_lines().get(index).map(|line| line.1.clone()).unwrap_or_default()
        });
    }
    text
}

fn tiers(report: &Report) -> String {
    let Some(first) = report.settings.first() else { return String::new() };
    let expiry = first.scenario.access_expiry;
    let mut text = format!(
        "\n## Tiers\n\nOne token serves all routes, so a tier is a setting of the route: \
         `Policy::max_token_age`, and clients of that route refresh as often. No tier is longer than the \
         access expiry, {}. The refreshes are those of sessions that all use the tier.\n\n| tier | setting of \
         the route | a revoked session is accepted for | refreshes/s | locked out by the outage |\n\
         |---|---|---|---|---|\n",
        duration(expiry)
    );
    let mut row = |tier: &str, setting: &str, bound: f64, refreshes: f64, locked_out: f64| {
        text += &format!(
            "| {tier} | {setting} | at most {} | {} | {} |\n",
            duration(bound),
            number(refreshes),
            percent(locked_out)
        );
    };
    for (tier, age) in TIERS.iter().filter(|(_, age)| *age < expiry) {
        if let Some(point) = report.sweep.iter().find(|point| point.access_expiry == *age) {
            let setting = format!("`max_token_age({age} s)`");
            row(tier, &setting, point.lag_bound, point.refreshes, point.locked_out);
        }
    }
    let load = first.load();
    let locked_out = load.locked_out(&first.scenario);
    row("all other routes", "none: the expiry", first.lag_bound, load.refreshes, locked_out);
    text
}

fn alternatives(report: &Report) -> String {
    let mut text = "\n## Alternatives\n\nFor single routes that ask for more than expiry; closed forms, \
                    not simulated; ! is more than the issuer has.\n\n| how a revocation is noticed | accepted for at most | usually | \
                    requests/s at the issuer | issuer cores | locked out by the outage |\n\
                    |---|---|---|---|---|---|\n"
        .to_owned();
    let has = report.settings.first().map_or(f64::INFINITY, |of| of.scenario.issuer_cores);
    for mechanism in &report.mechanisms {
        text += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            mechanism.name,
            duration(mechanism.lag_bound),
            duration(mechanism.usual_lag),
            number(mechanism.issuer_requests),
            match mechanism.busiest_cores {
                Some(most) => format!(
                    "{}; {} in the busiest minute",
                    loaded(mechanism.issuer_cores, has),
                    loaded(most, has)
                ),
                None => loaded(mechanism.issuer_cores, has),
            },
            percent(mechanism.locked_out)
        );
    }
    if let Some(routes) = &report.routes {
        text += &format!("\nYour routes: {routes}.\n");
    }
    for why in &report.left_out {
        text += &format!("\nLeft out: {why}.\n");
    }
    text
}

const FORMULAS: &str = "\n## Formulas\n\n\
    - session lag ≤ access expiry + 2 × leeway: once for the expiry, once for an issuer whose clock is ahead\n\
    - key lag ≤ JWKS TTL + 2 × fetch timeout + 1.1 s, with one fetch that fails; JWKS TTL + max stale while \
    the issuer is away\n\
    - refreshes/s = sessions / (age at refresh + the mean wait for the session to be active)\n\
    - JWKS fetches/s = instances / (the mean time between two fetches: TTL − 1.5 × refresh ahead, and less with \
    rotations, each of which starts a new TTL)\n\
    - keys ended by an outage D = share of key sets that were older than TTL + max stale − D when it began\n\n\
    ## Assumptions\n\n";

const REMAINS: &str = "\n## What remains\n\n\
    - Until its token expires, a revoked session is accepted. Routes that cannot bear that look \
    the session up at the issuer, and pay with a call.\n\
    - A change of the issuer's settings changes the bound; `max_token_lifetime` in the service \
    refuses tokens that were issued for longer.\n\
    - A short expiry makes every session depend on the issuer as often.\n\n";

/// Token ages of the sweep, and the routes that they suit.
const TIERS: &[(&str, f64)] = &[
    ("payments, administration", 60.0),
    ("personal data", 300.0),
    ("other data that changes", 900.0),
];
