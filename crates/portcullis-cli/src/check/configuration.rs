//! From the options to an [`Authenticator`] and policies, and what can be wrong with the options.

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use portcullis::{
    Algorithm, Authenticator, ConfigError, Policy,
    clock::Clock,
    config::Setting,
    keys::{KeySet, SharedKeySet, SkippedKey},
};

use crate::cli::CheckArguments;
use crate::exit::Failure;
use crate::output;

pub(super) async fn authenticator(
    arguments: &CheckArguments,
    clock: Arc<dyn Clock>,
) -> Result<Authenticator, Failure> {
    let CheckArguments { issuer, audience, jwks, alg, leeway, max_lifetime, .. } = arguments;
    let (first, others) = audience.split_first().map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let mut builder = Authenticator::builder(issuer, first)
        .profile(arguments.profile.clone())
        // Nobody floods a command with forged tokens but who runs it.
        .cooldown(Duration::from_secs(1))
        .clock(clock);
    for audience in others {
        builder = builder.also_audience(audience);
    }
    builder = match jwks {
        Some(url) if url.contains("://") => builder.jwks_url(url),
        Some(file) => builder.key_source(SharedKeySet::new(from_file(file, alg)?)),
        None => builder,
    };
    if !alg.is_empty() {
        builder = builder.algorithms(alg.iter().copied());
    }
    if let Some(secs) = leeway {
        builder = builder.leeway(Duration::from_secs(*secs));
    }
    if let Some(secs) = max_lifetime {
        builder = builder.max_token_lifetime(Duration::from_secs(secs.get()));
    }
    if let Some(secs) = arguments.max_age {
        builder = builder.max_token_age(Duration::from_secs(secs.get()));
    }
    builder = builder.required_claims(&arguments.require_claim);
    builder.build().await.map_err(|error| explain(&error, jwks.is_none()))
}

/// The keys of a file as they are now. A service looks at its file again when it meets an unknown
/// `kid`; here that would make a batch wait, and a pipe can not be read twice.
fn from_file(path: &str, allowed: &[Algorithm]) -> Result<KeySet, Failure> {
    let unusable = |reason: &dyn Error| Failure::no_keys(format!("--jwks: {path}: {reason}"));
    let document = fs::read_to_string(path).map_err(|error| unusable(&error))?;
    let allowed = if allowed.is_empty() { Algorithm::ALL } else { allowed };
    let set = KeySet::from_json_for(document.as_bytes(), allowed);
    let set = set.map_err(|error| unusable(&error))?;
    tell_unused(path, set.len(), set.skipped());
    Ok(set)
}

/// Tells of keys that nothing will be verified with, since that refuses tokens.
pub(super) fn tell_unused(location: &str, usable: usize, skipped: &[SkippedKey]) {
    for SkippedKey { id, reason, .. } in skipped {
        let id = id.as_ref().map_or("without kid".to_owned(), |id| format!("kid {id:?}"));
        output::complain(&format!("portcullis: a key of {location} ({id}) is not used: {reason}"));
    }
    if usable == 0 {
        output::complain(&format!("portcullis: {location} has no key that can be used"));
    }
}

/// Each must be met; there is none for an option that was not given.
pub(super) fn policies(arguments: &CheckArguments) -> Result<Vec<Policy>, Failure> {
    let whole = arguments.policy.as_deref().map(whole_policy).transpose()?;
    let CheckArguments { scope, any_scope, role, any_role, .. } = arguments;
    let given = |names: &[String], policy: fn(Vec<String>) -> Policy| {
        (!names.is_empty()).then(|| policy(names.to_vec()))
    };
    let parts = [
        given(scope, Policy::scopes),
        given(any_scope, Policy::any_scope),
        given(role, Policy::roles),
        given(any_role, Policy::any_role),
        whole,
    ];
    Ok(parts.into_iter().flatten().collect())
}

/// A policy as data. What begins like an object is one, and no file's name.
fn whole_policy(text: &str) -> Result<Policy, Failure> {
    let wrong = |reason: String| Failure::wrong(format!("--policy: {reason}"));
    let json = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        fs::read_to_string(text).map_err(|error| wrong(format!("{text}: {error}")))?
    };
    let policy: Policy =
        serde_json::from_str(&json).map_err(|error| wrong(format!("no policy: {error}")))?;
    if let Some(name) = policy.unbound().next() {
        return Err(wrong(format!("the custom check {name:?} is code of the service's")));
    }
    Ok(policy)
}

/// The option that a setting of a service is here.
pub(super) fn option(setting: &Setting) -> Option<&'static str> {
    Some(match setting.method {
        "issuer" => "--issuer",
        "audience" => "--audience",
        "jwks_url" | "jwks_file" => "--jwks",
        "profile" => "--profile",
        "algorithms" => "--alg",
        "leeway" => "--leeway",
        "max_token_lifetime" => "--max-lifetime",
        "max_token_age" => "--max-age",
        "required_claims" => "--require-claim",
        _ => return None,
    })
}

/// The error in terms of the options.
fn explain(error: &ConfigError, discovered: bool) -> Failure {
    let name = |setting| option(setting).map_or(setting.to_string(), str::to_owned);
    match error {
        ConfigError::Missing { setting, .. } => {
            Failure::wrong(format!("{} is empty: {}", name(setting), setting.meaning))
        }
        ConfigError::Invalid { setting, value, expected, .. } => {
            Failure::wrong(format!("{} is {value:?}: {expected}", name(setting)))
        }
        ConfigError::Contradiction { first, second, why, .. } => Failure::wrong(format!(
            "{} and {} contradict each other: {why}",
            name(first),
            name(second)
        )),
        ConfigError::KeysUnavailable { .. } => {
            let hint = if discovered {
                "\n  they were looked for in the issuer's metadata; --jwks says where else they are"
            } else {
                ""
            };
            Failure::no_keys(with_causes(error) + hint)
        }
        other => Failure::wrong(with_causes(other)),
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("\n  because: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_for_a_setting_that_is_there() {
        let options: Vec<_> = Setting::ALL.iter().filter_map(|setting| option(setting)).collect();
        for there in [
            "--issuer",
            "--audience",
            "--jwks",
            "--profile",
            "--alg",
            "--leeway",
            "--max-lifetime",
            "--max-age",
            "--require-claim",
        ] {
            assert!(options.contains(&there), "{there}");
        }
    }
}
