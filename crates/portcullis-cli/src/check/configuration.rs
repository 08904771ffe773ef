//! From the settings to a [`Gate`] and policies, and what can be wrong with them.

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use portcullis::{
    Algorithm, ConfigError, Gate, Policy, Revocation,
    clock::Clock,
    keys::{KeySet, SharedKeySet, SkippedKey},
};

use super::variables::{self, Variables};
use crate::cli::CheckArguments;
use crate::exit::Failure;
use crate::output;

/// What a service has with these settings, for a route that asks for this revocation.
pub(super) async fn gate(
    arguments: &CheckArguments,
    clock: Arc<dyn Clock>,
) -> Result<Gate, Failure> {
    let variables = Variables(arguments);
    let mut builder = variables
        .builder()
        .map_err(|error| explain(&error))?
        // Nobody floods a command with forged tokens but who runs it.
        .cooldown(Duration::from_secs(1))
        .without_background_refresh()
        .clock(clock);
    if let Some(file) = variables.keys_file() {
        let allowed = variables.get("PORTCULLIS_ALGORITHMS").unwrap_or_default();
        let allowed = allowed.split(|it: char| it == ',' || it.is_whitespace());
        let allowed: Vec<Algorithm> = allowed.filter_map(|name| name.parse().ok()).collect();
        builder = builder.key_source(SharedKeySet::new(from_file(&file, &allowed)?));
    }
    tell_of_the_environment(&variables);
    let auth = builder.build().await.map_err(|error| explain(&error))?;
    let revocation = match (arguments.live, arguments.status_list) {
        (true, _) => Revocation::live(),
        (false, Some(secs)) => Revocation::status_list(Duration::from_secs(secs.get())),
        (false, None) => Revocation::expiry(),
    };
    Gate::new(auth).revocation(revocation).map_err(|error| explain(&error))
}

/// A forgotten variable would change the verdict silently, and so would a misspelt one.
fn tell_of_the_environment(variables: &Variables<'_>) {
    let names = variables.of_the_environment();
    if !names.is_empty() {
        output::complain(&format!("portcullis: settings of the environment: {}", names.join(", ")));
    }
    for name in variables::unknown() {
        output::complain(&format!("portcullis: {name} is no setting, and is ignored"));
    }
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

/// The service's own words, and the options that decide it here.
fn explain(error: &ConfigError) -> Failure {
    let options: Vec<_> = match error {
        ConfigError::Missing { setting, .. } | ConfigError::Invalid { setting, .. } => {
            variables::option(setting).into_iter().collect()
        }
        ConfigError::Contradiction { first, second, .. } => {
            [first, second].into_iter().filter_map(|setting| variables::option(setting)).collect()
        }
        // As `main` of a service prints it: with the causes.
        ConfigError::KeysUnavailable { .. } => return Failure::no_keys(format!("{error:?}")),
        _ => Vec::new(),
    };
    let here = if options.is_empty() {
        String::new()
    } else {
        format!("\n  here: {}", options.join(", "))
    };
    Failure::wrong(format!("{error:?}{here}"))
}
