//! Decides which names in a token's audience may be a service's audience, and why others may not.

use portcullis::{Profile, config::AccessTokenMark};
use serde_json::{Map, Value};

use super::issuers::{CLIENTS, host};
use crate::output;

/// Keycloak's own clients, whose names the *Audience Resolve* mapper puts into users' tokens.
const OF_EVERY_REALM: [&str; 6] = [
    "account",
    "account-console",
    "admin-cli",
    "broker",
    "realm-management",
    "security-admin-console",
];

/// Profiles of issuers that use the client's id as audience. These profiles distinguish the client's ID
/// tokens by other claims, and reject them.
const FOR_CLIENTS: [&str; 7] =
    ["authentik", "clerk", "cognito", "entra-b2c", "entra-v1", "entra-v2", "spring"];

/// Microsoft Graph, as application id and as URL.
pub(super) const GRAPH: [&str; 2] =
    ["00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com"];

/// Returns the names in this claim, which the profile reads as audience.
pub(super) fn names(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    match claims.get(claim) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns why an environment variable cannot contain this name, or `None` if it can.
pub(super) fn unwritable(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.chars().any(|it| it.is_whitespace() || ",'\"".contains(it)) {
        return Some(
            "cannot be a setting: it contains a comma, a quote or white space, or is empty",
        );
    }
    (output::line(name) != name).then_some("cannot be a setting: it contains hidden characters")
}

/// Returns why a service must not use this name as its audience, or `None` if it may.
pub(super) fn unfit(
    name: &str,
    profile: &Profile,
    claims: &Map<String, Value>,
) -> Option<&'static str> {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    let issuer = text("iss").unwrap_or_default();
    let bare = |url: &str| url.trim_end_matches('/').to_owned();
    let kind = profile.name();
    if let Some(why) = unwritable(name) {
        return Some(why);
    }
    if bare(name) == bare(issuer) || name.starts_with(issuer) && name.ends_with("/userinfo") {
        return Some("is the issuer itself");
    }
    if kind == "keycloak" && (OF_EVERY_REALM.contains(&name) || name.ends_with("-realm")) {
        return Some(
            "is a built-in client of Keycloak: every user of the realm can get tokens with it",
        );
    }
    if GRAPH.contains(&name) {
        return Some("is Microsoft Graph, whose tokens only Graph can verify");
    }
    if kind == "kubernetes" && host(name).starts_with("kubernetes.default") {
        return Some("is the cluster's API server: such a token is a credential for the cluster");
    }
    if kind == "github-actions" && name.starts_with("https://github.com/") {
        return Some(
            "is the default audience of every workflow of the owner: request an audience of your own",
        );
    }
    if kind == "google-identity" && name.ends_with(".apps.googleusercontent.com") {
        return Some("is a client's id, which is also the `aud` of the client's ID tokens");
    }
    if FOR_CLIENTS.contains(&kind) {
        return None;
    }
    if CLIENTS.iter().chain(&["sub"]).any(|claim| text(claim) == Some(name)) {
        return Some("is the client's own id, which is also the `aud` of its ID tokens");
    }
    let names_its_client = CLIENTS.iter().any(|claim| claims.contains_key(*claim));
    let tells_id_tokens = profile.access_token_mark() != AccessTokenMark::NoMarkOfIdTokens;
    if !tells_id_tokens && !names_its_client && !name.contains(':') {
        return Some(
            "may be a client's id, which is also the `aud` of the client's ID tokens: neither the token \
             nor the profile `jwt` rules that out",
        );
    }
    None
}

/// Returns the claim that names the client (or `sub`), if the audience contains its value.
pub(super) fn own_client(claims: &Map<String, Value>) -> Option<&'static str> {
    let audiences = names(claims, "aud");
    let mut places = CLIENTS.into_iter().chain(["sub"]);
    places.find(|claim| {
        let client = claims.get(*claim).and_then(Value::as_str);
        client.is_some_and(|client| audiences.iter().any(|name| name == client))
    })
}
