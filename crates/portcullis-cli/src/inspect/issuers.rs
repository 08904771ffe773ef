//! Detects the profile of a token's issuer, by the issuer's URL or by claims that only its tokens
//! have.

use serde_json::{Map, Value};

/// Host names and their profiles. A name with a leading dot is a suffix of host names.
const HOSTS: &[(&str, &str)] = &[
    (".auth0.com", "auth0"),
    (".okta.com", "okta"),
    (".oktapreview.com", "okta"),
    (".okta-emea.com", "okta"),
    ("login.microsoftonline.com", "entra-v2"),
    (".ciamlogin.com", "entra-v2"),
    ("sts.windows.net", "entra-v1"),
    (".b2clogin.com", "entra-b2c"),
    (".supabase.co", "supabase"),
    (".clerk.accounts.dev", "clerk"),
    ("token.actions.githubusercontent.com", "github-actions"),
    ("accounts.google.com", "google-identity"),
];

/// Prefixes of host names, and their profiles.
const BEGINNINGS: &[(&str, &str)] = &[
    ("cognito-idp.", "cognito"),
    ("clerk.", "clerk"),
    ("kubernetes.default", "kubernetes"),
    ("oidc.eks.", "kubernetes"),
];

/// Segments of an issuer's path, and their profiles.
const PATHS: &[(&str, &str)] = &[
    ("/realms/", "keycloak"),
    ("/application/o/", "authentik"),
    ("/_services/token", "github-actions"),
];

/// Returns the names of the profiles that may fit, strictest first.
pub(super) fn profiles(
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> &'static [&'static str] {
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    if let Some(name) = by_url(issuer).or_else(|| by_claims(claims)) {
        return name;
    }
    if is_typed(header) {
        return &["rfc9068", "jwt"];
    }
    let names_its_client = CLIENTS.iter().any(|name| claims.contains_key(*name));
    if claims.get("scope").is_some_and(Value::is_array) && !names_its_client {
        return &["spring"];
    }
    &["jwt"]
}

/// The claims in which issuers name the client.
pub(super) const CLIENTS: [&str; 4] = ["azp", "client_id", "cid", "appid"];

/// Returns whether the header's `typ` is `at+jwt` (RFC 9068).
pub(super) fn is_typed(header: &Map<String, Value>) -> bool {
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "at+jwt"
}

/// Returns the host of a URL, without its port.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.split(':').next().unwrap_or_default()
}

fn by_url(issuer: &str) -> Option<&'static [&'static str]> {
    let host = host(issuer);
    let is_host = |name: &str| host == name || name.starts_with('.') && host.ends_with(name);
    let by_host = HOSTS.iter().find(|(name, _)| is_host(name));
    let by_beginning = || BEGINNINGS.iter().find(|(name, _)| host.starts_with(name));
    let by_path = || PATHS.iter().find(|(part, _)| issuer.contains(part));
    let found = by_host.or_else(by_beginning).or_else(by_path);
    match found {
        Some((_, name)) => Some(std::slice::from_ref(name)),
        None if issuer.ends_with("/dex") => Some(&["dex"]),
        None => None,
    }
}

fn by_claims(claims: &Map<String, Value>) -> Option<&'static [&'static str]> {
    let has = |name: &str| claims.contains_key(name);
    let says = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
    let begins = |name: &str, with: &str| {
        claims.get(name).and_then(Value::as_str).is_some_and(|text| text.starts_with(with))
    };
    let lists_scp = claims.get("scp").is_some_and(Value::is_array);
    Some(match () {
        () if says("typ", "Bearer") && has("jti") => &["keycloak"],
        () if has("token_use") => &["cognito"],
        () if has("kubernetes.io") => &["kubernetes"],
        () if has("cid") && lists_scp => &["okta"],
        () if has("client_id") && lists_scp => &["hydra"],
        () if has("tfp") => &["entra-b2c"],
        () if has("tid") && says("ver", "2.0") => &["entra-v2"],
        () if has("tid") && says("ver", "1.0") => &["entra-v1"],
        () if has("uid") && has("azp") => &["authentik"],
        () if has("session_id") && has("aal") => &["supabase"],
        () if begins("sid", "sess_") => &["clerk"],
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use portcullis::Profile;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_detected_profile_exists() {
        for (_, name) in HOSTS.iter().chain(BEGINNINGS).chain(PATHS) {
            assert!(name.parse::<Profile>().is_ok(), "{name}");
        }
    }

    #[test]
    fn issuer_is_detected_by_its_host_and_a_lookalike_is_not() {
        let profile = |issuer: &str| {
            let claims = json!({"iss": issuer});
            profiles(&Map::new(), claims.as_object().unwrap())[0]
        };
        for (issuer, name) in [
            ("https://shop.eu.auth0.com/", "auth0"),
            ("https://shop.auth0.com.evil.example/", "jwt"),
            ("https://evil.example/?x=.auth0.com", "jwt"),
            ("https://my-kubernetes-shop.example", "jwt"),
            ("https://id.example:8443/realms/main", "keycloak"),
            ("https://id.example/dex", "dex"),
            ("https://clerk.shop.example", "clerk"),
        ] {
            assert_eq!(profile(issuer), name, "{issuer}");
        }
    }
}
