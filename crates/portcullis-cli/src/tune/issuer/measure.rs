//! The requests of `--issuer`, in order: metadata, keys, grants, refreshes, introspections.

use std::fmt;
use std::time::{Duration, Instant};

use portcullis::Authenticator;
use portcullis::fetch::ReqwestFetch;
use serde::Serialize;
use serde_json::Value;

use super::client::{Client, Granted, Http, User, claims, header};
use super::limited::{Limited, of_discovery, text};
use super::{Found, IssuerArguments, Offers};
use crate::exit::Failure;
use crate::jwks::Recording;
use crate::units::duration;

/// Durations of requests of one kind, sent one after the other, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::tune) struct Timing {
    pub(in crate::tune) requests: usize,
    pub(in crate::tune) median: f64,
    lower_quartile: f64,
    upper_quartile: f64,
    fastest: f64,
    slowest: f64,
}

/// A measurement is noisy if its upper quartile exceeds its lower one by more than this factor.
const STEADY: f64 = 1.5;

impl Timing {
    fn of(mut times: Vec<f64>) -> Option<Self> {
        times.sort_by(f64::total_cmp);
        Some(Self {
            requests: times.len(),
            median: *times.get(times.len() / 2)?,
            lower_quartile: *times.get(times.len() / 4)?,
            upper_quartile: *times.get(times.len() * 3 / 4)?,
            fastest: *times.first()?,
            slowest: *times.last()?,
        })
    }

    /// The quartiles, if the measurement is noisy.
    pub(in crate::tune) fn noise(&self) -> Option<[f64; 2]> {
        let (low, high) = (self.lower_quartile, self.upper_quartile);
        (high > STEADY * low).then_some([low, high])
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, low, high] =
            [self.median, self.lower_quartile, self.upper_quartile].map(duration);
        let [fastest, slowest] = [self.fastest, self.slowest].map(duration);
        write!(
            f,
            "{median} (median of {}; quartiles {low} and {high}; {fastest} to {slowest})",
            self.requests
        )?;
        if self.noise().is_some() { f.write_str(" NOISY") } else { Ok(()) }
    }
}

/// The maximum TTL of a service. With it, any shorter TTL comes from the issuer's headers.
const LONGEST: Duration = Duration::from_secs(86_400);

pub(super) async fn ask(arguments: &IssuerArguments, issuer: &str) -> Result<Found, Failure> {
    let client = Client::read(arguments)?;
    let fetch = ReqwestFetch::new()
        .map_err(|error| Failure::wrong(format!("cannot set up the HTTP client: {error}")))?;
    let fetch = match &arguments.ca_file {
        Some(file) => fetch.trusting(file),
        None => fetch,
    };
    // The authenticator's status contains the TTL that a service derives from the headers.
    let recording = Recording::new(fetch.clone());
    let timeout = Duration::from_secs_f64(arguments.issuer_timeout);
    let limited = Limited::new(recording.clone(), timeout);
    let auth = Authenticator::builder(issuer, "unused")
        .fetch(limited.clone())
        .fetch_timeout(of_discovery(timeout))
        .jwks_ttl(LONGEST)
        .without_background_refresh()
        .start_without_keys()
        .build()
        .await
        .map_err(|error| Failure::wrong(format!("--issuer: {error}")))?;
    let keys = auth.status().into_iter().find_map(|issuer| issuer.keys);
    let answers = recording.answers();
    if let Some(error) = keys.as_ref().and_then(|keys| keys.last_error.as_ref()) {
        return Err(Failure::no_keys(format!("--issuer: {}", text(error))));
    }
    // If the first location is slow, discovery requests a further one. It stops at the first usable response, so
    // the last response before the key set is the metadata.
    let (Some(keys), [.., metadata, document]) = (keys, &answers[..]) else {
        return Err(Failure::no_keys(format!("--issuer: {issuer}: metadata or JWKS missing")));
    };
    let mut http = Http::new(fetch, timeout);
    http.requests = limited.requests();
    let said = http.get("metadata", &metadata.url).await?;
    let said: Value = serde_json::from_slice(&said).unwrap_or_default();
    let endpoint = |name: &str| said.get(name).and_then(Value::as_str);

    let lists = endpoint("status_list_aggregation_endpoint").is_some();
    let is_keycloak = metadata.url.contains("/realms/") && !lists;
    let mut times = Vec::new();
    for _ in 0..arguments.issuer_requests {
        let begun = Instant::now();
        http.get("key set", &document.url).await?;
        times.push(begun.elapsed().as_secs_f64());
    }
    let fetch =
        Timing::of(times).ok_or_else(|| Failure::wrong("--issuer-requests must be at least 1"))?;
    let mut found = Found {
        issuer: issuer.to_owned(),
        requests: 0,
        cache_control: document.cache_control.clone(),
        max_age: keys.ttl.filter(|ttl| *ttl < LONGEST).map(|ttl| ttl.as_secs_f64()),
        fetch,
        grant: None,
        password: None,
        refresh: None,
        introspection: None,
        token_lifetime: None,
        may_not_ask: false,
        is_keycloak,
        algorithm: None,
        offers: Offers {
            introspection: Some(endpoint("introspection_endpoint").is_some()),
            // Keycloak has no status lists.
            status_lists: if lists { Some(true) } else { is_keycloak.then_some(false) },
            backchannel_logout: said.get("backchannel_logout_supported").and_then(Value::as_bool),
        },
    };
    if let Some(client) = &client {
        let Some(url) = endpoint("token_endpoint") else {
            return Err(Failure::wrong(format!(
                "--client-id: {issuer} has no `token_endpoint` in its metadata"
            )));
        };
        let questions = endpoint("introspection_endpoint");
        as_client(&mut http, client, url, questions, arguments.issuer_requests, &mut found).await?;
    }
    found.is_keycloak &= found.offers.status_lists != Some(true);
    found.requests = http.requests;
    Ok(found)
}

/// The `alg` of a token. It is printed, so anything that does not look like an algorithm is left out.
fn algorithm(header: &Value) -> Option<String> {
    let name = header.get("alg")?.as_str()?;
    let is_name = name.len() <= 16 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_name.then(|| name.to_owned())
}

async fn as_client(
    http: &mut Http,
    client: &Client,
    token_endpoint: &str,
    introspection_endpoint: Option<&str>,
    requests: u64,
    found: &mut Found,
) -> Result<(), Failure> {
    let granted = match &client.user {
        Some(user) => as_user(http, client, user, token_endpoint, requests, found).await?,
        None => {
            let (mut times, mut granted) = (Vec::new(), None);
            for _ in 0..requests {
                let begun = Instant::now();
                granted = Some(http.grant(token_endpoint, client).await?);
                times.push(begun.elapsed().as_secs_f64());
            }
            found.grant = Timing::of(times);
            granted
        }
    };
    let Some(Granted { access_token: token, expires_in, .. }) = granted else { return Ok(()) };
    found.token_lifetime = expires_in;
    found.algorithm = header(&token).as_ref().and_then(algorithm);
    let claims = claims(&token);
    let place = claims.as_ref().and_then(|claims| claims.pointer("/status/status_list/uri"));
    found.offers.status_lists = Some(place.is_some());
    let time = |name: &str| claims.as_ref()?.get(name)?.as_f64();
    if let (Some(exp), Some(iat)) = (time("exp"), time("iat")) {
        found.token_lifetime = Some(exp - iat);
    }
    if let Some(url) = introspection_endpoint {
        let mut times = Vec::new();
        for _ in 0..requests {
            let begun = Instant::now();
            if !http.introspect(url, client, &token).await? {
                // Rejecting the token of another client costs the issuer less than a lookup, so its time
                // does not count.
                found.may_not_ask = true;
                return Ok(());
            }
            times.push(begun.elapsed().as_secs_f64());
        }
        found.introspection = Timing::of(times);
    }
    Ok(())
}

/// Measures logins of the user, and refreshes of the last session. Each refresh uses the newest refresh
/// token, because an issuer that rotates them rejects older ones.
async fn as_user(
    http: &mut Http,
    client: &Client,
    user: &User,
    token_endpoint: &str,
    requests: u64,
    found: &mut Found,
) -> Result<Option<Granted>, Failure> {
    let (mut times, mut granted) = (Vec::new(), None);
    for _ in 0..requests {
        let begun = Instant::now();
        granted = Some(http.log_in(token_endpoint, client, user).await?);
        times.push(begun.elapsed().as_secs_f64());
    }
    found.password = Timing::of(times);
    let Some(mut granted) = granted else { return Ok(None) };
    let mut times = Vec::new();
    for _ in 0..requests {
        let Some(refresh_token) = granted.refresh_token.take() else {
            return Err(Failure::wrong(format!(
                "--username: the token endpoint at {token_endpoint} returned no `refresh_token`, so a \
                 refresh cannot be measured; allow refresh tokens for this client, or set --client-scope \
                 offline_access"
            )));
        };
        let begun = Instant::now();
        let next = http.refresh(token_endpoint, client, &refresh_token).await?;
        times.push(begun.elapsed().as_secs_f64());
        granted = Granted { refresh_token: next.refresh_token.or(Some(refresh_token)), ..next };
    }
    found.refresh = Timing::of(times);
    Ok(Some(granted))
}
