//! The goals for the figures, and whether they are met.

use super::figures::{Case, Figures, Spread};

const JSONWEBTOKEN: &str = "jsonwebtoken";

/// A goal: a figure, its upper bound, and the part that measures it.
struct Goal {
    part: &'static str,
    what: String,
    most: f64,
    value: Option<Spread>,
}

fn goals(figures: &Figures) -> Vec<Goal> {
    let mut goals = Vec::new();
    let mut goal = |part: &'static str, what: &str, most: f64, value: Option<Spread>| {
        goals.push(Goal { part, what: what.to_owned(), most, value });
    };
    let exactly = |value: f64| Spread { median: value, low: value, high: value };
    let ratio = |group: &str, name: &str, to: &str| {
        figures.combined([(group, name), (group, to)], |[one, other]| one / other)
    };
    for algorithm in ["RS256", "PS256"] {
        let group = format!("validator {algorithm}");
        let value = ratio(&group, "cold", "bare signature check");
        goal("validator", &format!("cold / bare signature check, {algorithm}"), 1.12, value);
    }
    let hs256 = [
        ("validator HS256", "cold"),
        ("validator HS256", "bare signature check"),
        ("validator HS256", JSONWEBTOKEN),
    ];
    let value = figures.combined(hs256, |[cold, bare, _]| (cold - bare) / 1000.0);
    goal("validator", "cold minus the bare signature check, HS256, in µs", 1.0, value);
    let value = figures.combined(hs256, |[cold, bare, theirs]| (cold - bare) / (theirs - bare));
    goal("validator", "the same / jsonwebtoken's", 0.25, value);
    for (algorithm, most) in
        [("RS256", 0.80), ("PS256", 0.80), ("HS256", 0.40), ("ES256", 1.0), ("EdDSA", 1.0)]
    {
        let value = ratio(&format!("validator {algorithm}"), "cold", JSONWEBTOKEN);
        goal("validator", &format!("cold / jsonwebtoken, {algorithm}"), most, value);
    }
    let allocations = |group: &str, name: &str| figures.case(group, name)?.allocations;
    goal(
        "validator",
        "allocations, cold",
        8.0,
        allocations("validator RS256", "cold").map(exactly),
    );
    for (algorithm, part) in [("RS256", 80.0), ("ES256", 200.0)] {
        let value = ratio(&format!("validator {algorithm}"), "warm", JSONWEBTOKEN);
        goal("validator", &format!("warm / jsonwebtoken, {algorithm}"), 1.0 / part, value);
    }
    goal(
        "validator",
        "allocations, warm",
        0.0,
        allocations("validator RS256", "warm").map(exactly),
    );
    let value = ratio("warm RS256", "10,000 tokens in turn", JSONWEBTOKEN);
    goal("cache", "warm, 10,000 tokens in turn / jsonwebtoken, RS256", 1.0 / 12.0, value);
    for algorithm in ["RS256", "ES256"] {
        layers(figures, algorithm, &mut goal);
    }
    for framework in ["axum", "actix", "hyper"] {
        let without = "identity layer";
        let group = format!("{framework} RS256");
        let added = allocations(&group, "warm").zip(allocations(&group, without));
        let value = added.map(|(warm, without)| exactly(warm - without));
        goal(
            "adapters",
            &format!("allocations added by the {framework} adapter, warm"),
            2.0,
            value,
        );
    }
    let value = ratio("service RS256", "warm", "no layer");
    goal("service", "whole service, CPU time per request, warm / no layer, RS256", 1.25, value);
    if let Some(best) = best_peer(figures, "peers service RS256") {
        let value = ratio("peers service RS256", "cold", best);
        goal("peers", &format!("the same, cold / {best}, RS256"), 1.0, value);
    }
    let threads = [
        ("threads ES256", "warm, 2 threads"),
        ("threads ES256", "warm, 1 thread"),
        ("threads ES256", "bare hash, 2 threads"),
        ("threads ES256", "bare hash, 1 thread"),
    ];
    let value = figures
        .combined(threads, |[two, one, hash_two, hash_one]| (two / one) / (hash_two / hash_one));
    goal("cache", "cost of a second thread, warm / the bare hash", 1.10, value);
    let value = ratio("validator RS256", "new tokens, cache on", "new tokens, cache off");
    goal("validator", "a flood of new tokens, cache on / off, RS256", 1.05, value);
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let value =
            ratio(&format!("issuer, signing {algorithm}"), "an access token", "bare signature");
        goal(
            "patterns",
            &format!("issuing an access token / bare signature, {algorithm}"),
            1.25,
            value,
        );
    }
    let warm = "revocation, warm RS256";
    let value = ratio(warm, "and by a status list", "by the token alone");
    goal("revocation", "warm with a status list / by the token alone", 1.15, value);
    for (name, secs) in
        [("status list, pushed", 1.0), ("status list, asked for", 6.0), ("live", 0.001)]
    {
        let known = figures.case("revocation, until known", name);
        let value = known.and_then(|case| case.quantile(99)).map(|nanos| exactly(nanos / 1e9));
        goal(
            "revocation",
            &format!("time until 4 services know of a logout, {name}, p99 in s"),
            secs,
            value,
        );
    }
    let node = figures.of("beside node RS256").find(|case| case.name.starts_with("fast-jwt"));
    let value = node.and_then(|node| ratio("beside node RS256", "portcullis, warm", &node.name));
    goal("node", "warm / node's fast-jwt on a cache hit, RS256", 1.0 / 8.0, value);
    goals
}

/// Adds the goals for the adapters against the fastest peer, if peers were measured.
fn layers(
    figures: &Figures,
    algorithm: &str,
    goal: &mut impl FnMut(&'static str, &str, f64, Option<Spread>),
) {
    for (framework, without, ours) in
        [("axum", "without (axum 0.8)", " (axum 0.8)"), ("actix", "without", "")]
    {
        let group = format!("peers {framework} {algorithm}");
        let Some(best) = best_peer(figures, &group) else { continue };
        for (temperature, most) in [("warm", 1.0 / 40.0), ("cold", 0.80)] {
            if temperature == "cold" && algorithm != "RS256" {
                continue;
            }
            let name = format!("portcullis, {temperature}{ours}");
            let cases = [(group.as_str(), name.as_str()), (&group, best), (&group, without)];
            let value = figures
                .combined(cases, |[ours, theirs, without]| (ours - without) / (theirs - without));
            let what =
                format!("{framework} {algorithm}, {temperature}: added cost / that of {best}");
            goal("peers", &what, most, value);
        }
    }
}

fn best_peer<'f>(figures: &'f Figures, group: &'f str) -> Option<&'f str> {
    let ours = ["without", "no layer", "portcullis", "warm", "cold"];
    let peers = figures.of(group).filter(|case| !ours.iter().any(|own| case.name.starts_with(own)));
    let median = |case: &&Case| case.spread().map_or(f64::INFINITY, |spread| spread.median);
    let best = peers.min_by(|one, other| median(one).total_cmp(&median(other)));
    best.map(|case| case.name.as_str())
}

/// Returns the goals of a part as rows of a Markdown table.
pub(crate) fn rows(part: &str, figures: &Figures) -> Vec<String> {
    let of_part = goals(figures).into_iter().filter(|goal| goal.part == part);
    of_part
        .map(|Goal { part, what, most, value }| {
            let row = match value {
                Some(Spread { median, low, high }) => {
                    let verdict = if median <= most { "met" } else { "**missed**" };
                    format!("{median:.3} | {low:.3} – {high:.3} | {verdict}")
                }
                None => "not measured | |".to_owned(),
            };
            format!("| {what} | {most:.4} | {row} | {part} |")
        })
        .collect()
}
