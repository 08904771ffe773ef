//! The rows of the table: the same for every issuer.

use std::path::Path;
use std::time::{Duration, Instant};

use portcullis::config::Setting;
use portcullis::{Profile, dangerous};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::{Failure, Outcome};
use crate::http;
use crate::instances::{self, Instance, Settings};
use crate::issuers::{Facts, Issuer};
use crate::load::{Load, Tally};
use crate::logouts;
use crate::results::{Report, Row};
use crate::running::{self, Running};

/// The key TTL of the instances that are tested in an outage. The outage lasts longer than this
/// TTL.
const SHORT_TTL: Duration = Duration::from_secs(10);
const OUTAGE: Duration = Duration::from_secs(30);

/// All rows of one issuer.
pub(crate) async fn run<I: Issuer>(issuer: I, root: &Path, tools: &Path) -> Report {
    let facts = I::facts();
    let mut report = Report::new(facts.name, facts.version);
    let folder = root.join(facts.page);
    if let Err(failure) = all_rows(&issuer, &facts, &folder, tools, &mut report).await {
        report.add(Row::failed("run", failure));
    }
    report
}

async fn all_rows<I: Issuer>(
    issuer: &I,
    facts: &Facts,
    folder: &Path,
    tools: &Path,
    report: &mut Report,
) -> Outcome<()> {
    let page = running::page(facts, folder, tools).await;
    report.add(Row::of(
        "page",
        page.map(|()| "every step of the guide page worked as written".to_owned()),
    ));

    let mut issues = Running::start(facts, folder).await?;
    issuer.set_up().await?;

    let profile: Profile = facts.profile.parse()?;
    let policies = facts.policies.clone();
    let mut settings = Settings { issuer: facts.issuer.to_owned(), profile, ttl: None, policies };
    let id_token = id_token(issuer, facts, &settings).await;
    if facts.indistinct {
        settings.profile = dangerous::accept_id_tokens(settings.profile);
    }
    let services = instances::start(&settings).await?;
    report.add(Row::of("ID token", id_token));
    let found = accepted(issuer, &services).await;
    report.add(Row::of("discovery", found.map(|()| format!("from `{}`", facts.issuer))));
    report.add(Row::of("scopes, roles", policies_hold(issuer, facts, &services).await));
    report.add(Row::of("other tokens", others(issuer, &services).await));
    if let Some(logouts) = &facts.logouts {
        let profile = settings.profile.clone();
        let ended = logouts::ended_sessions(issuer, facts.issuer, logouts, profile).await;
        report.add(Row::of("back-channel logout", ended));
    }
    report.add(Row::of("key rotation", rotation(issuer, facts, &services).await));

    let settings = Settings { ttl: Some(SHORT_TTL), ..settings };
    let services = instances::start(&settings).await?;
    let load = Load::start(issuer, &services).await?;
    sleep(Duration::from_secs(3)).await;
    issues.kill().await?;
    sleep(OUTAGE).await;
    let words =
        format!("issuer stopped for {} s, TTL of {} s", OUTAGE.as_secs(), SHORT_TTL.as_secs());
    let tally = load.stop().await;
    report.add(Row::of("outage", tally.and_then(|tally| none_refused(&tally, &words))));
    issues = Running::start(facts, folder).await?;
    report.add(Row::of("restart with new keys", restart(issuer, &services).await));

    // This row comes last, because its test changes the signing key.
    let settings = Settings { ttl: None, ..settings };
    report.add(Row::of("algorithms", algorithms(issuer, facts, &settings).await));
    issues.kill().await
}

/// Checks that every instance accepts an access token.
async fn accepted<I: Issuer>(issuer: &I, services: &[Instance]) -> Outcome<()> {
    let token = issuer.access_token().await?;
    for service in services {
        service.accepts(&token).await?.map_err(|refused| Failure::new(refused.to_string()))?;
    }
    Ok(())
}

async fn policies_hold<I: Issuer>(
    issuer: &I,
    facts: &Facts,
    services: &[Instance],
) -> Outcome<String> {
    let token = issuer.access_token().await?;
    for service in services {
        service.expect("/has", &token, 200).await?;
        service.expect("/lacks", &token, 403).await?;
    }
    Ok(facts.policy_words.to_owned())
}

/// Checks that every instance rejects the ID token, and also the access token of an issuer whose
/// tokens are indistinguishable.
async fn id_token<I: Issuer>(issuer: &I, facts: &Facts, settings: &Settings) -> Outcome<String> {
    let services = instances::start(settings).await?;
    let by = refused(issuer.id_token().await, &services).await?;
    if !facts.indistinct {
        return Ok(by);
    }
    refused(issuer.access_token().await, &services).await?;
    Ok(format!(
        "{by}; access tokens are refused too, because this issuer's ID tokens and access tokens are \
         indistinguishable; the rows below use `dangerous::accept_id_tokens`"
    ))
}

/// Checks that every instance rejects the token, and returns the rule.
async fn refused(token: Outcome<String>, services: &[Instance]) -> Outcome<String> {
    let token = token?;
    let mut by = "";
    for service in services {
        service.expect("/", &token, 401).await?;
        by = service.rule(&token).await;
    }
    Ok(format!("refused by `{by}`"))
}

async fn others<I: Issuer>(issuer: &I, services: &[Instance]) -> Outcome<String> {
    let mut words = Vec::new();
    for (name, token) in issuer.other_tokens().await? {
        let by = refused(Ok(token), services).await;
        let by = by.map_err(|failure| Failure::new(format!("{name}: {failure}")))?;
        words.push(format!("{name}: {by}"));
    }
    Ok(if words.is_empty() {
        "no other kind of token to test".to_owned()
    } else {
        words.join("; ")
    })
}

async fn algorithms<I: Issuer>(issuer: &I, facts: &Facts, settings: &Settings) -> Outcome<String> {
    let metadata = format!("{}/.well-known/openid-configuration", facts.issuer);
    let metadata = http::json(http::client()?.get(metadata)).await?;
    let offered = metadata.get("id_token_signing_alg_values_supported").and_then(Value::as_array);
    for offered in offered.into_iter().flatten().filter_map(Value::as_str) {
        // Algorithms with the client's secret are for the client; an API cannot verify them.
        let verifiable = !offered.starts_with("HS") && offered != "none";
        if verifiable && !facts.algorithms.contains(&offered) {
            return Err(Failure::new(format!("it offers {offered}, which is not tried")));
        }
    }
    for algorithm in facts.algorithms {
        // The instances are new, so that they have not yet looked up an unknown key: some issuers
        // publish a key only when it signs.
        let services = instances::start(settings).await?;
        issuer.sign_with(algorithm).await?;
        let token = issuer.access_token().await?;
        let header = http::header(&token)?;
        if header.get("alg").and_then(Value::as_str) != Some(algorithm) {
            return Err(Failure::new(format!("a token of {algorithm} has the header {header}")));
        }
        for service in &services {
            let accepted = service.accepts(&token).await?;
            accepted.map_err(|refused| Failure::new(format!("{algorithm}: {refused}")))?;
        }
    }
    Ok(facts.algorithms.join(", ") + facts.about_algorithms)
}

async fn rotation<I: Issuer>(issuer: &I, facts: &Facts, services: &[Instance]) -> Outcome<String> {
    let load = Load::start(issuer, services).await?;
    sleep(Duration::from_secs(3)).await;
    issuer.rotate().await?;
    let rotated = load.another_key(facts.rotates_within).await;
    sleep(Duration::from_secs(5)).await;
    let tally = load.stop().await?;
    rotated?;
    none_refused(&tally, &format!("{} keys", tally.keys))
}

fn none_refused(tally: &Tally, words: &str) -> Outcome<String> {
    let (requests, refused) = (tally.requests, tally.refused.len());
    let words = format!("{words}: {refused} of {requests} requests refused");
    match tally.refused.first() {
        None if requests > 100 => Ok(words),
        None => Err(Failure::new(format!("{words}, which are too few"))),
        Some(first) => Err(Failure::new(format!("{words}; the first: {first}"))),
    }
}

/// The time from the issuer's return until every instance accepts its new tokens.
async fn restart<I: Issuer>(issuer: &I, services: &[Instance]) -> Outcome<String> {
    let back = Instant::now();
    let fetch_timeout = Setting::ALL.iter().find(|setting| setting.method == "fetch_timeout");
    let fetch_timeout = fetch_timeout.and_then(|setting| setting.default.parse().ok());
    let fetch_timeout: u64 = fetch_timeout.ok_or_else(|| Failure::new("no fetch_timeout"))?;
    let bound = Duration::from_secs(5 + 2 * fetch_timeout);
    issuer.set_up().await?;
    let token = issuer.access_token().await?;
    // The instances are checked concurrently, because each of them fetches its own keys.
    let mut waiting = JoinSet::new();
    for service in services {
        let (service, token) = (service.clone(), token.clone());
        waiting.spawn(async move {
            while let Err(refused) = service.accepts(&token).await? {
                if back.elapsed() > bound {
                    return Err(Failure::new(format!("after {bound:?} still {refused}")));
                }
                sleep(Duration::from_millis(50)).await;
            }
            Ok(back.elapsed())
        });
    }
    let mut took = Duration::ZERO;
    while let Some(accepted) = waiting.join_next().await {
        took = took.max(accepted??);
    }
    let words = format!(
        "new tokens accepted {:.1} s after the restart (limit: {} s)",
        took.as_secs_f64(),
        bound.as_secs()
    );
    if took <= bound { Ok(words) } else { Err(Failure::new(words)) }
}
