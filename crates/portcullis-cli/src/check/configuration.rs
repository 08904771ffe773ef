//! Builds the [`Gate`] and the policies from the settings, and explains invalid ones.

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use portcullis::{
    Algorithm, ConfigError, Gate, Policy, Revocation,
    clock::Clock,
    feed::Revocations,
    keys::{KeySet, SharedKeySet, SkippedKey},
};

use super::feed;
use super::variables::{self, Variables};
use crate::cli::CheckArguments;
use crate::exit::Failure;
use crate::output;

/// Builds the gate of a service with these settings, for a route with this revocation requirement.
pub(super) async fn gate(
    arguments: &CheckArguments,
    clock: Arc<dyn Clock>,
) -> Result<Gate, Failure> {
    let variables = Variables(arguments);
    let mut builder = variables
        .builder()
        .map_err(|error| explain(&error))?
        // The user of the command supplies the tokens, so there is no flood to protect the issuer from.
        .cooldown(Duration::from_secs(1))
        .without_background_refresh()
        .clock(clock);
    if let Some(file) = variables.keys_file() {
        let allowed = variables.get("PORTCULLIS_ALGORITHMS").unwrap_or_default();
        let allowed = allowed.split(|it: char| it == ',' || it.is_whitespace());
        let allowed: Vec<Algorithm> = allowed.filter_map(|name| name.parse().ok()).collect();
        builder = builder.key_source(SharedKeySet::new(from_file(&file, &allowed)?));
    }
    if arguments.feed {
        // `check` validates without the entries of the service's store.
        builder = builder.revocations(Revocations::in_memory());
    }
    report_environment(&variables);
    let auth = builder.build().await.map_err(|error| explain(&error))?;
    let revocation = match (arguments.live, arguments.status_list) {
        (true, _) => Revocation::live(),
        (false, Some(secs)) => Revocation::status_list(Duration::from_secs(secs.get())),
        (false, None) => Revocation::expiry(),
    };
    let gate = Gate::new(auth).revocation(revocation).map_err(|error| explain(&error))?;
    feed::tell_settings(&gate);
    Ok(gate)
}

/// Names the variables in use and the unknown ones on standard error. A forgotten or misspelt variable
/// would otherwise change the verdict unnoticed.
fn report_environment(variables: &Variables<'_>) {
    let names = variables.of_the_environment();
    if !names.is_empty() {
        output::complain(&format!(
            "portcullis: settings from the environment: {}",
            names.join(", ")
        ));
    }
    for name in variables::unknown() {
        output::complain(&format!("portcullis: {name} is not a setting and is ignored"));
    }
}

/// Reads the keys of a file once. A service reads its file again for an unknown `kid`. Here, a second read
/// would delay a batch of tokens, and a pipe cannot be read twice.
fn from_file(path: &str, allowed: &[Algorithm]) -> Result<KeySet, Failure> {
    let unusable = |reason: &dyn Error| Failure::no_keys(format!("--jwks: {path}: {reason}"));
    let document = fs::read_to_string(path).map_err(|error| unusable(&error))?;
    let allowed = if allowed.is_empty() { Algorithm::ALL } else { allowed };
    let set = KeySet::from_json_for(document.as_bytes(), allowed);
    let set = set.map_err(|error| unusable(&error))?;
    tell_unused(path, set.len(), set.skipped());
    Ok(set)
}

/// Names the skipped keys on standard error, since the tokens that they sign are rejected.
pub(super) fn tell_unused(location: &str, usable: usize, skipped: &[SkippedKey]) {
    for SkippedKey { id, reason, .. } in skipped {
        let id = id.as_ref().map_or("without kid".to_owned(), |id| format!("kid {id:?}"));
        output::complain(&format!("portcullis: a key of {location} ({id}) is skipped: {reason}"));
    }
    if usable == 0 {
        output::complain(&format!("portcullis: {location} has no usable key"));
    }
}

/// Returns a policy for each option given. The token must meet all of them.
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

/// Reads a policy: text that begins with `{` is JSON, other text is the name of a file.
fn whole_policy(text: &str) -> Result<Policy, Failure> {
    let wrong = |reason: String| Failure::wrong(format!("--policy: {reason}"));
    let json = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        fs::read_to_string(text).map_err(|error| wrong(format!("{text}: {error}")))?
    };
    let policy: Policy =
        serde_json::from_str(&json).map_err(|error| wrong(format!("not a policy: {error}")))?;
    if let Some(name) = policy.unbound().next() {
        return Err(wrong(format!(
            "the custom check {name:?} is code of the service and cannot be evaluated"
        )));
    }
    Ok(policy)
}

/// Returns the service's error text, followed by the command's options for the same settings.
fn explain(error: &ConfigError) -> Failure {
    let options: Vec<_> = match error {
        ConfigError::Missing { setting, .. } | ConfigError::Invalid { setting, .. } => {
            variables::option(setting).into_iter().collect()
        }
        ConfigError::Contradiction { first, second, .. } => {
            [first, second].into_iter().filter_map(|setting| variables::option(setting)).collect()
        }
        ConfigError::NoTokenLifetime { .. } => vec!["--max-lifetime", "--max-age"],
        // `Debug` includes the causes, as `main` of a service prints them.
        ConfigError::KeysUnavailable { .. } => return Failure::no_keys(format!("{error:?}")),
        _ => Vec::new(),
    };
    let here = if options.is_empty() {
        String::new()
    } else {
        format!("\n  option: {}", options.join(", "))
    };
    Failure::wrong(format!("{error:?}{here}"))
}
