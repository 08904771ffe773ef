//! Suggests the settings of a service that accepts tokens like the given one and rejects the
//! issuer's ID tokens, or explains why it suggests nothing.

use std::fmt;

use portcullis::{Algorithm, Profile};
use serde::Serialize;
use serde_json::{Map, Value};

use super::audiences;
use super::issuers::{self, host};
use super::nothing::Nothing;
use super::places::Places;
use super::trial::Trial;
use crate::output;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Suggestion {
    Settings(Box<Settings>),
    Nothing {
        /// The reason and the remedy.
        nothing: Nothing,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Settings {
    issuer: String,
    audience: String,
    /// The other names in the token's audience.
    other_audiences: Vec<String>,
    profile: &'static str,
    /// The claims that scopes and roles are read from with these settings.
    scopes_in: Vec<String>,
    roles_in: Vec<String>,
    /// Claims that look like roles and are not read.
    unread: Vec<String>,
    rust: Vec<String>,
    environment: Vec<String>,
}

type Object = Map<String, Value>;

impl Suggestion {
    pub(super) fn new(token: &[u8], header: &Object, claims: &Object, trial: &Trial) -> Self {
        let mut first = None;
        for profile in issuers::profiles(header, claims) {
            match settings(token, header, claims, profile, trial) {
                Ok(settings) => return Self::Settings(Box::new(settings)),
                Err(nothing) => first = first.or(Some(nothing)),
            }
        }
        let nothing = first.unwrap_or_else(|| Nothing::because("no profile fits"));
        Self::Nothing { nothing }
    }
}

fn settings(
    token: &[u8],
    header: &Object,
    claims: &Object,
    name: &'static str,
    trial: &Trial,
) -> Result<Settings, Nothing> {
    let profile: Profile =
        name.parse().map_err(|_| Nothing::because(format!("there is no profile {name}")))?;
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    if issuer.is_empty() {
        return Err(Nothing::remedied(
            "`iss` is missing: the issuer, and so its keys, are unknown",
            "configure the issuer to set `iss` to its URL",
        ));
    }
    let names = audiences::names(claims, profile.audience_claim());
    if claims.get("aud").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Err(Nothing::remedied(
            "`aud` is empty: the token is not for any API",
            "have the client request this API's audience, and allow that request in the issuer's \
             settings",
        ));
    }
    // Checks the kind of token before the audience, because no settings are suggested for an ID token.
    let writable = names.iter().find(|name| audiences::unwritable(name).is_none());
    if let Some(any) =
        writable.map(String::as_str).or(names.is_empty().then_some("https://api.example"))
    {
        trial
            .accepts(token, &Draft::new(issuer, any, name, claims, &Places::default()).variables)?;
    }
    check_algorithm(header)?;
    if name == "okta" && !issuer.contains("/oauth2/") {
        return Err(Nothing::remedied(
            "the token is from Okta's organization server, whose key Okta does not publish",
            "have clients use a custom authorization server: https://DOMAIN/oauth2/ID",
        ));
    }
    let fits = |audience: &&String| audiences::unfit(audience, &profile, claims).is_none();
    let Some(audience) =
        names.iter().find(|it| it.contains(':') && fits(it)).or(names.iter().find(fits))
    else {
        let why = names.iter().filter_map(|it| {
            audiences::unfit(it, &profile, claims).map(|why| format!("{it:?} {why}"))
        });
        let claim = profile.audience_claim();
        return Err(Nothing::remedied(
            format!(
                "no name in `{claim}` is usable as an API's audience: {}",
                why.collect::<Vec<_>>().join("; ")
            ),
            "configure the issuer to put your API's name into `aud`",
        ));
    };
    let places = Places::new(claims, &profile, audience);
    let draft = Draft::new(issuer, audience, name, claims, &places);
    trial.accepts(token, &draft.variables)?;
    Ok(Settings {
        issuer: issuer.to_owned(),
        audience: audience.clone(),
        other_audiences: names.iter().filter(|other| *other != audience).cloned().collect(),
        profile: name,
        rust: draft.rust,
        environment: draft
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)))
            .collect(),
        scopes_in: places.scopes_in,
        roles_in: places.roles_in,
        unread: places.unread,
    })
}

fn check_algorithm(header: &Object) -> Result<(), Nothing> {
    let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    if name.parse::<Algorithm>().is_ok() {
        return Ok(());
    }
    Err(Nothing::remedied(
        "`alg` is not a known asymmetric algorithm: no published key verifies the token",
        "configure the issuer to sign with an asymmetric algorithm: RS256, ES256, EdDSA, …",
    ))
}

/// Settings as environment variables and as Rust code.
struct Draft {
    variables: Vec<(&'static str, String)>,
    rust: Vec<String>,
}

impl Draft {
    fn new(issuer: &str, audience: &str, profile: &str, claims: &Object, places: &Places) -> Self {
        let mut variables = vec![
            ("PORTCULLIS_ISSUER", issuer.to_owned()),
            ("PORTCULLIS_AUDIENCE", audience.to_owned()),
        ];
        let mut rust = vec![format!("let auth = Authenticator::builder({issuer:?}, {audience:?})")];
        let mut habits = format!("Profile::{}()", profile.replace('-', "_"));
        if profile != "jwt" {
            variables.push(("PORTCULLIS_PROFILE", profile.to_owned()));
        }
        if let Some(path) = &places.scopes_at {
            habits += &format!(".scopes_at({path:?})");
            variables.push(("PORTCULLIS_SCOPES_AT", as_path(path)));
        }
        for path in &places.roles_at {
            habits += &format!(".roles_at({path:?})");
        }
        match places.roles_at.as_slice() {
            [] => {}
            [path] => variables.push(("PORTCULLIS_ROLES_AT", as_path(path))),
            paths => variables.push(("PORTCULLIS_ROLES_AT", Value::from(paths).to_string())),
        }
        if habits != "Profile::jwt()" {
            rust.push(format!("    .profile({habits})"));
        }
        if let Some(url) = metadata_of_policy(issuer, profile, claims) {
            rust.push(format!("    .discovery_url({url:?})"));
            variables.push(("PORTCULLIS_DISCOVERY_URL", url));
        }
        rust.push("    .build().await?;".to_owned());
        Self { variables, rust }
    }
}

/// Returns the metadata URL of the token's policy. Azure AD B2C has separate metadata for each policy.
fn metadata_of_policy(issuer: &str, profile: &str, claims: &Object) -> Option<String> {
    let policy = claims.get("tfp").and_then(Value::as_str).filter(|_| profile == "entra-b2c")?;
    let is_name = policy.chars().all(|it| it.is_ascii_alphanumeric() || "_-".contains(it));
    let tenant = issuer.split('/').nth(3).filter(|_| is_name)?;
    Some(format!(
        "https://{}/{tenant}/{policy}/v2.0/.well-known/openid-configuration",
        host(issuer)
    ))
}

/// Formats a path for a variable: one name, or a JSON array.
fn as_path(path: &[String]) -> String {
    match path {
        [name] if !name.starts_with('[') && name.trim() == name => name.clone(),
        path => Value::from(path).to_string(),
    }
}

/// Quotes a value for a shell with single quotes, inside which no character is special.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || ":/._-,".contains(character);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(settings) => settings.fmt(f),
            Self::Nothing { nothing } => nothing.fmt(f),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |names: &[String]| {
            if names.is_empty() {
                "not found".to_owned()
            } else {
                format!("in {}", output::line(&names.join(", ")))
            }
        };
        write!(
            f,
            "\n  suggested settings, if {:?} is your API's name and not a client's id",
            self.audience
        )?;
        if !self.other_audiences.is_empty() {
            write!(
                f,
                "\n    `aud` also has {:?}: accept only your API's name",
                self.other_audiences
            )?;
        }
        write!(f, "\n    scopes {}; roles {}", named(&self.scopes_in), named(&self.roles_in))?;
        if !self.unread.is_empty() {
            write!(f, "\n    not read: {}", output::line(&self.unread.join(", ")))?;
        }
        for line in self.rust.iter().chain(&self.environment) {
            write!(f, "\n      {}", output::line(line))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_quoted_for_the_shell() {
        assert_eq!(quoted("https://a.example/"), "https://a.example/");
        assert_eq!(quoted("$(x) 'y'"), r"'$(x) '\''y'\'''");
    }
}
