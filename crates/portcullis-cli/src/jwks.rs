//! `portcullis jwks`: the doctor. The keys are fetched as a service fetches them, and everything that
//! was seen on the way is judged.

mod findings;
mod record;
mod rotation;
mod show;

use std::error::Error as _;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis::fetch::{FetchError, ReqwestFetch};
use portcullis::{Authenticator, ConfigError, keys::KeySet};
use serde::Serialize;

use crate::cli::JwksArguments;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use findings::Finding;
use record::{Answer, Recording};
use rotation::{Change, Rotations};

/// What `--help` ends with.
pub(crate) const HELP: &str = include_str!("jwks/help.txt");

/// What was found.
#[derive(Debug, Serialize)]
struct Examined {
    location: String,
    /// Of metadata and keys, in the order in which they were asked for.
    answers: Vec<Answer>,
    /// Why there are no keys, as a service would say it.
    fault: Option<String>,
    /// Whether the server answered, with something else than keys.
    #[serde(skip)]
    is_answered: bool,
    /// How long a service uses these keys before it asks again.
    ttl_secs: Option<u64>,
    accepted: Vec<Accepted>,
    skipped: Vec<Skipped>,
    /// What --watch saw: which key came or went, and when.
    changes: Vec<Change>,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Accepted {
    kid: Option<String>,
    alg: &'static str,
}

#[derive(Debug, Serialize)]
struct Skipped {
    kid: Option<String>,
    reason: String,
    /// Whether something is wrong with it.
    #[serde(skip)]
    is_fault: bool,
}

pub(crate) fn run(arguments: &JwksArguments) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::wrong(format!("no thread to fetch keys on: {error}")))?;
    let examined = runtime.block_on(examine(arguments))?;
    let mut output = Output::new();
    let _ = if arguments.json {
        output.json(&examined)?
    } else {
        output.text(&examined.to_string())?
    };
    Ok(if examined.accepted.is_empty() { Exit::NoKeys } else { Exit::Good })
}

async fn examine(arguments: &JwksArguments) -> Result<Examined, Failure> {
    let recording = Recording::new(client(arguments.ca_file.as_deref())?);
    let ttl = Duration::from_secs(arguments.jwks_ttl);
    // Who issues and for whom is of no concern: no token is judged.
    let issuer = arguments.issuer.as_deref().unwrap_or("https://issuer.invalid");
    let mut builder = Authenticator::builder(issuer, "nobody")
        .fetch(recording.clone())
        .jwks_ttl(ttl)
        .fetch_timeout(Duration::from_secs_f64(arguments.fetch_timeout))
        .max_body_bytes(arguments.max_body)
        .without_background_refresh()
        .start_without_keys();
    if let Some(url) = &arguments.url {
        builder = builder.jwks_url(url);
    }
    if arguments.obey_no_cache {
        builder = builder.obey_no_cache();
    }
    let auth = builder.build().await.map_err(|error| wrong(&error))?;
    let mut examined = look(&auth, &recording)?;
    let mut seen = Rotations::default();
    if let Some(secs) = arguments.watch {
        let (begun, looks) = (Instant::now(), Duration::from_secs_f64(arguments.every));
        seen.look(Duration::ZERO, &examined);
        while begun.elapsed() + looks <= Duration::from_secs(secs) {
            tokio::time::sleep(looks).await;
            // That it fails is seen in what it leaves behind.
            let _ = auth.refresh().await;
            examined = look(&auth, &recording)?;
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

/// What the last fetch has left.
fn look(auth: &Authenticator, recording: &Recording) -> Result<Examined, Failure> {
    let status = auth.status().into_iter().find_map(|issuer| issuer.keys);
    let Some(keys) = status else {
        return Err(Failure::wrong("the keys come from nowhere"));
    };
    let answers = recording.answers();
    let set = recording.last_body().and_then(|body| KeySet::from_json(&body).ok());
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
        .map(|key| Accepted { kid: key.id().map(str::to_owned), alg: key.algorithm().as_str() })
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
    let client =
        ReqwestFetch::new().map_err(|error| Failure::wrong(format!("no HTTP client: {error}")))?;
    Ok(match ca_file {
        Some(file) => client.trusting(file),
        None => client,
    })
}

/// The key set as it is published at this URL, or where the issuer's metadata say.
#[cfg(feature = "bench")]
pub(crate) async fn document(issuer: &str, url: Option<&str>) -> Result<String, Failure> {
    let fetch =
        ReqwestFetch::new().map_err(|error| Failure::wrong(format!("no HTTP client: {error}")))?;
    let recording = Recording::new(fetch);
    let mut builder = Authenticator::builder(issuer, "nobody")
        .fetch(recording.clone())
        .without_background_refresh();
    if let Some(url) = url {
        builder = builder.jwks_url(url);
    }
    builder.build().await.map_err(|error| Failure::no_keys(error.to_string()))?;
    let body = recording.last_body().unwrap_or_default();
    let text = String::from_utf8(body.into());
    let text = text.map_err(|_| Failure::no_keys("the keys are not UTF-8"))?;
    // As it is read here, where others would not take it.
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn wrong(error: &ConfigError) -> Failure {
    Failure::wrong(error.to_string())
}
