//! The tables `[tokens]` and `[[issuer]]`: the core's settings, each with the name of its variable.

use std::collections::BTreeMap;

use http::HeaderName;
use portcullis::config::Setting;
use portcullis::fetch::{Fetch, FetchRequest, Fetching};
use portcullis::{AuthenticatorBuilder, IssuerSettings};
use toml::{Spanned, Value};

use super::error::ConfigError;
use crate::headers::CredentialPlaces;

/// A table whose keys are checked here, and not by serde.
pub(super) type Table = BTreeMap<Spanned<String>, Spanned<Value>>;

const PREFIX: &str = "PORTCULLIS_";

/// The variables of the whole service: the keys of `[tokens]`. All others are those of an issuer.
const OF_SERVICE: [&str; 9] = [
    "PORTCULLIS_REALM",
    "PORTCULLIS_RESOURCE",
    "PORTCULLIS_PROBLEM_JSON",
    "PORTCULLIS_TOKEN_PLACES",
    "PORTCULLIS_COOKIE",
    "PORTCULLIS_TRUSTED_ORIGINS",
    "PORTCULLIS_TOKEN_CACHE_BYTES",
    "PORTCULLIS_MAX_TOKEN_BYTES",
    "PORTCULLIS_KEPT_KEYS_FILE",
];

/// The variables that name files which are read at the start, and a variable that is only valid with
/// one.
const OF_FILES: [&str; 3] = [
    "PORTCULLIS_CA_FILE",
    "PORTCULLIS_INTROSPECTION_CLIENT_ID",
    "PORTCULLIS_INTROSPECTION_SECRET_FILE",
];

/// The values of a table, by variable.
#[derive(Debug, Clone, Default)]
struct Values {
    texts: BTreeMap<&'static str, String>,
    lines: BTreeMap<&'static str, usize>,
}

impl Values {
    fn read(
        table: &Table,
        name: &str,
        belongs: impl Fn(&Setting) -> bool,
        line: impl Fn(usize) -> usize,
    ) -> Result<Self, ConfigError> {
        let mut values = Self::default();
        for (key, value) in table {
            let at = line(key.span().start);
            let wrong = |problem: String| ConfigError::new(problem).on(Some(at));
            let key = key.get_ref();
            let setting = Setting::ALL.iter().find(|setting| key_of(setting) == *key);
            let Some(setting) = setting.filter(|setting| belongs(setting)) else {
                let known: Vec<String> = Setting::ALL
                    .iter()
                    .filter(|setting| belongs(setting))
                    .map(|setting| format!("`{}`", key_of(setting)))
                    .collect();
                let known = known.join(", ");
                return Err(wrong(format!(
                    "unknown field `{key}` in {name}, expected one of {known}"
                )));
            };
            let text = text_of(value.get_ref());
            let text = text.map_err(|expected| wrong(format!("`{key}` {expected}")))?;
            values.texts.insert(setting.variable, text);
            values.lines.insert(setting.variable, at);
        }
        Ok(values)
    }

    fn get(&self, variable: &str) -> Option<String> {
        self.texts.get(variable).cloned()
    }

    /// The setting that an error of the core is about.
    fn setting(error: &portcullis::ConfigError) -> Option<&'static Setting> {
        use portcullis::ConfigError as Core;
        match error {
            Core::Missing { setting, .. } | Core::Invalid { setting, .. } => Some(setting),
            Core::Contradiction { second, .. } => Some(second),
            _ => None,
        }
    }

    /// The core's error, with the key and the line instead of the variable.
    fn error(&self, error: &portcullis::ConfigError, table: Option<usize>) -> ConfigError {
        use portcullis::ConfigError as Core;
        let line = Self::setting(error).and_then(|setting| self.lines.get(setting.variable));
        let problem = match error {
            Core::Missing { setting, .. } => {
                format!("`{}` is missing: {}", key_of(setting), setting.meaning)
            }
            Core::Invalid { setting, value, expected, .. } => {
                format!("`{}` is {value:?}: {expected}", key_of(setting))
            }
            Core::Contradiction { first, second, why, .. } => {
                let (first, second) = (key_of(first), key_of(second));
                format!("`{first}` and `{second}` contradict each other: {why}")
            }
            error => crate::causes::with_causes(error),
        };
        ConfigError::new(problem).on(line.copied().or(table))
    }
}

fn key_of(setting: &Setting) -> String {
    setting.variable.strip_prefix(PREFIX).unwrap_or(setting.variable).to_lowercase()
}

fn is_of_service(setting: &Setting) -> bool {
    OF_SERVICE.contains(&setting.variable)
}

/// The text that a variable would have for this value.
fn text_of(value: &Value) -> Result<String, &'static str> {
    const EXPECTED: &str = "must be a string, a number, true or false, or a list of strings";
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(on) => on.to_string(),
        Value::Array(items) => {
            let mut texts = Vec::new();
            for item in items {
                let text = item.as_str().ok_or(EXPECTED)?;
                if text.contains(|c: char| c == ',' || c.is_whitespace()) {
                    return Err("has an item with a comma or white space");
                }
                texts.push(text);
            }
            texts.join(",")
        }
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => return Err(EXPECTED),
    })
}

/// The settings of `[tokens]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceSettings(Values);

impl ServiceSettings {
    /// Reads the table.
    pub(super) fn read(table: &Table, line: impl Fn(usize) -> usize) -> Result<Self, ConfigError> {
        Values::read(table, "[tokens]", is_of_service, line).map(Self)
    }

    /// Returns a builder with these settings and issuers.
    pub(crate) fn builder(
        &self,
        issuers: &[IssuerTable],
    ) -> Result<AuthenticatorBuilder, ConfigError> {
        let Some((first, others)) = issuers.split_first() else {
            return Err(ConfigError::new("there is no [[issuer]]; add the issuer of the tokens"));
        };
        let lookup = |variable: &str| self.0.get(variable).or_else(|| first.values.get(variable));
        let builder = AuthenticatorBuilder::from_lookup(lookup);
        let builder = builder.map_err(|error| match first.settings() {
            Err(of_issuer) => of_issuer,
            Ok(_) => self.0.error(&error, None),
        })?;
        let builder = if first.offline { builder.fetch(Offline) } else { builder };
        others.iter().try_fold(builder, |builder, other| Ok(builder.also_issuer(other.settings()?)))
    }

    /// Returns a builder that checks the same settings, and fetches and reads nothing.
    pub(crate) fn builder_to_check(
        &self,
        issuers: &[IssuerTable],
    ) -> Result<AuthenticatorBuilder, ConfigError> {
        let without = |values: &Values, variables: &[&str]| {
            let mut values = values.clone();
            values.texts.retain(|variable, _| !variables.contains(variable));
            values
        };
        let issuers: Vec<IssuerTable> = issuers
            .iter()
            .map(|table| {
                let mut values = without(&table.values, &OF_FILES);
                values.texts.insert("PORTCULLIS_START_WITHOUT_KEYS", "true".to_owned());
                IssuerTable { values, offline: true, ..table.clone() }
            })
            .collect();
        Self(without(&self.0, &["PORTCULLIS_KEPT_KEYS_FILE"])).builder(&issuers)
    }

    /// Returns where credentials are, for their removal.
    pub(super) fn credentials(&self) -> CredentialPlaces {
        let mut places = CredentialPlaces {
            cookie: self.0.get("PORTCULLIS_COOKIE"),
            ..CredentialPlaces::default()
        };
        let listed = self.0.get("PORTCULLIS_TOKEN_PLACES").unwrap_or_default();
        for place in listed.split(|c: char| c == ',' || c.is_whitespace()) {
            let (kind, rest) = place.split_once(':').unwrap_or((place, ""));
            match kind {
                "header" => {
                    let name = rest.split(':').next().unwrap_or_default();
                    places.headers.extend(name.parse::<HeaderName>());
                }
                "websocket" | "websocket-base64url" => places.subprotocols.push(rest.to_owned()),
                "websocket-pair" => places.markers.push(rest.to_owned()),
                _ => {}
            }
        }
        places
    }

    /// The error of building an authenticator with these settings and issuers.
    pub(crate) fn error(
        &self,
        error: &portcullis::ConfigError,
        issuers: &[IssuerTable],
    ) -> ConfigError {
        use portcullis::ConfigError as Core;
        let of = |name: &str| issuers.iter().find(|issuer| issuer.is(name));
        match error {
            Core::OfIssuer { issuer, problem, .. } => match of(issuer) {
                Some(table) => table.values.error(problem, Some(table.line)),
                None => self.0.error(error, None),
            },
            // The core names the issuer of a problem only if there are several.
            _ => match issuers {
                [only] if Values::setting(error).is_some_and(|one| !is_of_service(one)) => {
                    only.values.error(error, Some(only.line))
                }
                _ => self.0.error(error, None),
            },
        }
    }
}

/// A table `[[issuer]]`.
#[derive(Debug, Clone)]
pub(crate) struct IssuerTable {
    values: Values,
    line: usize,
    /// Whether the settings are only checked.
    offline: bool,
}

/// Fetches nothing.
#[derive(Debug)]
struct Offline;

impl Fetch for Offline {
    fn get(&self, _: FetchRequest) -> Fetching<'_> {
        Box::pin(std::future::ready(Err("the settings are only checked".into())))
    }
}

impl IssuerTable {
    /// Reads and checks the table.
    pub(super) fn read(
        table: &Spanned<Table>,
        line: impl Fn(usize) -> usize + Copy,
    ) -> Result<Self, ConfigError> {
        let belongs = |setting: &Setting| !is_of_service(setting);
        let values = Values::read(table.get_ref(), "[[issuer]]", belongs, line)?;
        let table = Self { values, line: line(table.span().start), offline: false };
        drop(table.settings()?);
        Ok(table)
    }

    pub(crate) fn settings(&self) -> Result<IssuerSettings, ConfigError> {
        let settings = IssuerSettings::from_lookup(|variable| self.values.get(variable));
        let settings = settings.map_err(|error| self.values.error(&error, Some(self.line)))?;
        Ok(if self.offline { settings.fetch(Offline) } else { settings })
    }

    fn is(&self, name: &str) -> bool {
        self.values.get("PORTCULLIS_ISSUER").as_deref() == Some(name)
    }
}
