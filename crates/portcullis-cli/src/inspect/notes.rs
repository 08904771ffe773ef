//! Notes on a token: unusual values and frequent mistakes.

use serde_json::{Map, Value};

use super::{audiences, issuers};

/// A lifetime above this, in seconds, is noted as long.
const LONG: u64 = 24 * 60 * 60;

/// The maximum time that is read as seconds, which is in the year 5138. Larger numbers are read as
/// milliseconds.
const MILLISECONDS: u64 = 100_000_000_000;

pub(super) fn notes(
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
    now: u64,
) -> Vec<String> {
    let mut notes = Vec::new();
    about_header(header, &mut notes);
    about_time(claims, now, &mut notes);
    about_kind(header, claims, &mut notes);
    about_provider(header, claims, &mut notes);
    notes
}

fn about_header(header: &Map<String, Value>, notes: &mut Vec<String>) {
    match header.get("alg").and_then(Value::as_str) {
        None => notes.push("`alg` is missing: every service must reject the token".to_owned()),
        Some(none) if none.eq_ignore_ascii_case("none") => {
            notes.push(
                "`alg` is \"none\": the token is unsigned, and every service must reject it".to_owned(),
            );
        }
        Some(alg) if alg.starts_with("HS") => notes.push(format!(
            "`alg` is {alg:?}, a symmetric algorithm: every verifier can forge tokens, and no published \
             key verifies them"
        )),
        Some(_) => {}
    }
    if !header.contains_key("kid") {
        notes.push(
            "`kid` is missing: the token is verified only if at most 4 keys fit its `alg`"
                .to_owned(),
        );
    }
    if header.contains_key("crit") {
        notes.push("`crit` requires extensions, none of which is supported: rejected".to_owned());
    }
    for name in ["jku", "x5u", "jwk", "x5c"] {
        if header.contains_key(name) {
            notes.push(format!(
                "`{name}` names a key: ignored, since a token must not choose its key"
            ));
        }
    }
}

fn about_time(claims: &Map<String, Value>, now: u64, notes: &mut Vec<String>) {
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|time| time as u64);
    for name in ["exp", "nbf", "iat"] {
        match claims.get(name) {
            Some(Value::Number(_)) if time(name) > Some(MILLISECONDS) => notes.push(format!(
                "`{name}` is in milliseconds: RFC 7519 requires seconds, so it is far in the future"
            )),
            Some(Value::Number(_)) | None => {}
            Some(_) => notes.push(format!("`{name}` is not a number: the token is rejected")),
        }
    }
    match time("exp") {
        None => {
            notes.push("`exp` is missing: the token would never expire, and is rejected".to_owned())
        }
        Some(exp) if exp <= now => notes.push("the token has expired".to_owned()),
        Some(_) => {}
    }
    if time("nbf").or(time("iat")) > Some(now) {
        notes.push("`nbf` or `iat` is in the future: check the clocks".to_owned());
    }
    if let Some((exp, iat)) = time("exp").zip(time("iat"))
        && exp.saturating_sub(iat) > LONG
    {
        notes.push(format!(
            "the lifetime is {} h: after its session is revoked, the token is accepted for up to that long",
            (exp - iat) / 3600
        ));
    }
}

fn about_kind(header: &Map<String, Value>, claims: &Map<String, Value>, notes: &mut Vec<String>) {
    let says = |name: &str, value: &str| claims.get(name) == Some(&Value::from(value));
    let is_access_token = issuers::is_typed(header) || says("typ", "Bearer");
    // These claims mark ID tokens, but some issuers put them into access tokens, too. Another claim
    // then identifies the access token.
    let carried: &[&str] = match issuers::profiles(header, claims) {
        ["authentik"] if claims.contains_key("uid") => &["nonce", "at_hash"],
        ["entra-b2c"] if claims.contains_key("azp") => &["nonce"],
        _ => &[],
    };
    let mut marks = ["nonce", "at_hash", "c_hash"].iter().filter(|name| !carried.contains(name));
    let identity = marks.any(|name| claims.contains_key(*name))
        || says("token_use", "id")
        || says("typ", "ID");
    if identity && !is_access_token {
        notes.push(if issuers::profiles(header, claims) == ["dex"] {
            "looks like an ID token; Dex issues access tokens in the same form, and no claim distinguishes \
             them"
                .to_owned()
        } else {
            "an ID token: it informs a client of a login and does not authorize API requests. Send the \
             access token"
                .to_owned()
        });
    }
    if says("typ", "Refresh") || says("typ", "Offline") {
        notes.push("a refresh token: for the issuer only, not for APIs".to_owned());
    }
    if claims.contains_key("cnf") {
        notes
            .push("`cnf` binds the token to its client's key: not a plain bearer token".to_owned());
    }
    about_audience(header, claims, notes);
    if !claims.contains_key("iss") {
        notes.push("`iss` is missing: the issuer, and so its keys, are unknown".to_owned());
    }
}

fn about_audience(
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
    notes: &mut Vec<String>,
) {
    match claims.get("aud") {
        None => notes.push(match issuers::profiles(header, claims) {
            ["cognito"] => {
                "`aud` is missing, as in every Cognito access token: the profile `cognito` reads \
                 `client_id` instead"
                    .to_owned()
            }
            ["clerk"] => {
                "`aud` is missing, as in every Clerk session token: the profile `clerk` reads `azp` \
                 instead"
                    .to_owned()
            }
            ["keycloak"] => {
                "`aud` is missing: no audience mapper adds your API, or the client uses lightweight \
                 access tokens and the mapper is not enabled for them"
                    .to_owned()
            }
            _ => "`aud` is missing: the token is not limited to any API".to_owned(),
        }),
        Some(Value::Array(none)) if none.is_empty() => {
            notes.push("`aud` is empty: the client requested no audience".to_owned());
        }
        Some(_) => {}
    }
    if let Some(claim) = audiences::own_client(claims) {
        notes.push(format!(
            "warning: `aud` names the client itself (`{claim}`), as in its ID tokens: configure the issuer \
             to put your API's name there"
        ));
    }
}

fn about_provider(
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
    notes: &mut Vec<String>,
) {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let issuer = text("iss");
    if issuer.ends_with('/') {
        notes.push(
            "`iss` ends with a slash: configure the issuer with the slash, byte for byte"
                .to_owned(),
        );
    }
    let is_for = |audience: &str| match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(all)) => !all.is_empty() && all.iter().all(|one| one == audience),
        _ => false,
    };
    if issuer.contains("/realms/") && is_for("account") {
        notes.push(
            "Keycloak's `aud` is \"account\", its default if no API is configured: add an audience mapper \
             with your API's name to the client scope"
                .to_owned(),
        );
    }
    if audiences::GRAPH.into_iter().any(is_for)
        || issuer.contains("windows.net") && header.contains_key("nonce")
    {
        notes.push(
            "a token for Microsoft Graph: only Graph can verify its signature. Request a scope of \
             your own API (api://…/…)"
                .to_owned(),
        );
    }
    match text("ver") {
        "1.0" if issuer.contains("sts.windows.net") => notes.push(
            "an Entra v1 token: its `iss` is https://sts.windows.net/…/. The API's manifest decides the \
             version (requestedAccessTokenVersion 2 for v2), not the endpoint that the client uses"
                .to_owned(),
        ),
        "2.0" if issuer.contains("login.microsoftonline.com") => notes.push(
            "an Entra v2 token: its `iss` ends with /v2.0, and `aud` is the API's client id".to_owned(),
        ),
        _ => {}
    }
}
