//! `portcullis jwks`: fetches a key set as a service does, and reports faults, skipped keys and cache
//! lifetimes.

mod findings;
mod record;
mod rotation;
mod show;

use std::borrow::Cow;
use std::error::Error as _;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis::fetch::{FetchError, ReqwestFetch};
use portcullis::{Algorithm, Authenticator, ConfigError, Profile, keys::KeySet};
use serde::Serialize;

use crate::cli::JwksArguments;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use findings::Finding;
use record::Answer;
pub(crate) use record::Recording;
use rotation::{Change, Rotations};

/// The text at the end of `jwks --help`.
pub(crate) const HELP: &str = include_str!("jwks/help.txt");

/// The result of the diagnosis.
#[derive(Debug, Serialize)]
struct Examined {
    location: String,
    /// Responses for metadata and keys, in the order of the requests.
    answers: Vec<Answer>,
    /// The error that a service reports when it fetches these keys.
    fault: Option<String>,
    /// Whether the server answered with something other than a key set.
    #[serde(skip)]
    is_answered: bool,
    /// The time for which a service uses these keys before it fetches again, in seconds.
    ttl_secs: Option<u64>,
    accepted: Vec<Accepted>,
    skipped: Vec<Skipped>,
    /// Keys published or withdrawn during --watch, with times.
    changes: Vec<Change>,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Accepted {
    kid: Option<String>,
    alg: String,
}

#[derive(Debug, Serialize)]
struct Skipped {
    kid: Option<String>,
    reason: String,
    /// Whether the key is faulty, not merely meant for another use.
    #[serde(skip)]
    is_fault: bool,
}

pub(crate) fn run(arguments: &JwksArguments) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::wrong(format!("cannot start a thread to fetch keys: {error}")))?;
    let examined = runtime.block_on(examine(arguments))?;
    let mut output = Output::new();
    let _ = if arguments.json {
        output.json(&examined)?
    } else {
        output.text(&examined.to_string())?
    };
    Ok(if examined.accepted.is_empty() { Exit::NoKeys } else { Exit::Good })
}

/// Diagnoses the keys at this URL or file. If the response has no keys, tries the URL as an issuer.
async fn examine(arguments: &JwksArguments) -> Result<Examined, Failure> {
    let once = JwksArguments { watch: None, ..arguments.clone() };
    let mut given = Cow::Borrowed(arguments);
    let mut found = examine_as_given(&once).await?;
    if found.is_answered && arguments.url.is_some() {
        let of_issuer = JwksArguments { url: None, issuer: arguments.url.clone(), ..once };
        if let Ok(examined) = examine_as_given(&of_issuer).await
            && examined.fault.is_none()
        {
            found = examined;
            given = Cow::Owned(JwksArguments { watch: arguments.watch, ..of_issuer });
        }
    }
    if arguments.watch.is_some() { examine_as_given(&given).await } else { Ok(found) }
}

async fn examine_as_given(arguments: &JwksArguments) -> Result<Examined, Failure> {
    let recording = Recording::new(client(arguments.ca_file.as_deref())?);
    let ttl = Duration::from_secs(arguments.jwks_ttl);
    // Placeholders for issuer and audience: no token is validated.
    let issuer = arguments.issuer.as_deref().unwrap_or("https://issuer.invalid");
    let mut builder = Authenticator::builder(issuer, "audience.invalid")
        .fetch(recording.clone())
        .jwks_ttl(ttl)
        .fetch_timeout(Duration::from_secs_f64(arguments.fetch_timeout))
        .max_body_bytes(arguments.max_body)
        .without_background_refresh()
        .start_without_keys();
    if let Some(url) = &arguments.url {
        builder = if is_file(url) { builder.jwks_file(url) } else { builder.jwks_url(url) };
    }
    if let Some(url) = &arguments.discovery_url {
        builder = builder.discovery_url(url);
    } else if issuer.starts_with("https://sts.windows.net/") {
        // Entra v1 publishes its metadata on another host, which the profile defines.
        builder = builder.profile(Profile::entra_v1());
    }
    if arguments.obey_no_cache {
        builder = builder.obey_no_cache();
    }
    let auth = builder.build().await.map_err(|error| wrong(&error))?;
    let file = arguments.url.as_deref().filter(|url| is_file(url));
    let mut examined = look(&auth, &recording, file)?;
    let mut seen = Rotations::default();
    if let Some(secs) = arguments.watch {
        let (begun, looks) = (Instant::now(), Duration::from_secs_f64(arguments.every));
        seen.look(Duration::ZERO, &examined);
        while begun.elapsed() + looks <= Duration::from_secs(secs) {
            tokio::time::sleep(looks).await;
            // `look` reports a failed refresh.
            let _ = auth.refresh().await;
            examined = look(&auth, &recording, file)?;
            seen.look(begun.elapsed(), &examined);
        }
    }
    examined.findings = findings::findings(&examined, arguments);
    if arguments.watch.is_some() {
        seen.judge(arguments.jwks_ttl, &mut examined.findings);
    }
    examined.findings.sort_by_key(|finding| finding.level);
    examined.changes = seen.changes;
    Ok(examined)
}

fn is_file(place: &str) -> bool {
    !place.contains("://")
}

/// Collects the state after the last fetch.
fn look(
    auth: &Authenticator,
    recording: &Recording,
    file: Option<&str>,
) -> Result<Examined, Failure> {
    let status = auth.status().into_iter().find_map(|issuer| issuer.keys);
    let Some(keys) = status else {
        return Err(Failure::wrong("no key source is configured"));
    };
    let answers = recording.answers();
    let body = match file {
        Some(file) => std::fs::read(file).ok(),
        None => recording.last_body().map(Into::into),
    };
    let set = body.and_then(|body: Vec<u8>| KeySet::from_json(&body).ok());
    let is_answered = matches!(
        keys.last_error,
        Some(
            FetchError::NotAKeySet { .. } | FetchError::Status { .. } | FetchError::Redirect { .. }
        )
    );
    let fault = keys.last_error.map(|error| match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    });
    let usable = set.iter().filter(|_| fault.is_none()).flat_map(KeySet::iter);
    let accepted = usable
        .map(|key| {
            let algorithms: Vec<_> = key.algorithms().map(Algorithm::as_str).collect();
            Accepted { kid: key.id().map(str::to_owned), alg: algorithms.join(", ") }
        })
        .collect();
    let skipped = keys.skipped.into_iter();
    Ok(Examined {
        location: keys.location,
        fault,
        is_answered,
        ttl_secs: keys.ttl.map(|ttl| ttl.as_secs()),
        accepted,
        skipped: skipped
            .map(|key| Skipped {
                kid: key.id,
                is_fault: key.reason.is_fault(),
                reason: key.reason.to_string(),
            })
            .collect(),
        answers,
        changes: Vec::new(),
        findings: Vec::new(),
    })
}

fn client(ca_file: Option<&Path>) -> Result<ReqwestFetch, Failure> {
    let client = ReqwestFetch::new()
        .map_err(|error| Failure::wrong(format!("cannot set up the HTTP client: {error}")))?;
    Ok(match ca_file {
        Some(file) => client.trusting(file),
        None => client,
    })
}

/// Returns the key set document at this URL, or at the URL in the issuer's metadata.
#[cfg(feature = "bench")]
pub(crate) async fn document(issuer: &str, url: Option<&str>) -> Result<String, Failure> {
    let fetch = ReqwestFetch::new()
        .map_err(|error| Failure::wrong(format!("cannot set up the HTTP client: {error}")))?;
    let recording = Recording::new(fetch);
    let mut builder = Authenticator::builder(issuer, "audience.invalid")
        .fetch(recording.clone())
        .without_background_refresh();
    if let Some(url) = url {
        builder = builder.jwks_url(url);
    }
    builder.build().await.map_err(|error| Failure::no_keys(error.to_string()))?;
    let body = recording.last_body().unwrap_or_default();
    let text = String::from_utf8(body.into());
    let text = text.map_err(|_| Failure::no_keys("the keys are not UTF-8"))?;
    // Portcullis accepts a byte order mark; the libraries that `bench` compares with do not.
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn wrong(error: &ConfigError) -> Failure {
    Failure::wrong(error.to_string())
}
