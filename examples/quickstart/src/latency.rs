//! Measures the latency of local validation.

use std::fmt;
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis_axum::portcullis::Authenticator;

const CALLS: usize = 20_000;

pub(crate) struct Measured {
    algorithm: &'static str,
    sorted: Vec<Duration>,
}

/// Validates `token` repeatedly. Returns `None` if it is rejected.
pub(crate) async fn measure(auth: &Authenticator, token: &str) -> Option<Measured> {
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let algorithm = auth.authenticate(&headers).await.ok()?.algorithm().as_str();
    let mut sorted = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        auth.authenticate(&headers).await.ok()?;
        sorted.push(start.elapsed());
    }
    sorted.sort_unstable();
    Some(Measured { algorithm, sorted })
}

impl Measured {
    /// Returns the duration within which this many thousandths of the calls ended.
    fn within(&self, thousandths: usize) -> Duration {
        let at = self.sorted.len() * thousandths / 1000;
        self.sorted.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |thousandths| self.within(thousandths).as_secs_f64() * 1e6;
        write!(
            f,
            "median {:.1} µs, p99 {:.1} µs ({}, cached token, {CALLS} calls on one thread)",
            micros(500),
            micros(990),
            self.algorithm,
        )
    }
}
