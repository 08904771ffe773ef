//! The client of a request to an OAuth endpoint. A request must authenticate in one way only (RFC
//! 6749 section 2.3).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::error::OAuthError;
use super::form::decode;
use crate::domain::clients::{Proof, RegisteredClient, claimed_client};
use crate::domain::peer::Peer;
use crate::domain::tokens::FIRST_PARTY;
use crate::error::Error;
use crate::http::api::Api;

/// RFC 7523 section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The parameters with which a client authenticates (RFC 6749 section 2.3.1, RFC 7521 section 4.2).
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct ClientFields {
    /// The client's id, together with `client_secret`. Without a credential only
    /// `identsphere-first-party` is accepted, the public client of the issuer's own logins.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// The client's secret, instead of an `Authorization` header.
    #[schema(nullable = false, value_type = Option<String>)]
    client_secret: Option<Zeroed>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`
    #[schema(nullable = false)]
    client_assertion_type: Option<String>,
    /// A JWT that the client has signed (RFC 7523).
    #[schema(nullable = false)]
    client_assertion: Option<String>,
}

/// A secret that is erased from memory after use.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Zeroed(Zeroizing<String>);

impl From<String> for Zeroed {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

/// The client of a request.
pub(super) enum Caller {
    /// A client that has proved its identity.
    Registered(Box<RegisteredClient>),
    /// The public client of the issuer's own logins, which has no credential: the token that it
    /// presents is its only proof.
    FirstParty,
}

impl Caller {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Registered(client) => &client.id,
            Self::FirstParty => FIRST_PARTY,
        }
    }

    /// Authenticates the client of a request.
    pub(super) async fn of(
        api: &Api,
        headers: &HeaderMap,
        fields: ClientFields,
        peer: &Peer,
    ) -> Result<Self, OAuthError> {
        let Some(proof) = proof(headers, fields)? else { return Ok(Self::FirstParty) };
        let client = api.domain.clients.authenticate(&proof, peer).await?;
        client.map(|client| Self::Registered(Box::new(client))).ok_or(OAuthError::InvalidClient)
    }
}

/// Returns the id of the machine client that the `Authorization` header authenticates, if there is
/// one.
pub(in crate::http) async fn client_of(
    api: &Api,
    headers: &HeaderMap,
    peer: &Peer,
) -> Result<Option<String>, Error> {
    let Ok(Some((client_id, secret))) = basic(headers) else { return Ok(None) };
    let proof = Proof::Secret { client_id, secret };
    let client = api.domain.clients.authenticate(&proof, peer).await?;
    Ok(client.map(|client| client.id))
}

/// Returns the credential of a request; `None` for the public client, which has no credential.
fn proof(headers: &HeaderMap, fields: ClientFields) -> Result<Option<Proof>, OAuthError> {
    let ClientFields { client_id, client_secret, client_assertion_type, client_assertion } = fields;
    let basic = basic(headers)?;
    let asserts = client_assertion.is_some() || client_assertion_type.is_some();
    let ways = [basic.is_some(), client_secret.is_some(), asserts];
    if ways.iter().filter(|way| **way).count() > 1 {
        let why = "Use one way to authenticate the client, not two.";
        return Err(OAuthError::InvalidRequest(why));
    }
    if let Some((id, secret)) = basic {
        if client_id.is_some_and(|client_id| client_id != id) {
            let why = "client_id is not the client of the Authorization header.";
            return Err(OAuthError::InvalidRequest(why));
        }
        return Ok(Some(Proof::Secret { client_id: id, secret }));
    }
    if let Some(Zeroed(secret)) = client_secret {
        let why = "client_secret needs client_id.";
        let client_id = client_id.ok_or(OAuthError::InvalidRequest(why))?;
        return Ok(Some(Proof::Secret { client_id, secret }));
    }
    if asserts {
        let (Some(assertion), Some(JWT_BEARER)) =
            (client_assertion, &client_assertion_type.as_deref())
        else {
            let why = "client_assertion needs client_assertion_type, which must be \
                       urn:ietf:params:oauth:client-assertion-type:jwt-bearer.";
            return Err(OAuthError::InvalidRequest(why));
        };
        let client_id = client_id.or_else(|| claimed_client(&assertion));
        let client_id = client_id.ok_or(OAuthError::InvalidClient)?;
        return Ok(Some(Proof::Assertion { client_id, assertion }));
    }
    match client_id.as_deref() {
        Some(FIRST_PARTY) => Ok(None),
        _ => Err(OAuthError::InvalidClient),
    }
}

/// Reads the id and the secret from the `Authorization` header; both are form-encoded (RFC 6749
/// section 2.3.1, RFC 7617).
fn basic(headers: &HeaderMap) -> Result<Option<(String, Zeroizing<String>)>, OAuthError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(OAuthError::InvalidRequest("There are two Authorization headers."));
    }
    let credentials = || {
        let (scheme, credentials) = field.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(credentials.trim()).ok()?);
        let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some((decode(id)?, Zeroizing::new(decode(secret)?)))
    };
    credentials().map(Some).ok_or(OAuthError::InvalidClient)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn fields(form: &str) -> ClientFields {
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.into()));
        serde_json::from_value(serde_json::Value::Object(pairs.collect())).unwrap()
    }

    fn shown(authorization: &[&str], form: &str) -> String {
        let mut headers = HeaderMap::new();
        for field in authorization {
            headers.append(AUTHORIZATION, HeaderValue::from_str(field).unwrap());
        }
        match proof(&headers, fields(form)) {
            Ok(None) => "first party".to_owned(),
            Ok(Some(Proof::Secret { client_id, secret })) => {
                format!("{client_id}: {}", secret.as_str())
            }
            Ok(Some(Proof::Assertion { client_id, .. })) => format!("{client_id} asserts"),
            Err(OAuthError::InvalidRequest(_)) => "invalid request".to_owned(),
            Err(OAuthError::InvalidClient) => "invalid client".to_owned(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn request_with_two_kinds_of_credentials_is_rejected() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let asserts = format!("client_assertion_type={JWT_BEARER}&client_assertion=a.b.c");
        for (authorization, form, expected) in [
            (basic("a:b"), "", "a: b"),
            (basic("a:b").replace("Basic ", "basic "), "", "a: b"),
            (basic("a%2F:b%3A+c"), "", "a/: b: c"),
            (basic("a:b:c"), "", "a: b:c"),
            (basic("a:b"), "client_id=a", "a: b"),
            (basic("a:b"), "client_id=c", "invalid request"),
            (basic("a:b"), "client_id=a&client_secret=b", "invalid request"),
            (basic("a:b"), &asserts, "invalid request"),
            (basic("a:b"), "client_assertion=a.b.c", "invalid request"),
            (basic("a"), "", "invalid client"),
            (basic("a:%"), "", "invalid client"),
            (basic("a%00:b"), "", "invalid client"),
            ("Basic ?".to_owned(), "", "invalid client"),
            ("Basic".to_owned(), "", "invalid client"),
            ("Bearer a.b.c".to_owned(), "client_id=a&client_secret=b", "invalid client"),
        ] {
            assert_eq!(shown(&[&authorization], form), expected, "{authorization} {form}");
        }
        assert_eq!(shown(&[&basic("a:b"), &basic("a:b")], ""), "invalid request");
        for (form, expected) in [
            ("client_id=a&client_secret=b", "a: b"),
            ("client_secret=b", "invalid request"),
            (&format!("client_id=a&{asserts}"), "a asserts"),
            (&format!("client_id=a&client_secret=b&{asserts}"), "invalid request"),
            (&asserts, "invalid client"),
            ("client_assertion=a.b.c", "invalid request"),
            (&asserts.replace("jwt", "saml2"), "invalid request"),
            ("client_id=identsphere-first-party", "first party"),
            ("client_id=a", "invalid client"),
            ("", "invalid client"),
        ] {
            assert_eq!(shown(&[], form), expected, "{form}");
        }
    }
}
