//! Which of the names in a token's audience can be that of a service, and why others are none.

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

/// Issuers with which a client's id is the audience, and whose profiles tell its ID tokens all the same.
const FOR_CLIENTS: [&str; 7] =
    ["authentik", "clerk", "cognito", "entra-b2c", "entra-v1", "entra-v2", "spring"];

/// Microsoft Graph, as application and as URL.
pub(super) const GRAPH: [&str; 2] =
    ["00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com"];

/// Returns the names in the claim that the profile reads for an audience.
pub(super) fn names(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    match claims.get(claim) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns why a variable cannot hold this name, if so.
pub(super) fn unwritable(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.chars().any(|it| it.is_whitespace() || ",'\"".contains(it)) {
        return Some("cannot be a setting: it has a comma, a quote or white space, or is empty");
    }
    (output::line(name) != name).then_some("cannot be a setting: it has hidden characters")
}

/// Returns why a service must not have this name for its audience, if so.
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
            "is a client of Keycloak's own: every user of the realm may have tokens with it",
        );
    }
    if GRAPH.contains(&name) {
        return Some("is Microsoft Graph, and only Graph can verify its tokens");
    }
    if kind == "kubernetes" && host(name).starts_with("kubernetes.default") {
        return Some("is the cluster's API server: such a token is a credential for the cluster");
    }
    if kind == "github-actions" && name.starts_with("https://github.com/") {
        return Some(
            "is the default, which every workflow of the owner has: ask for one of your own",
        );
    }
    if kind == "google-identity" && name.ends_with(".apps.googleusercontent.com") {
        return Some("is a client's id, which the ID tokens of its users have for `aud`, too");
    }
    if FOR_CLIENTS.contains(&kind) {
        return None;
    }
    if CLIENTS.iter().chain(&["sub"]).any(|claim| text(claim) == Some(name)) {
        return Some("is the client's own id, which its ID tokens have for `aud`, too");
    }
    let names_its_client = CLIENTS.iter().any(|claim| claims.contains_key(*claim));
    let tells_id_tokens = profile.access_token_mark() != AccessTokenMark::NoMarkOfIdTokens;
    if !tells_id_tokens && !names_its_client && !name.contains(':') {
        return Some(
            "may be a client's id: neither the token nor the profile `jwt` says so, and the client's ID \
             tokens would have it for `aud`, too",
        );
    }
    None
}

/// Returns the claim that names the client, if the audience is that client, or `sub`.
pub(super) fn own_client(claims: &Map<String, Value>) -> Option<&'static str> {
    let audiences = names(claims, "aud");
    let mut places = CLIENTS.into_iter().chain(["sub"]);
    places.find(|claim| {
        let client = claims.get(*claim).and_then(Value::as_str);
        client.is_some_and(|client| audiences.iter().any(|name| name == client))
    })
}
