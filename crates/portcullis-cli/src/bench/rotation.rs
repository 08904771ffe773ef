//! Sends requests at a steady rate during the worst kind of key rotation. The issuer signs with the
//! new key as soon as it publishes the key, so the first request with such a token waits for a
//! fetch. Each request is a separate task, so a waiting request delays no other request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use portcullis::fetch::{Fetch, FetchRequest, Fetching, ReqwestFetch};
use portcullis_testing::TestIssuer;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::arguments::BenchArguments;
use super::material::bearer;
use super::measure::{histogram, nanos};
use super::report::Rotation;
use super::stop::Stop;
use crate::exit::Failure;

/// An HTTP client that adds the latency of a remote issuer.
#[derive(Debug)]
struct Distant {
    fetch: ReqwestFetch,
    latency: Duration,
}

impl Fetch for Distant {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        Box::pin(async move {
            sleep(self.latency).await;
            self.fetch.get(request).await
        })
    }
}

/// A request: the seconds from the rotation to its start (negative before the rotation), its
/// duration, and whether it was accepted.
type Asked = (f64, Duration, bool);

pub(super) async fn run(
    arguments: &BenchArguments,
    stop: &Stop,
    mut done: impl FnMut(),
) -> Result<Option<Rotation>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::wrong(format!("cannot measure the key rotation: {error}"))
    };
    let issuer = TestIssuer::start().await;
    let fetch = ReqwestFetch::new().map_err(|error| wrong(&error))?;
    let latency = Duration::from_millis(arguments.jwks_latency);
    let auth = issuer.authenticator().fetch(Distant { fetch, latency });
    let auth = auth.build().await.map_err(|error| wrong(&error))?;
    let fetches = issuer.fetches();

    let token = |issuer: &TestIssuer| bearer(&issuer.token("alice").sign()).map(Arc::new);
    let mut headers: Arc<HeaderMap> = token(&issuer)?;
    let (sender, mut asked) = mpsc::unbounded_channel::<Asked>();
    let ticks = arguments.rotation_secs * 1000;
    let (begun, half) = (Instant::now(), Duration::from_millis(ticks / 2));
    let mut ticking = interval(Duration::from_millis(1));
    ticking.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for tick in 0..ticks {
        ticking.tick().await;
        if stop.asked() {
            return Ok(None);
        }
        if tick == ticks / 2 {
            issuer.rotate();
            headers = token(&issuer)?;
        }
        let due = |tick: u64| tick * arguments.rotation_rps / 1000;
        for _ in due(tick)..due(tick + 1) {
            let (auth, headers, sender) = (auth.clone(), headers.clone(), sender.clone());
            let after = tick >= ticks / 2;
            tokio::spawn(async move {
                let asked = Instant::now();
                let accepted = auth.authenticate(&*headers).await.is_ok();
                let since = asked.duration_since(begun).as_secs_f64() - half.as_secs_f64();
                let since = if after { since.max(0.0) } else { since.min(-1e-9) };
                // After Ctrl-C the receiver has been dropped, and sending fails.
                let _ = sender.send((since, asked.elapsed(), accepted));
            });
        }
        if tick % 100 == 99 {
            done();
        }
    }
    drop(sender);
    let (mut before, mut through) = (histogram(), histogram());
    let mut slowest = vec![0.0_f64; (ticks / 2).div_ceil(50) as usize];
    let mut refused = 0;
    while let Some((since, took, accepted)) = asked.recv().await {
        let part = if since < 0.0 { &mut before } else { &mut through };
        part.saturating_record(nanos(took));
        refused += u64::from(!accepted);
        if since >= 0.0
            && let Some(slowest) = slowest.get_mut((since * 20.0) as usize)
        {
            *slowest = slowest.max(took.as_secs_f64() * 1000.0);
        }
    }
    Ok(Some(Rotation {
        rps: arguments.rotation_rps,
        jwks_latency_millis: arguments.jwks_latency,
        before: (&before).into(),
        through: (&through).into(),
        refused,
        fetches: issuer.fetches() - fetches,
        slowest: slowest.into_iter().enumerate().map(|(at, ms)| (at as f64 / 20.0, ms)).collect(),
    }))
}
