//! `--memo`: one page for a security review, with the values, the alternatives and the remaining risk.

use std::time::SystemTime;

use super::figures::Figures;
use super::report::Report;
use super::text::{ASSUMPTIONS, COMPUTED, EXPIRED, GUARANTEES, computed, recorded};
use super::tiers::TIERS_TABLE;
use crate::units::{duration, number, percent};

pub(super) fn memo(report: &Report, at: SystemTime) -> String {
    let mut text = String::from(
        "# How long a revoked session is accepted\n\nThe service validates access tokens locally, without \
         a request to the issuer. It notices a revocation later: that of a **session** when its access token \
         expires, that of a **key** when it fetches the key set again. The JWKS TTL does not shorten the \
         revocation of sessions.\n\n",
    );
    text += &format!("Date: {}\n\n", date(at));
    for warning in &report.warnings {
        text += &format!("**Warning**: {warning}.\n\n");
    }
    text += &values(report);
    if let Some(recorded) = report.recorded_text() {
        text += &format!("\nRecorded: {recorded}.\n");
    }
    if let (Some(peak), Some(first)) = (&report.login_peak, report.settings.first()) {
        text += &format!("\nLogin peak: {}\n", peak.text(&first.scenario));
    }
    text += &format!("\nSizing: {}.\n", report.sizing_text());
    if let Some(issuer) = &report.issuer {
        text += &format!("\n## Issuer\n\n{}, {} requests\n\n", issuer.issuer, issuer.requests);
        for (name, value) in issuer.lines() {
            text += &format!("- {name}: {value}\n");
        }
    }
    text += &affected(report);
    text += &tiers(report);
    text += &alternatives(report);
    if let Some(recommendation) = &report.recommendation {
        text += &format!("\n## Recommendation\n\n{COMPUTED}\n\n");
        for why in &recommendation.why {
            text += &format!("- {why}\n");
        }
    }
    text += FORMULAS;
    for assumption in ASSUMPTIONS {
        text += &format!("- {assumption}\n");
    }
    text += &format!("- Costs at the issuer, unless an option sets them: {}.\n", report.costs);
    text += &remains(report);
    text += "## Inputs\n\n| | |\n|---|---|\n";
    for (name, value) in report.inputs() {
        text += &format!("| {name} | {value} |\n");
    }
    text + &format!("\n{}\n\n{}", report.agreement(), report.provenance())
}

/// The date in UTC, such as `08 Nov 2026`.
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
    row("a revoked session is accepted for at most", &|figures| computed(&figures.session_bound()));
    row(EXPIRED.trim(), &|figures| {
        figures.by_file(|file| Some(1.0 - file.with_lag), figures.without_lag, percent)
    });
    row("lag of the others, median", &|figures| {
        figures.by_file(|file| Some(file.lag_median), figures.lag_median, duration)
    });
    row("lag of the others, 99th percentile", &|figures| {
        figures.by_file(|file| Some(file.lag_p99), figures.lag_p99, duration)
    });
    row("a withdrawn key is accepted for at most", &|figures| computed(&figures.key_bound()));
    row("the same while the issuer is unavailable", &|figures| {
        computed(&duration(figures.key_lag_bound_in_outage))
    });
    row("refreshes/s at the issuer", &|figures| {
        figures.by_file(|file| Some(file.refreshes), figures.refreshes, number)
    });
    if let Some((name, _)) = report.settings.first().and_then(Figures::idle_logins_line) {
        row(name.trim(), &|figures| figures.idle_logins_line().unwrap_or_default().1);
    }
    if report.recorded.is_some() {
        row("refreshes/s in the busiest minute", &|figures| {
            recorded(&number(figures.load().busiest_minute.unwrap_or_default()))
        });
    }
    row("JWKS fetches/s at the issuer", &|figures| figures.fetches.show(number));
    row("issuer cores for both", &Figures::cores);
    row("requests rejected because of clock skew", &|figures| {
        figures.refused_by_skew.show(percent)
    });
    let names = report.settings.first().map(Figures::outage_lines).unwrap_or_default();
    for (index, (name, _)) in names.iter().enumerate() {
        row(name.trim(), &|figures| {
            figures.outage_lines().get(index).map(|line| line.1.clone()).unwrap_or_default()
        });
    }
    let live = |figures: &Figures| {
        figures.live.as_ref().map(|live| figures.live_lines(live)).unwrap_or_default()
    };
    let names = report.settings.first().map(live).unwrap_or_default();
    for (index, (name, _)) in names.iter().enumerate() {
        row(name.trim(), &|figures| {
            live(figures).get(index).map(|line| line.1.clone()).unwrap_or_default()
        });
    }
    text
}

fn tiers(report: &Report) -> String {
    format!("\n## Tiers\n\n{TIERS_TABLE}\n\n{}", report.tiers_table().markdown())
}

fn affected(report: &Report) -> String {
    let Some(first) = report.settings.first() else { return String::new() };
    let mut text = format!("\n## Outage\n\n{}\n\n", report.affected_title());
    for (name, value) in report.affected.lines(&first.scenario) {
        text += &format!("- {}: {value}\n", name.trim());
    }
    text
}

fn alternatives(report: &Report) -> String {
    let table = report.guarantees_table().markdown();
    let mut text = format!("\n## Alternatives\n\n{GUARANTEES}\n\n{table}");
    if let Some(routes) = &report.routes {
        text += &format!("\nYour routes: {routes}.\n");
    }
    for note in [report.feed_text(), report.partition_text()].into_iter().flatten() {
        text += &format!("\n{note}.\n");
    }
    for why in &report.left_out {
        text += &format!("\nLeft out: {why}.\n");
    }
    text
}

const FORMULAS: &str = "\n## Formulas\n\n\
    - session lag ≤ access expiry + 2 × leeway: once for the expiry, once for an issuer whose clock is ahead\n\
    - key lag ≤ JWKS TTL + 2 × fetch timeout + 1.1 s, with one fetch that fails; JWKS TTL + max stale while \
    the issuer is unavailable\n\
    - refreshes/s = sessions / (age at refresh + the mean wait for the session to be active)\n\
    - JWKS fetches/s = instances / (the mean time between two fetches: TTL − 1.5 × refresh ahead, and less with \
    rotations, each of which starts a new TTL)\n\
    - keys expired after an outage D = share of key sets that were older than TTL + max stale − D when it began\n\n\
    ## Assumptions\n\n";

/// The remaining risks. The first one lists the guarantees that the issuer offers against it.
fn remains(report: &Report) -> String {
    let offers = report.habits.offers;
    let age = duration(report.guarantees.list_max_age);
    let feed = format!(
        "the feed of reported logouts, at most {} old and only for what the issuer reports",
        duration(report.guarantees.feed_max_age)
    );
    let introspection = "an introspection of each request, which costs a call to the issuer";
    let offered: Vec<_> = [
        (offers.status_lists != Some(false), format!("a status list, at most {age} old")),
        (offers.sends_logouts(), feed),
        (offers.introspection != Some(false), introspection.to_owned()),
    ]
    .into_iter()
    .filter_map(|(is_offered, what)| is_offered.then_some(what))
    .collect();
    let shorter = match offered.is_empty() {
        true => "a `max_token_age`: the issuer offers nothing else".to_owned(),
        false => offered.join(", or "),
    };
    format!(
        "\n## What remains\n\n\
         - A revoked session is accepted until its token expires. Routes that cannot tolerate that require \
         {shorter}.\n\
         - A change of the issuer's settings changes the bound. `max_token_lifetime` in the service rejects \
         tokens with a longer lifetime.\n\
         - The shorter the expiry, the more often every session depends on the issuer.\n\n"
    )
}
