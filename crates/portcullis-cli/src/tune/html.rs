//! `--html`: the report as one self-contained page.

use super::closed_forms::bisect;
use super::figures::Figures;
use super::report::Report;
use super::scenario::Scenario;
use super::sweep::EXPIRIES;
use super::text::{ASSUMPTIONS, COMPUTED, FRONT, GUARANTEES};
use super::tiers::TIERS_TABLE;
use crate::document::{self, escape, prose};
use crate::plot::{Axis, Line, plot};
use crate::units::{duration, number, percent};

pub(super) fn page(report: &Report) -> String {
    let mut body = String::from("<h1>Access expiry and revocation lag</h1>\n");
    body += "<p>Sessions and keys are revoked independently. A <b>session</b> is accepted until its access \
             token expires, a signing <b>key</b> until the key set is fetched again. The JWKS TTL does \
             not shorten the revocation of sessions.</p>\n";
    for warning in &report.warnings {
        body += &format!("<p class=\"lead\">Warning: {}</p>\n", prose(warning));
    }
    if let (Some(comparison), [first, second]) = (&report.comparison, &report.settings[..]) {
        let given = if first.recorded.is_some() { "the recorded requests" } else { "these bursts" };
        body += &format!(
            "<p class=\"lead\">{} instead of {}: a lag of at most {} instead of {}, and {} times \
             as many refreshes if sessions are always active, or {} times as many for {given} \
             (computed; {} times as many in the simulated bursts).</p>\n",
            duration(second.scenario.access_expiry),
            duration(first.scenario.access_expiry),
            duration(second.lag_bound),
            duration(first.lag_bound),
            number(comparison.always_active),
            number(comparison.as_given),
            number(comparison.as_simulated)
        );
    }
    if let Some(recommendation) = &report.recommendation {
        body += &format!("<p>Recommendation. {COMPUTED}</p>\n");
        for why in &recommendation.why {
            body += &format!("<p class=\"lead\">{}</p>\n", prose(why));
        }
    }
    if let Some(recorded) = report.recorded_text() {
        body += &format!("<p>Recorded: {}.</p>\n", escape(&recorded));
    }
    if let (Some(peak), Some(first)) = (&report.login_peak, report.settings.first()) {
        body += &format!("<p>Login peak: {}</p>\n", prose(&peak.text(&first.scenario)));
    }
    if let Some(issuer) = &report.issuer {
        let (name, requests) = (escape(&issuer.issuer), issuer.requests);
        body += &format!("<h2>Issuer {name}</h2>\n<p>{requests} requests.</p>\n<ul>\n");
        for (name, value) in issuer.lines() {
            body += &format!("<li>{name}: {}</li>\n", prose(&value));
        }
        body += "</ul>\n";
    }
    for (title, svg) in plots(report) {
        body += &format!("<h2>{title}</h2>\n{svg}");
    }
    body += &figures(report);
    body += &format!("<p>Sizing: {}.</p>\n", prose(&report.sizing_text()));
    body += &affected(report);
    body += &guarantees(report);
    let tiers = report.tiers_table().html();
    body += &format!("<h2>Tiers</h2>\n<p>{}</p>\n{tiers}", prose(TIERS_TABLE));
    let front = report.front_table().html();
    body += &format!("<h2>Other settings</h2>\n<p>{}</p>\n{front}", prose(FRONT));
    body += "<h2>Assumptions</h2>\n<ul>\n";
    for assumption in ASSUMPTIONS {
        body += &format!("<li>{}</li>\n", prose(assumption));
    }
    body += &format!(
        "<li>Costs at the issuer, unless an option sets them: {}.</li>\n</ul>\n",
        prose(&report.costs)
    );
    body += &inputs(report);
    body += &format!("<p>{}</p>\n", prose(&report.agreement()));
    body += &format!("<p>{}</p>\n", prose(&report.provenance()));
    document::page("portcullis tune", &body, &[])
}

fn plots(report: &Report) -> Vec<(&'static str, String)> {
    let shares = || Axis {
        name: "share",
        marks: [0, 25, 50, 75, 100]
            .map(|percent| (f64::from(percent) / 100.0, format!("{percent} %")))
            .into(),
        log: false,
        show: percent,
    };
    let longest = report.settings.iter().map(|figures| figures.lag_bound).fold(0.0, f64::max);
    let lags = lines(report, longest, Figures::lag_exceeds);
    // The axis reaches the outage at which nearly all sessions are locked out, and at least the given one.
    let given = report.settings.first().map_or(0.0, |figures| figures.scenario.outage);
    let lost = report
        .settings
        .iter()
        .map(|figures| bisect(1e6, |outage| figures.scenario.locked_out(outage) >= 0.995));
    let outage = 1.25 * lost.fold(given, f64::max);
    let locked = lines(report, outage, |figures, outage| figures.scenario.locked_out(outage));
    let key_bound = report.settings.iter().map(|figures| figures.key_lag_bound).fold(0.0, f64::max);
    let keys = Line {
        name: "each instance".to_owned(),
        points: report.settings.first().map_or(Vec::new(), |figures| {
            steps(key_bound).map(|lag| (lag, figures.scenario.key_lag_exceeds(lag))).collect()
        }),
    };
    vec![
        (
            "Revoked sessions that are still accepted",
            plot(
                "share of all revoked sessions that are still accepted, by time; a session whose \
                 token had expired counts as not accepted",
                &Axis::durations("time since the revocation", longest),
                &shares(),
                &lags,
            ),
        ),
        ("Refreshes at the issuer", refreshes(report)),
        (
            "Active sessions that an outage of the issuer locks out",
            plot(
                "share of active sessions that are locked out, by length of the outage",
                &Axis::durations("time without the issuer", outage),
                &shares(),
                &locked,
            ),
        ),
        (
            "Instances that still accept a withdrawn key",
            plot(
                "share of instances that accept a withdrawn key, by time",
                &Axis::durations("time since the withdrawal", key_bound),
                &shares(),
                &[keys],
            ),
        ),
    ]
}

fn refreshes(report: &Report) -> String {
    let Some(figures) = report.settings.first() else { return String::new() };
    let line = |name: &str, scenario: &Scenario| Line {
        name: name.to_owned(),
        points: EXPIRIES
            .iter()
            .map(|&access_expiry| {
                (access_expiry, Scenario { access_expiry, ..*scenario }.refreshes())
            })
            .collect(),
    };
    let lines = [
        line("these bursts", &figures.scenario),
        line("always active", &figures.scenario.always_active()),
    ];
    let rates = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let least = rates().fold(f64::INFINITY, f64::min).log10().floor() as i32;
    let most = rates().fold(0.0, f64::max).log10().ceil() as i32;
    let decades = (least..=most.max(least + 1)).map(|power| {
        let rate = 10.0_f64.powi(power);
        (rate, number(rate))
    });
    let expiries = EXPIRIES.map(|expiry| (expiry, duration(expiry)));
    plot(
        "refreshes per second at the issuer, by access expiry",
        &Axis { name: "access expiry", marks: expiries.into(), log: true, show: duration },
        &Axis { name: "refreshes/s", marks: decades.collect(), log: true, show: number },
        &lines,
    )
}

/// One line for each expiry.
fn lines(report: &Report, most: f64, value: impl Fn(&Figures, f64) -> f64) -> Vec<Line> {
    let line = |figures: &Figures| Line {
        name: format!("expiry {}", duration(figures.scenario.access_expiry)),
        points: steps(most).map(|at| (at, value(figures, at))).collect(),
    };
    report.settings.iter().map(line).collect()
}

fn steps(most: f64) -> impl Iterator<Item = f64> {
    (0..=200).map(move |step| f64::from(step) / 200.0 * most)
}

fn inputs(report: &Report) -> String {
    let rows: Vec<_> =
        report.inputs().into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    format!("<h2>Inputs</h2>\n{}", document::table(&["input", "value"], &rows))
}

fn figures(report: &Report) -> String {
    let columns: Vec<_> = report.settings.iter().map(Figures::lines).collect();
    let expiries: Vec<_> = report
        .settings
        .iter()
        .map(|figures| format!("expiry {}", duration(figures.scenario.access_expiry)))
        .collect();
    let names: Vec<_> =
        std::iter::once("figure").chain(expiries.iter().map(String::as_str)).collect();
    let first = columns.first().into_iter().flatten().enumerate();
    let rows: Vec<_> = first
        .map(|(row, (name, _))| {
            let values = columns.iter().filter_map(|column| column.get(row));
            std::iter::once((*name).to_owned()).chain(values.map(|of| of.1.clone())).collect()
        })
        .collect();
    format!("<h2>Figures</h2>\n{}", document::table(&names, &rows))
}

fn affected(report: &Report) -> String {
    let Some(first) = report.settings.first() else { return String::new() };
    let lines = report.affected.lines(&first.scenario).into_iter();
    let rows: Vec<_> = lines.map(|(name, value)| vec![name.trim().to_owned(), value]).collect();
    let title = prose(&report.affected_title());
    format!("<h2>Outage</h2>\n<p>{title}</p>\n{}", document::table(&["figure", "value"], &rows))
}

fn guarantees(report: &Report) -> String {
    let table = report.guarantees_table().html();
    let mut html = format!("<h2>Guarantees of routes</h2>\n<p>{}</p>\n{table}", prose(GUARANTEES));
    if let Some(routes) = &report.routes {
        html += &format!("<p>Your routes: {}.</p>\n", prose(routes));
    }
    for note in [report.feed_text(), report.partition_text()].into_iter().flatten() {
        html += &format!("<p>{}.</p>\n", prose(&note));
    }
    for why in &report.left_out {
        html += &format!("<p>Left out: {}.</p>\n", prose(why));
    }
    html
}
