//! The settings of `check`: the service's environment variables, overridden by options.

use std::env;

use portcullis::{AuthenticatorBuilder, ConfigError, config::Setting};

use crate::cli::CheckArguments;

/// Settings that `check` ignores, because it reads no HTTP requests and must not write files.
const OF_A_SERVER: [&str; 10] = [
    "PORTCULLIS_TOKEN_PLACES",
    "PORTCULLIS_COOKIE",
    "PORTCULLIS_TRUSTED_ORIGINS",
    "PORTCULLIS_REALM",
    "PORTCULLIS_RESOURCE",
    "PORTCULLIS_PROBLEM_JSON",
    "PORTCULLIS_START_WITHOUT_KEYS",
    "PORTCULLIS_KEPT_KEYS_FILE",
    "PORTCULLIS_JWKS_BACKGROUND_REFRESH",
    "PORTCULLIS_JWKS_COOLDOWN_SECS",
];

/// The environment variables, each overridden by its option.
pub(super) struct Variables<'a>(pub(super) &'a CheckArguments);

impl Variables<'_> {
    /// Returns the builder of a service with these variables.
    pub(super) fn builder(&self) -> Result<AuthenticatorBuilder, ConfigError> {
        // Rejects a variable with a former name, as the service does.
        if let Err(error @ ConfigError::Renamed { .. }) = AuthenticatorBuilder::from_env() {
            return Err(error);
        }
        let apart = self.keys_file().is_some();
        AuthenticatorBuilder::from_lookup(|name| {
            self.get(name).filter(|_| !(apart && name == "PORTCULLIS_JWKS_FILE"))
        })
    }

    /// Returns the key file, if keys come from one. The caller reads it once.
    pub(super) fn keys_file(&self) -> Option<String> {
        let named = self.0.jwks.clone().filter(|place| !place.contains("://"));
        named.or_else(|| {
            let set = |name| self.get(name).filter(|value| !value.is_empty());
            // With another key source set as well, the service's builder reports the contradiction.
            let alone = ["PORTCULLIS_JWKS_URL", "PORTCULLIS_DISCOVERY_URL"];
            set("PORTCULLIS_JWKS_FILE").filter(|_| alone.iter().all(|name| set(name).is_none()))
        })
    }

    /// Returns the value of the option, or else of the variable. An empty value means unset.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        if OF_A_SERVER.contains(&name) {
            return None;
        }
        self.option(name).or_else(|| variable(name))
    }

    /// Returns the names of the settings read from the environment.
    pub(super) fn of_the_environment(&self) -> Vec<&'static str> {
        let names = Setting::ALL.iter().map(|setting| setting.variable);
        let is_read = |name: &&str| {
            !OF_A_SERVER.contains(name) && self.option(name).is_none() && variable(name).is_some()
        };
        names.filter(is_read).collect()
    }

    fn option(&self, name: &str) -> Option<String> {
        let CheckArguments { issuer, audience, jwks, alg, .. } = self.0;
        let list = |items: Vec<&str>| (!items.is_empty()).then(|| items.join(","));
        let number = |secs: Option<u64>| secs.map(|secs| secs.to_string());
        match name {
            "PORTCULLIS_ISSUER" => issuer.clone(),
            "PORTCULLIS_AUDIENCE" => list(audience.iter().map(String::as_str).collect()),
            "PORTCULLIS_JWKS_URL" => {
                let jwks = jwks.as_ref()?;
                Some(jwks.clone()).filter(|url| url.contains("://")).or(Some(String::new()))
            }
            // `--jwks` replaces every other key source.
            "PORTCULLIS_JWKS_FILE" | "PORTCULLIS_DISCOVERY_URL" => {
                jwks.as_ref().map(|_| String::new())
            }
            "PORTCULLIS_PROFILE" => {
                self.0.profile.as_ref().map(|profile| profile.name().to_owned())
            }
            "PORTCULLIS_SCOPES_AT" => self.0.scopes_at.clone(),
            "PORTCULLIS_ROLES_AT" => self.0.roles_at.clone(),
            "PORTCULLIS_ALGORITHMS" => list(alg.iter().map(|alg| alg.as_str()).collect()),
            "PORTCULLIS_LEEWAY_SECS" => number(self.0.leeway),
            "PORTCULLIS_MAX_TOKEN_LIFETIME_SECS" => number(self.0.max_lifetime.map(Into::into)),
            "PORTCULLIS_MAX_TOKEN_AGE_SECS" => number(self.0.max_age.map(Into::into)),
            "PORTCULLIS_REQUIRED_CLAIMS" => {
                list(self.0.require_claim.iter().map(String::as_str).collect())
            }
            _ => None,
        }
    }
}

/// Returns the value of a variable, or `None` if it is blank.
fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().into_owned();
    (!value.trim().is_empty()).then_some(value)
}

/// Returns the variables with the settings' prefix that are not settings.
pub(super) fn unknown() -> Vec<String> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let is_setting = |name: &String| Setting::ALL.iter().any(|it| it.variable == name);
    names.filter(|name| name.starts_with("PORTCULLIS_") && !is_setting(name)).collect()
}

/// Returns the option that sets this setting.
pub(super) fn option(setting: &Setting) -> Option<&'static str> {
    Some(match setting.variable {
        "PORTCULLIS_ISSUER" => "--issuer",
        "PORTCULLIS_AUDIENCE" => "--audience",
        "PORTCULLIS_JWKS_URL" | "PORTCULLIS_JWKS_FILE" => "--jwks",
        "PORTCULLIS_PROFILE" => "--profile",
        "PORTCULLIS_SCOPES_AT" => "--scopes-at",
        "PORTCULLIS_ROLES_AT" => "--roles-at",
        "PORTCULLIS_ALGORITHMS" => "--alg",
        "PORTCULLIS_LEEWAY_SECS" => "--leeway",
        "PORTCULLIS_MAX_TOKEN_LIFETIME_SECS" => "--max-lifetime",
        "PORTCULLIS_MAX_TOKEN_AGE_SECS" => "--max-age",
        "PORTCULLIS_REQUIRED_CLAIMS" => "--require-claim",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_variables_and_options_name_existing_settings() {
        for name in OF_A_SERVER {
            assert!(Setting::ALL.iter().any(|setting| setting.variable == name), "{name}");
        }
        let options = Setting::ALL.iter().filter_map(|setting| option(setting));
        assert_eq!(options.count(), 12);
    }
}
