//! `--page`: one offline HTML file with sliders for the effect of each setting on lag, load and lockout.
//! Its script restates the closed forms. A test compares each figure with the command's.

use serde_json::{Value, json};

use super::arguments::TuneArguments;
use super::issuer::Habits;
use super::recommend::Recommendation;
use super::report::Report;
use super::scenario::Scenario;
use super::sizing::counted;
use crate::document::{self, prose};

/// The calculations of the page. They do not need a browser, so the test runs them as they are.
pub(super) const CALCULATIONS: &str = concat!(
    include_str!("page/forms.js"),
    include_str!("page/units.js"),
    include_str!("page/model.js"),
    include_str!("page/settings.js"),
);

const DRAWINGS: &str = include_str!("page/drawing.js");
const WIRING: &str = include_str!("page/wiring.js");
const STYLE: &str = include_str!("page/style.css");
const CONTROLS: &str = include_str!("page/controls.html");
const RESULTS: &str = include_str!("page/results.html");

pub(super) fn page(report: &Report, arguments: &TuneArguments) -> String {
    let Some(first) = report.settings.first() else { return String::new() };
    let start = json!({
        "model": start(&first.scenario, arguments, report.habits),
        "compared_expiry": report.settings.get(1).map(|other| other.scenario.access_expiry),
    });
    let controls = CONTROLS.replace("<!-- warnings -->\n", &warnings(report));
    let results = RESULTS.replace("<!-- rule -->", &prose(&first.scenario.rule()));
    let mut body = format!("<style>\n{STYLE}</style>\n{controls}{results}");
    if report.recorded.is_some() {
        body += "<p>This page has only the means of the recorded requests: burst, pause and time between \
                 requests. <code class=\"option\">portcullis tune --activity</code> replays the requests themselves.</p>\n";
    }
    body += &format!(
        "<p>Costs at the issuer, unless an option sets them: {}.</p>\n",
        prose(&report.costs)
    );
    body += "<h2>Inputs of the command line</h2>\n";
    let inputs = report.inputs().into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    body += &document::table(&["input", "value"], &inputs.collect::<Vec<_>>());
    body += &format!("<p>{}</p>\n", prose(&report.agreement()));
    body += &format!("<p>{}</p>\n", prose(&report.provenance()));
    body += &format!("<script type=\"application/json\" id=\"start\">{}</script>\n", data(&start));
    document::page("Access expiry and JWKS TTL", &body, &[CALCULATIONS, DRAWINGS, WIRING])
}

/// The warnings of the report, its recommendation, and the cores of its login peak. Moving a slider does not
/// change them.
fn warnings(report: &Report) -> String {
    let warnings = report.warnings.iter().map(|text| ("Warning", text.clone()));
    let found = report.recommendation.as_ref();
    let conflict = found.and_then(|found| found.conflict).map(|conflict| {
        conflict.text() + ". Single routes can have a shorter bound than the others"
    });
    let unmet = found
        .filter(|found| found.unmet && found.conflict.is_none())
        .map(|_| "no setting reaches a goal; the command's report has the reason".to_owned());
    let settings = found.and_then(Recommendation::settings);
    let peak = report.login_peak.as_ref().map(|peak| {
        format!("{} in the login peak, which the sliders do not change", counted(peak.sizing.cores))
    });
    let recommended = settings.into_iter().chain(conflict).chain(unmet);
    let recommended = recommended.map(|text| ("Recommendation", text));
    let sized = peak.into_iter().map(|text| ("Sizing", text));
    let paragraph = |(kind, text): (&str, String)| {
        format!(
            "<p class=\"lead\">{kind}, for the values of the command line: {}.</p>\n",
            prose(&text)
        )
    };
    warnings.chain(recommended).chain(sized).map(paragraph).collect()
}

/// The start values of the page: the scenario, and the settings with a slider by their names in the page.
pub(super) fn start(scenario: &Scenario, arguments: &TuneArguments, habits: Habits) -> Value {
    let (verifier, activity) = (scenario.verifier, scenario.activity);
    json!({
        "scenario": scenario,
        "jwks_max_age": habits.max_age,
        "offers": habits.offers,
        "pushes": habits.pushes,
        "reuse_for": arguments.mix.reuse_for,
        "feed_max_age": arguments.feed_max_age,
        "values": {
            "expiry": scenario.access_expiry,
            "ttl": verifier.jwks_ttl,
            "stale": verifier.max_stale,
            "sessions": scenario.sessions,
            "instances": scenario.instances,
            "every": activity.request_every,
            "burst": activity.burst,
            "pause": activity.pause,
            "outage": scenario.outage,
            "cores": scenario.issuer_cores,
            "live": arguments.mix.live_share,
            "list": arguments.mix.list_share,
            "feed": arguments.mix.feed_share,
            "age": arguments.list_max_age,
        },
    })
}

/// Encodes JSON so that it cannot end the script element around it.
fn data(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}
