//! What is unusual about a token, and the classics.

use serde_json::{Map, Value};

use super::{audiences, issuers};

/// Nobody issues access tokens for longer, on purpose.
const LONG: u64 = 24 * 60 * 60;

/// Numbers beyond are milliseconds: the year 5138, in seconds.
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
        None => notes.push("`alg` is missing: every service must refuse it".to_owned()),
        Some(none) if none.eq_ignore_ascii_case("none") => {
            notes.push(
                "`alg` is \"none\": it is not signed, and every service must refuse it".to_owned(),
            );
        }
        Some(alg) if alg.starts_with("HS") => notes.push(format!(
            "`alg` is {alg:?}: who can verify it can forge it, and no published key verifies it"
        )),
        Some(_) => {}
    }
    if !header.contains_key("kid") {
        notes.push("`kid` is missing: it is verified only if one key alone fits".to_owned());
    }
    if header.contains_key("crit") {
        notes.push("`crit` names extensions, none of which is known: it is refused".to_owned());
    }
    for name in ["jku", "x5u", "jwk", "x5c"] {
        if header.contains_key(name) {
            notes.push(format!("`{name}` says which key to use: a token is not asked that"));
        }
    }
}

fn about_time(claims: &Map<String, Value>, now: u64, notes: &mut Vec<String>) {
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|time| time as u64);
    for name in ["exp", "nbf", "iat"] {
        match claims.get(name) {
            Some(Value::Number(_)) if time(name) > Some(MILLISECONDS) => notes.push(format!(
                "`{name}` is in milliseconds: RFC 7519 counts seconds, so that this is far ahead"
            )),
            Some(Value::Number(_)) | None => {}
            Some(_) => notes.push(format!("`{name}` is no number, and the token is refused")),
        }
    }
    match time("exp") {
        None => notes.push("`exp` is missing: it would never expire, and is refused".to_owned()),
        Some(exp) if exp <= now => notes.push("it has expired".to_owned()),
        Some(_) => {}
    }
    if time("nbf").or(time("iat")) > Some(now) {
        notes.push("it is from the future: one of the clocks is wrong".to_owned());
    }
    if let Some((exp, iat)) = time("exp").zip(time("iat"))
        && exp.saturating_sub(iat) > LONG
    {
        notes.push(format!(
            "it lives for {} h: if its session is revoked, it is accepted for as long",
            (exp - iat) / 3600
        ));
    }
}

fn about_kind(header: &Map<String, Value>, claims: &Map<String, Value>, notes: &mut Vec<String>) {
    let says = |name: &str, value: &str| claims.get(name) == Some(&Value::from(value));
    let is_access_token = issuers::is_typed(header) || says("typ", "Bearer");
    // Some issuers put these into access tokens as well, which have a mark of their own.
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
            "made like an ID token, as Dex makes access tokens, too: nothing tells the two apart"
                .to_owned()
        } else {
            "an ID token: it tells a client who logged in, and is no key to an API. Send the access \
             token"
                .to_owned()
        });
    }
    if says("typ", "Refresh") || says("typ", "Offline") {
        notes.push("a refresh token: it is for the issuer alone".to_owned());
    }
    if claims.contains_key("cnf") {
        notes.push("`cnf` binds it to its client's key: it is no plain bearer token".to_owned());
    }
    about_audience(header, claims, notes);
    if !claims.contains_key("iss") {
        notes.push("`iss` is missing: nobody says whose keys are to verify it".to_owned());
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
                "`aud` is missing, as in every access token of Cognito: the profile `cognito` reads \
                 `client_id` instead"
                    .to_owned()
            }
            ["clerk"] => {
                "`aud` is missing, as in every session token of Clerk: the profile `clerk` reads `azp` \
                 instead"
                    .to_owned()
            }
            ["keycloak"] => {
                "`aud` is missing: no audience mapper puts your API in, or the client uses lightweight \
                 access tokens, for which the mapper must be marked"
                    .to_owned()
            }
            _ => "`aud` is missing: it is for anybody".to_owned(),
        }),
        Some(Value::Array(none)) if none.is_empty() => {
            notes.push("`aud` is empty: the client asked for no audience".to_owned());
        }
        Some(_) => {}
    }
    if let Some(claim) = audiences::own_client(claims) {
        notes.push(format!(
            "warning: `aud` names the client itself (`{claim}`), as its ID tokens do: have the issuer put \
             your API's name there"
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
            "`iss` ends with a slash: configure the issuer with it, byte for byte".to_owned(),
        );
    }
    let is_for = |audience: &str| match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(all)) => !all.is_empty() && all.iter().all(|one| one == audience),
        _ => false,
    };
    if issuer.contains("/realms/") && is_for("account") {
        notes.push(
            "Keycloak's `aud` is \"account\", which is what it writes when it is told of no API: give \
             the client scope an audience mapper with your API's name"
                .to_owned(),
        );
    }
    if audiences::GRAPH.into_iter().any(is_for)
        || issuer.contains("windows.net") && header.contains_key("nonce")
    {
        notes.push(
            "a token for Microsoft Graph: nobody else can verify its signature. Ask for a scope of \
             your own API (api://…/…)"
                .to_owned(),
        );
    }
    match text("ver") {
        "1.0" if issuer.contains("sts.windows.net") => notes.push(
            "an Entra v1 token: its `iss` is https://sts.windows.net/…/. The API's manifest decides \
             (requestedAccessTokenVersion 2 for v2), not the endpoint that the client asks"
                .to_owned(),
        ),
        "2.0" if issuer.contains("login.microsoftonline.com") => notes.push(
            "an Entra v2 token: its `iss` ends with /v2.0, and `aud` is the API's client id".to_owned(),
        ),
        _ => {}
    }
}
