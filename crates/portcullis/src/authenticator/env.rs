//! Reads the settings from the environment.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::AuthenticatorBuilder;
use super::builder::KeptKeysSetting;
use super::checks::not_quoted;
use super::config_error::ConfigError;
use super::introspection_settings::IntrospectionSettings;
use super::issuer_settings::IssuerSettings;
use super::key_origin::KeyOrigin;
use crate::algorithm::Algorithm;
use crate::credentials::TokenPlace;
use crate::settings::{self, Setting};

/// The prefix of every variable of this crate.
const PREFIX: &str = "PORTCULLIS_";

/// The former prefix, from before the product was renamed.
const FORMER_PREFIX: &str = "TOLLGATE_";

/// Former variables, each for one token place: the variable without its prefix, and the current
/// name of the place.
const FORMER_PLACES: [(&str, &str); 2] =
    [("TOKEN_HEADER", "header"), ("WEBSOCKET_PROTOCOL", "websocket")];

/// A former variable, without its prefix, with the opposite meaning of [`settings::OBEY_NO_CACHE`].
const FORMER_IGNORE: &str = "JWKS_IGNORE_MUST_REVALIDATE";

impl AuthenticatorBuilder {
    /// Creates a builder from the `PORTCULLIS_*` environment variables, for code that also sets
    /// some values itself. Logs a warning for each variable with an unknown name.
    ///
    /// # Errors
    ///
    /// An error if a required setting is missing, a value is invalid, or a variable has a name that
    /// is no longer read.
    pub fn from_env() -> Result<Self, ConfigError> {
        let names = || std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        check_former(names())?;
        warn_of_unknown(names());
        // A value that is not Unicode must not count as unset: it fails to parse, and the error
        // names it.
        Self::from_lookup(|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// Like [`from_env`](Self::from_env), but reads from `lookup` instead of the environment: for
    /// tests, and for settings that are stored elsewhere.
    ///
    /// ```
    /// use portcullis::AuthenticatorBuilder;
    ///
    /// let lookup = |name: &str| match name {
    ///     "PORTCULLIS_ISSUER" => Some("https://auth.example".to_owned()),
    ///     "PORTCULLIS_AUDIENCE" => Some("https://api.example".to_owned()),
    ///     _ => None,
    /// };
    /// assert!(AuthenticatorBuilder::from_lookup(lookup).is_ok());
    ///
    /// let error = AuthenticatorBuilder::from_lookup(|_| None).err().unwrap();
    /// assert!(error.to_string().starts_with("issuer (PORTCULLIS_ISSUER) is not set"));
    /// ```
    ///
    /// # Errors
    ///
    /// An error if a required setting is missing or a value is invalid.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Lookup(lookup);
        env.check_quotes()?;
        let mut builder = Self::without_issuer();
        builder.issuer = Some(env.issuer()?);
        env.numbers([
            (settings::TOKEN_CACHE, &mut builder.token_cache),
            (settings::MAX_TOKEN_BYTES, &mut builder.max_token_bytes),
        ])?;
        builder.kept_keys = env.path(settings::KEPT_KEYS_FILE).map(KeptKeysSetting::File);
        if let Some(realm) = env.text(settings::REALM) {
            builder.realm = realm;
        }
        builder.resource = env.text(settings::RESOURCE).map(Into::into);
        if let Some(value) = env.text(settings::PROBLEM_JSON)
            && parse_switch(settings::PROBLEM_JSON, &value)?
        {
            builder = builder.problem_json();
        }
        env.check_replaced()?;
        if let Some(places) = env.text(settings::TOKEN_PLACES) {
            builder.token_places =
                list(&places).iter().map(|place| read_place(place)).collect::<Result<_, _>>()?;
        }
        builder.credentials.cookie = env.text(settings::COOKIE);
        if let Some(origins) = env.text(settings::TRUSTED_ORIGINS) {
            builder.credentials.trusted_origins = list(&origins);
        }
        Ok(builder)
    }
}

impl IssuerSettings {
    /// Creates the settings of one issuer from `lookup`, which returns the value of a
    /// `PORTCULLIS_*` variable: for services that store the settings of several issuers, such as in
    /// a file.
    ///
    /// The variables are those of [`AuthenticatorBuilder::from_lookup`] that have a method here. The
    /// others are ignored.
    ///
    /// ```
    /// use portcullis::IssuerSettings;
    ///
    /// let lookup = |name: &str| match name {
    ///     "PORTCULLIS_ISSUER" => Some("https://auth.example".to_owned()),
    ///     "PORTCULLIS_AUDIENCE" => Some("https://api.example".to_owned()),
    ///     "PORTCULLIS_PROFILE" => Some("keycloak".to_owned()),
    ///     _ => None,
    /// };
    /// assert!(IssuerSettings::from_lookup(lookup).is_ok());
    ///
    /// let error = IssuerSettings::from_lookup(|_| None).err().unwrap();
    /// assert!(error.to_string().starts_with("issuer (PORTCULLIS_ISSUER) is not set"));
    /// ```
    ///
    /// # Errors
    ///
    /// An error if a required setting is missing or a value is invalid.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Lookup(lookup);
        env.check_quotes()?;
        env.issuer()
    }
}

struct Lookup<F>(F);

impl<F: Fn(&str) -> Option<String>> Lookup<F> {
    /// Reads the settings of one issuer.
    fn issuer(&self) -> Result<IssuerSettings, ConfigError> {
        let name = self.compulsory(settings::ISSUER)?;
        let mut audiences = list(&self.compulsory(settings::AUDIENCE)?);
        if audiences.is_empty() {
            return Err(ConfigError::Missing { setting: settings::AUDIENCE });
        }
        let mut issuer = IssuerSettings::new(name, audiences.remove(0));
        issuer.audiences.append(&mut audiences);
        issuer.origin = KeyOrigin {
            jwks_url: self.text(settings::JWKS_URL),
            discovery_url: self.text(settings::DISCOVERY_URL),
            jwks_file: self.path(settings::JWKS_FILE),
            http_host: self.text(settings::ALLOW_HTTP_HOST),
            ca_file: self.path(settings::CA_FILE),
            token_file: self.path(settings::FETCH_TOKEN_FILE),
            ..KeyOrigin::default()
        };
        issuer.status_lists = self.text(settings::STATUS_LISTS);
        issuer.introspection = IntrospectionSettings {
            url: self.text(settings::INTROSPECTION_URL),
            client_id: self.text(settings::INTROSPECTION_CLIENT_ID),
            secret_file: self.path(settings::INTROSPECTION_SECRET_FILE),
        };
        for (setting, limit) in [
            (settings::JWKS_TTL, &mut issuer.keys.ttl),
            (settings::MAX_STALE, &mut issuer.keys.max_stale),
            (settings::COOLDOWN, &mut issuer.keys.cooldown),
            (settings::FETCH_TIMEOUT, &mut issuer.keys.fetch_timeout),
            (settings::LEEWAY, &mut issuer.leeway),
        ] {
            if let Some(secs) = self.seconds(setting)? {
                *limit = secs;
            }
        }
        issuer.keys.min_ttl = self.seconds(settings::MIN_TTL)?;
        issuer.keys.refresh_ahead = self.seconds(settings::REFRESH_AHEAD)?;
        self.numbers([
            (settings::MAX_BODY, &mut issuer.keys.max_body),
            (settings::MAX_KEYS, &mut issuer.keys.max_keys),
        ])?;
        for (setting, switch) in [
            (settings::BACKGROUND_REFRESH, &mut issuer.keys.background_refresh),
            (settings::OBEY_NO_CACHE, &mut issuer.keys.obey_no_cache),
            (settings::START_WITHOUT_KEYS, &mut issuer.start_without_keys),
            (settings::UNTYPED_LOGOUT_TOKENS, &mut issuer.logout.may_be_untyped),
        ] {
            if let Some(value) = self.text(setting) {
                *switch = parse_switch(setting, &value)?;
            }
        }
        issuer.max_token_lifetime = self.seconds(settings::MAX_TOKEN_LIFETIME)?;
        issuer.max_token_age = self.seconds(settings::MAX_TOKEN_AGE)?;
        if let Some(names) = self.text(settings::REQUIRED_CLAIMS) {
            issuer.required_claims = list(&names);
        }
        if let Some(names) = self.text(settings::ALGORITHMS) {
            let names = list(&names);
            let parsed = names.iter().map(|name| parse(settings::ALGORITHMS, name));
            issuer.algorithms = Some(parsed.collect::<Result<Vec<Algorithm>, _>>()?);
        }
        if let Some(text) = self.text(settings::SESSION_AT) {
            issuer.session_at = read_path(settings::SESSION_AT, &text)?;
        }
        if let Some(ids) = self.text(settings::LOGOUT_CLIENTS) {
            issuer.logout.clients = list(&ids);
        }
        if let Some(audiences) = self.text(settings::EVENT_AUDIENCES) {
            issuer.logout.event_audiences = list(&audiences);
        }
        if let Some(name) = self.text(settings::LOGOUT_MATCH) {
            issuer.logout.matches = parse(settings::LOGOUT_MATCH, &name)?;
        }
        if let Some(name) = self.text(settings::PROFILE) {
            issuer.profile = parse(settings::PROFILE, &name)?;
        }
        if let Some(text) = self.text(settings::SCOPES_AT) {
            issuer.profile =
                issuer.profile.clone().scopes_at(read_path(settings::SCOPES_AT, &text)?);
        }
        if let Some(text) = self.text(settings::ROLES_AT) {
            for path in read_paths(settings::ROLES_AT, &text)? {
                issuer.profile = issuer.profile.clone().roles_at(path);
            }
        }
        Ok(issuer)
    }

    fn numbers<const N: usize>(
        &self,
        numbers: [(&'static Setting, &mut usize); N],
    ) -> Result<(), ConfigError> {
        for (setting, number) in numbers {
            if let Some(value) = self.text(setting) {
                *number = parse_number(setting, &value)?;
            }
        }
        Ok(())
    }

    /// Returns the value. An empty value counts as unset, because deployments often unset a
    /// variable by leaving it empty.
    fn text(&self, setting: &'static Setting) -> Option<String> {
        self.variable(setting.variable)
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Checks that no value is in quotes.
    fn check_quotes(&self) -> Result<(), ConfigError> {
        for setting in Setting::ALL {
            if let Some(value) = self.text(setting) {
                not_quoted(setting, &value)?;
            }
        }
        Ok(())
    }

    /// Rejects replaced variables, which would otherwise be ignored silently.
    fn check_replaced(&self) -> Result<(), ConfigError> {
        for prefix in [PREFIX, FORMER_PREFIX] {
            for (name, place) in FORMER_PLACES {
                let variable = format!("{prefix}{name}");
                if let Some(value) = self.variable(&variable) {
                    let value = format!("authorization,{place}:{value}");
                    let setting = settings::TOKEN_PLACES;
                    return Err(ConfigError::Replaced { variable, setting, value });
                }
            }
            let variable = format!("{prefix}{FORMER_IGNORE}");
            if let Some(value) = self.variable(&variable) {
                let obeys = matches!(value.as_str(), "false" | "0");
                let (setting, value) = (settings::OBEY_NO_CACHE, obeys.to_string());
                return Err(ConfigError::Replaced { variable, setting, value });
            }
        }
        Ok(())
    }

    fn path(&self, setting: &'static Setting) -> Option<PathBuf> {
        self.text(setting).map(PathBuf::from)
    }

    fn compulsory(&self, setting: &'static Setting) -> Result<String, ConfigError> {
        self.text(setting).ok_or(ConfigError::Missing { setting })
    }

    fn seconds(&self, setting: &'static Setting) -> Result<Option<Duration>, ConfigError> {
        let Some(value) = self.text(setting) else { return Ok(None) };
        value.parse().map(Duration::from_secs).map(Some).map_err(|_| {
            ConfigError::invalid(setting, &value, "it must be a whole number of seconds")
        })
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(
    setting: &'static Setting,
    value: &str,
) -> Result<T, ConfigError> {
    value.parse().map_err(|error: T::Err| ConfigError::invalid(setting, value, error.to_string()))
}

fn read_place(text: &str) -> Result<TokenPlace, ConfigError> {
    TokenPlace::from_text(text).ok_or_else(|| {
        let expected = "it must be `authorization`, `header:NAME`, `header:NAME:SCHEME`, \
                        `websocket:PREFIX`, `websocket-pair:MARKER` or `websocket-base64url:PREFIX`";
        ConfigError::invalid(settings::TOKEN_PLACES, text, expected)
    })
}

/// A path of member names: a single name with any characters, or a JSON array.
fn read_path(setting: &'static Setting, text: &str) -> Result<Vec<String>, ConfigError> {
    let path = match text.strip_prefix('[') {
        None => vec![text.to_owned()],
        Some(_) => serde_json::from_str(text).unwrap_or_default(),
    };
    if path.is_empty() {
        let expected =
            "it must be a claim name, or a path as a JSON array such as [\"ext\", \"scopes\"]";
        return Err(ConfigError::invalid(setting, text, expected));
    }
    Ok(path)
}

/// Reads one path, like [`read_path`], or a JSON array of paths.
fn read_paths(setting: &'static Setting, text: &str) -> Result<Vec<Vec<String>>, ConfigError> {
    match serde_json::from_str::<Vec<Vec<String>>>(text) {
        Ok(paths) if !paths.is_empty() && paths.iter().all(|path| !path.is_empty()) => Ok(paths),
        _ => Ok(vec![read_path(setting, text)?]),
    }
}

fn parse_number(setting: &'static Setting, value: &str) -> Result<usize, ConfigError> {
    value.parse().map_err(|_| ConfigError::invalid(setting, value, "it must be a whole number"))
}

fn parse_switch(setting: &'static Setting, value: &str) -> Result<bool, ConfigError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ConfigError::invalid(setting, value, "it must be `true` or `false`")),
    }
}

/// The items of a list, separated by commas or white space.
fn list(value: &str) -> Vec<String> {
    value
        .split(|separator: char| separator == ',' || separator.is_whitespace())
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Rejects settings with the former prefix. A limit, for example, would otherwise be ignored
/// silently.
fn check_former(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    for variable in names {
        if let Some(rest) = variable.strip_prefix(FORMER_PREFIX) {
            let renamed = format!("{PREFIX}{rest}");
            if Setting::ALL.iter().any(|setting| setting.variable == renamed) {
                return Err(ConfigError::Renamed { variable, renamed });
            }
        }
    }
    Ok(())
}

/// Warns of unknown variables. A setting with a misspelt name would otherwise be ignored silently.
fn warn_of_unknown(names: impl Iterator<Item = String>) {
    for (name, nearest) in unknown(names) {
        tracing::warn!(
            target: "portcullis",
            name, nearest,
            "unknown variable ignored",
        );
    }
}

/// The names that have the prefix and are not settings, each with the most similar setting.
fn unknown(names: impl Iterator<Item = String>) -> Vec<(String, &'static str)> {
    names
        .filter(|name| name.starts_with(PREFIX))
        .filter(|name| Setting::ALL.iter().all(|setting| setting.variable != name))
        .filter_map(|name| {
            let distance = |setting: &&&Setting| strsim::levenshtein(setting.variable, &name);
            let nearest = Setting::ALL.iter().min_by_key(distance)?;
            Some((name, nearest.variable))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::profile::Profile;

    fn read(changes: &[(&str, &str)]) -> Result<AuthenticatorBuilder, ConfigError> {
        let mut env = HashMap::from([
            ("PORTCULLIS_ISSUER".to_owned(), "https://issuer.example".to_owned()),
            ("PORTCULLIS_AUDIENCE".to_owned(), "https://api.example".to_owned()),
        ]);
        env.extend(changes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        AuthenticatorBuilder::from_lookup(|name| env.get(name).cloned())
    }

    #[test]
    fn variable_with_former_prefix_is_rejected_by_name() {
        let check = |names: &[&str]| check_former(names.iter().map(|&name| name.to_owned()));
        for setting in Setting::ALL {
            let former = setting.variable.replace(PREFIX, FORMER_PREFIX);
            let error = check(&["PATH", &former]).unwrap_err().to_string();
            assert!(error.contains(&former) && error.contains(setting.variable), "{error}");
        }
        // Other software may use the former prefix for its own variables.
        check(&[&format!("{FORMER_PREFIX}HOME"), "PORTCULLIS_ISSUER"]).unwrap();
    }

    #[test]
    fn every_environment_variable_is_read() {
        let builder = read(&[
            ("PORTCULLIS_AUDIENCE", "https://api.example, urn:b"),
            ("PORTCULLIS_JWKS_URL", "https://keys.example/jwks"),
            ("PORTCULLIS_DISCOVERY_URL", "https://i.example/meta"),
            ("PORTCULLIS_ALLOW_HTTP_HOST", "keycloak.internal"),
            ("PORTCULLIS_JWKS_FILE", "/a"),
            ("PORTCULLIS_CA_FILE", "/b"),
            ("PORTCULLIS_FETCH_TOKEN_FILE", "/c"),
            ("PORTCULLIS_JWKS_TTL_SECS", "60"),
            ("PORTCULLIS_JWKS_MAX_STALE_SECS", "120"),
            ("PORTCULLIS_JWKS_COOLDOWN_SECS", "10"),
            ("PORTCULLIS_FETCH_TIMEOUT_SECS", "3"),
            ("PORTCULLIS_JWKS_MIN_TTL_SECS", "5"),
            ("PORTCULLIS_JWKS_REFRESH_AHEAD_SECS", "7"),
            ("PORTCULLIS_JWKS_BACKGROUND_REFRESH", "false"),
            ("PORTCULLIS_JWKS_OBEY_NO_CACHE", "1"),
            ("PORTCULLIS_JWKS_MAX_BODY_BYTES", "2048"),
            ("PORTCULLIS_JWKS_MAX_KEYS", "8"),
            ("PORTCULLIS_LEEWAY_SECS", "0"),
            ("PORTCULLIS_MAX_TOKEN_LIFETIME_SECS", "900"),
            ("PORTCULLIS_MAX_TOKEN_AGE_SECS", "600"),
            ("PORTCULLIS_REQUIRED_CLAIMS", "sub,tenant"),
            ("PORTCULLIS_ALGORITHMS", "ES256, EdDSA"),
            ("PORTCULLIS_PROFILE", "rfc9068"),
            ("PORTCULLIS_SCOPES_AT", "https://api.example/scopes"),
            ("PORTCULLIS_ROLES_AT", r#"[["a","b.c"],["d"]]"#),
            ("PORTCULLIS_REALM", "orders"),
            ("PORTCULLIS_RESOURCE", "https://api.example/v1"),
            ("PORTCULLIS_PROBLEM_JSON", "true"),
            (
                "PORTCULLIS_TOKEN_PLACES",
                "authorization, header:X-Access-Token, header:X-Forwarded-Authorization:Bearer, \
                 websocket:bearer., websocket-pair:bearer, \
                 websocket-base64url:base64url.bearer.authorization.k8s.io.",
            ),
            ("PORTCULLIS_COOKIE", "__Host-portcullis-access"),
            ("PORTCULLIS_TRUSTED_ORIGINS", "https://app.example https://b.example"),
            ("PORTCULLIS_START_WITHOUT_KEYS", "true"),
            ("PORTCULLIS_KEPT_KEYS_FILE", "/var/lib/api/keys.json"),
        ])
        .unwrap();
        let first = builder.issuer.clone().unwrap();
        assert_eq!(first.issuer, "https://issuer.example");
        assert_eq!(first.audiences, ["https://api.example", "urn:b"]);
        assert_eq!(first.origin.jwks_url.as_deref(), Some("https://keys.example/jwks"));
        assert_eq!(first.origin.discovery_url.as_deref(), Some("https://i.example/meta"));
        assert_eq!(first.origin.http_host.as_deref(), Some("keycloak.internal"));
        let paths = [first.origin.jwks_file, first.origin.ca_file, first.origin.token_file];
        assert_eq!(paths.map(|path| path.unwrap().display().to_string()), ["/a", "/b", "/c"]);
        assert_eq!(first.keys.ttl.as_secs(), 60);
        assert_eq!(first.keys.max_stale.as_secs(), 120);
        assert_eq!(first.keys.cooldown.as_secs(), 10);
        assert_eq!(first.keys.fetch_timeout.as_secs(), 3);
        assert_eq!(first.keys.min_ttl, Some(Duration::from_secs(5)));
        assert_eq!(first.keys.refresh_ahead, Some(Duration::from_secs(7)));
        assert!(!first.keys.background_refresh && first.keys.obey_no_cache);
        assert_eq!((first.keys.max_body, first.keys.max_keys), (2048, 8));
        assert_eq!(first.leeway.as_secs(), 0);
        assert_eq!(first.max_token_lifetime.map(|max| max.as_secs()), Some(900));
        assert_eq!(first.max_token_age.map(|max| max.as_secs()), Some(600));
        assert_eq!(first.required_claims, ["sub", "tenant"]);
        assert_eq!(first.algorithms, Some(vec![Algorithm::Es256, Algorithm::Ed25519]));
        let profile = Profile::rfc9068().scopes_at(["https://api.example/scopes"]);
        assert_eq!(first.profile, profile.roles_at(["a", "b.c"]).roles_at(["d"]));
        assert_eq!(builder.realm, "orders");
        let resource = builder.resource.map(|resource| resource.identifier);
        assert_eq!(resource.as_deref(), Some("https://api.example/v1"));
        assert!(builder.write_body.is_some());
        assert_eq!(
            builder.token_places,
            [
                TokenPlace::authorization(),
                TokenPlace::header("X-Access-Token"),
                TokenPlace::header_with_scheme("X-Forwarded-Authorization", "Bearer"),
                TokenPlace::websocket_prefix("bearer."),
                TokenPlace::websocket_pair("bearer"),
                TokenPlace::websocket_base64url("base64url.bearer.authorization.k8s.io."),
            ]
        );
        assert_eq!(builder.credentials.cookie.as_deref(), Some("__Host-portcullis-access"));
        assert_eq!(
            builder.credentials.trusted_origins,
            ["https://app.example", "https://b.example"]
        );
        assert!(first.start_without_keys);
    }

    #[test]
    fn unreadable_value_is_reported_with_its_setting() {
        for (variable, value, expected) in [
            ("PORTCULLIS_JWKS_TTL_SECS", "5m", "whole number of seconds"),
            ("PORTCULLIS_LEEWAY_SECS", "-1", "whole number of seconds"),
            ("PORTCULLIS_ALGORITHMS", "HS256", "not one of RS256"),
            ("PORTCULLIS_PROFILE", "auth1", "jwt, rfc9068, auth0"),
            ("PORTCULLIS_SCOPES_AT", "[]", "a claim name, or a path"),
            ("PORTCULLIS_SCOPES_AT", "[[]]", "a claim name, or a path"),
            ("PORTCULLIS_ROLES_AT", "[7]", "a claim name, or a path"),
            ("PORTCULLIS_ROLES_AT", "[[],[]]", "a claim name, or a path"),
            ("PORTCULLIS_JWKS_MAX_KEYS", "many", "whole number"),
            ("PORTCULLIS_START_WITHOUT_KEYS", "yes", "`true` or `false`"),
            ("PORTCULLIS_TOKEN_PLACES", "query:access_token", "`authorization`, `header:NAME`"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            for part in [variable, value, expected] {
                assert!(error.contains(part), "{error} should name {part}");
            }
        }
    }

    #[test]
    fn quoted_value_is_rejected() {
        for (variable, value) in [
            ("PORTCULLIS_ISSUER", r#""https://issuer.example""#),
            ("PORTCULLIS_ISSUER", "'https://issuer.example'"),
            ("PORTCULLIS_ISSUER", "https://issuer.example\""),
            ("PORTCULLIS_AUDIENCE", r#""https://api.example""#),
            ("PORTCULLIS_JWKS_TTL_SECS", r#""300""#),
            ("PORTCULLIS_REALM", "\u{201c}api\u{201d}"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains("quotes"), "{error}");
        }
    }

    #[test]
    fn former_variable_is_rejected_with_its_replacement() {
        for (variable, value, right) in [
            ("PORTCULLIS_JWKS_IGNORE_MUST_REVALIDATE", "true", "JWKS_OBEY_NO_CACHE=false"),
            ("TOLLGATE_JWKS_IGNORE_MUST_REVALIDATE", "0", "JWKS_OBEY_NO_CACHE=true"),
            ("PORTCULLIS_TOKEN_HEADER", "X-A", "PORTCULLIS_TOKEN_PLACES=authorization,header:X-A"),
            ("TOLLGATE_TOKEN_HEADER", "X-A", "PORTCULLIS_TOKEN_PLACES=authorization,header:X-A"),
            ("PORTCULLIS_WEBSOCKET_PROTOCOL", "b.", "=authorization,websocket:b."),
            ("TOLLGATE_WEBSOCKET_PROTOCOL", "b.", "=authorization,websocket:b."),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(right), "{error}");
            assert!(read(&[(variable, " ")]).is_ok(), "a blank value is not set");
        }
    }

    #[test]
    fn absent_issuer_or_audience_is_rejected() {
        for variable in ["PORTCULLIS_ISSUER", "PORTCULLIS_AUDIENCE"] {
            for value in ["", "  "] {
                let error = read(&[(variable, value)]).unwrap_err();
                assert!(matches!(error, ConfigError::Missing { .. }), "{error}");
                assert!(error.to_string().contains(variable), "{error}");
            }
        }
        assert!(read(&[("PORTCULLIS_AUDIENCE", " , ")]).is_err());
    }

    #[test]
    fn unknown_variable_is_reported_with_the_nearest_name() {
        let names = ["PORTCULLIS_JWKS_TTL", "PORTCULLIS_ISSUER", "PATH", "IDENTSPHERE_ISSUER"];
        let unknown = unknown(names.into_iter().map(str::to_owned));
        assert_eq!(unknown, [("PORTCULLIS_JWKS_TTL".to_owned(), "PORTCULLIS_JWKS_URL")]);
    }
}
