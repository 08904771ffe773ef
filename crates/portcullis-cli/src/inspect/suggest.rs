//! The settings of a service that takes tokens like this one.

use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Debug, Serialize)]
pub(super) struct Suggestion {
    issuer: String,
    audiences: Vec<String>,
    profile: &'static str,
    /// The claims that hold scopes, and those that hold roles.
    scopes_in: Vec<&'static str>,
    roles_in: Vec<&'static str>,
    pub(super) rust: Vec<String>,
    pub(super) environment: Vec<String>,
}

/// What an issuer's URL tells of whose it is.
const PROVIDERS: &[(&str, &str)] = &[
    (".auth0.com", "auth0"),
    (".okta.com", "okta"),
    (".oktapreview.com", "okta"),
    ("login.microsoftonline.com", "entra-v2"),
    ("sts.windows.net", "entra-v1"),
    ("cognito-idp.", "cognito"),
    ("/realms/", "keycloak"),
    ("kubernetes", "kubernetes"),
    (".supabase.co", "supabase"),
    ("token.actions.githubusercontent.com", "github-actions"),
    ("accounts.google.com", "google-identity"),
];

impl Suggestion {
    pub(super) fn new(header: &Map<String, Value>, claims: &Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let issuer = text("iss").unwrap_or_default();
        let profile = profile(header, &issuer);
        let audiences = match (claims.get("aud"), profile) {
            (Some(Value::Array(all)), _) => {
                all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            (None, "cognito") => text("client_id").into_iter().collect(),
            _ => text("aud").into_iter().collect::<Vec<_>>(),
        };
        let there = |paths: &[&'static str]| {
            paths.iter().copied().filter(|path| at(claims, path).is_some()).collect::<Vec<_>>()
        };
        let first = audiences.first().cloned().unwrap_or_default();
        let mut rust = vec![format!("Authenticator::builder({issuer:?}, {first:?})")];
        rust.extend(audiences.iter().skip(1).map(|name| format!("    .also_audience({name:?})")));
        let mut environment = vec![
            format!("PORTCULLIS_ISSUER={}", quoted(&issuer)),
            format!("PORTCULLIS_AUDIENCE={}", quoted(&audiences.join(","))),
        ];
        if profile != "jwt" {
            rust.push(format!("    .profile(Profile::{}())", profile.replace('-', "_")));
            environment.push(format!("PORTCULLIS_PROFILE={profile}"));
        }
        rust.push("    .build().await?".to_owned());
        Self {
            scopes_in: there(&["scope", "scp", "permissions"]),
            roles_in: there(&[
                "roles",
                "realm_access.roles",
                "resource_access",
                "groups",
                "cognito:groups",
            ]),
            issuer,
            audiences,
            profile,
            rust,
            environment,
        }
    }

    pub(super) fn audiences(&self) -> usize {
        self.audiences.len()
    }

    /// Where scopes and roles stand, in words.
    pub(super) fn places(&self) -> String {
        let named = |names: &[&str]| {
            if names.is_empty() { "nowhere".to_owned() } else { format!("in {}", names.join(", ")) }
        };
        format!("scopes stand {}; roles {}", named(&self.scopes_in), named(&self.roles_in))
    }
}

fn profile(header: &Map<String, Value>, issuer: &str) -> &'static str {
    let provider = PROVIDERS.iter().find(|(part, _)| issuer.contains(part));
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    match provider {
        Some((_, name)) => name,
        None if typ.ends_with("at+jwt") => "rfc9068",
        None => "jwt",
    }
}

fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// For a shell: single quotes, in which nothing else has a meaning.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || ":/._-,".contains(character);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use portcullis::Profile;

    use super::*;

    #[test]
    fn every_profile_that_is_suggested_is_there() {
        for (_, name) in PROVIDERS {
            assert!(name.parse::<Profile>().is_ok(), "{name}");
        }
        assert!("rfc9068".parse::<Profile>().is_ok());
    }

    #[test]
    fn a_shell_reads_what_was_meant() {
        assert_eq!(quoted("https://a.example/"), "https://a.example/");
        assert_eq!(quoted("$(x) 'y'"), r"'$(x) '\''y'\'''");
    }
}
