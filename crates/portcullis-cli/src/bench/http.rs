//! Measures the cost of the layer over HTTP: sends requests in turns to a URL with the layer and to
//! a URL without it, over persistent connections.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http::header::AUTHORIZATION;
use reqwest::{Client, redirect};

use super::measure::{histogram, nanos};
use super::report::{Http, Spread};
use super::stop::Stop;
use crate::exit::Failure;

/// The number of consecutive requests to one URL, before the turn of the other URL.
const TURN: u64 = 50;

pub(super) async fn run(
    with: &str,
    without: &str,
    token: &str,
    requests: u64,
    stop: &Stop,
    mut done: impl FnMut(),
) -> Result<Http, Failure> {
    let client = Client::builder().redirect(redirect::Policy::none());
    let client = client.timeout(Duration::from_secs(10)).build();
    let client = client
        .map_err(|error| Failure::wrong(format!("cannot set up the HTTP client: {error}")))?;
    let bearer = format!("Bearer {token}");
    // The first turn opens the connections, so it is not measured.
    for (name, url) in [("--with-layer", with), ("--without-layer", without)] {
        turn(&client, name, url, &bearer, TURN, &mut histogram()).await?;
    }
    let (mut all_with, mut all_without) = (histogram(), histogram());
    let mut added = Vec::new();
    for round in 0..requests.div_ceil(TURN) {
        if round > 0 && stop.asked() {
            break;
        }
        let (mut ours, mut bare) = (histogram(), histogram());
        turn(&client, "--without-layer", without, &bearer, TURN, &mut bare).await?;
        turn(&client, "--with-layer", with, &bearer, TURN, &mut ours).await?;
        let median = |runs: &Histogram<u64>| runs.value_at_quantile(0.5) as f64;
        added.push(median(&ours) - median(&bare));
        // Adding a histogram with the same bounds never fails.
        let _ = all_with.add(&ours).and(all_without.add(&bare));
        done();
    }
    Ok(Http {
        with: (&all_with).into(),
        without: (&all_without).into(),
        added: Spread::of(added.into_iter()),
    })
}

async fn turn(
    client: &Client,
    name: &str,
    url: &str,
    bearer: &str,
    requests: u64,
    times: &mut Histogram<u64>,
) -> Result<(), Failure> {
    let failed = |error: reqwest::Error| {
        Failure::wrong(format!("{name}: {}", crate::output::escaped(&error.to_string())))
    };
    for _ in 0..requests {
        let begun = Instant::now();
        let sent = client.get(url).header(AUTHORIZATION, bearer).send().await;
        let answer = sent.map_err(failed)?;
        let status = answer.status();
        answer.bytes().await.map_err(failed)?;
        times.saturating_record(nanos(begun.elapsed()));
        if !status.is_success() {
            return Err(Failure::wrong(format!(
                "{name}: {url} answered {status}; it must accept the token"
            )));
        }
    }
    Ok(())
}
