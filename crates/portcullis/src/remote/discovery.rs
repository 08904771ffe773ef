//! Issuer metadata: OpenID Connect Discovery §4 and [RFC 8414 §3].
//!
//! [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use serde::de::MapAccess;
use url::Url;

use super::fetch::{Client, FetchError};
use crate::json::{self, FromMembers, Member};

/// Where `issuer` says that its keys are: in the document at `metadata`, or at its usual places.
pub(super) async fn jwks_uri(
    client: &Client,
    issuer: &str,
    metadata: Option<&Url>,
    now: SystemTime,
) -> Result<Url, FetchError> {
    if let Some(url) = metadata {
        return read_metadata(client, url, issuer, now).await;
    }
    let [openid, oauth] =
        metadata_urls(issuer).ok_or_else(|| FetchError::Insecure { url: issuer.to_owned() })?;
    match read_metadata(client, &openid, issuer, now).await {
        // Not there; a plain OAuth server has only the other document.
        Err(error @ FetchError::Status { .. }) => {
            match read_metadata(client, &oauth, issuer, now).await {
                Err(FetchError::Status { .. }) => Err(error),
                answer => answer,
            }
        }
        answer => answer,
    }
}

/// The two well-known places. An issuer's last slash is left out once in building the path, and
/// kept wherever issuers are compared.
fn metadata_urls(issuer: &str) -> Option<[Url; 2]> {
    let issuer = Url::parse(issuer).ok()?;
    let path = issuer.path().strip_suffix('/').unwrap_or(issuer.path()).to_owned();
    // OpenID Connect Discovery §4.1 appends, RFC 8414 §3.1 inserts.
    let openid = format!("{path}/.well-known/openid-configuration");
    let oauth = format!("/.well-known/oauth-authorization-server{path}");
    Some([openid, oauth].map(|path| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    }))
}

async fn read_metadata(
    client: &Client,
    url: &Url,
    issuer: &str,
    now: SystemTime,
) -> Result<Url, FetchError> {
    let not_metadata = |problem| FetchError::NotMetadata { url: url.to_string(), problem };
    let answer = client.get(url, HeaderMap::new()).await?;
    if answer.status != StatusCode::OK {
        return Err(answer.refused(url, now));
    }
    let metadata: Metadata = json::from_slice(&answer.body)
        .map_err(|_| not_metadata("not the JSON object it should be"))?;
    // RFC 8414 §3.3: "MUST be identical"; otherwise "the data contained in the response MUST NOT
    // be used".
    let found = metadata.issuer.ok_or_else(|| not_metadata("`issuer` is absent"))?;
    if found != issuer {
        let expected = issuer.to_owned();
        return Err(FetchError::OtherIssuer { url: url.to_string(), expected, found });
    }
    let jwks_uri = metadata.jwks_uri.ok_or_else(|| not_metadata("`jwks_uri` is absent"))?;
    let jwks_uri = Url::parse(&jwks_uri).map_err(|_| not_metadata("`jwks_uri` is no URL"))?;
    if !client.urls.leads(url, &jwks_uri) {
        return Err(not_metadata(
            "`jwks_uri` is on a host that the profile does not know; set jwks_url if it is right",
        ));
    }
    // What came over https does not lead back to plain http, on this machine neither: whatever
    // listens there is not the issuer.
    if client.urls.allows(&jwks_uri) && (jwks_uri.scheme() == "https" || url.scheme() == "http") {
        Ok(jwks_uri)
    } else {
        Err(FetchError::Insecure { url: jwks_uri.to_string() })
    }
}

#[derive(Default)]
struct Metadata {
    issuer: Option<String>,
    jwks_uri: Option<String>,
}

impl<'de> FromMembers<'de> for Metadata {
    fn take<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        member: Member<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "issuer" => self.issuer = Some(member.read("issuer")?),
            "jwks_uri" => self.jwks_uri = Some(member.read("jwks_uri")?),
            _ => member.skip()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_places() {
        for (issuer, openid, oauth) in [
            (
                "https://a.example",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example:8443/t/x/",
                "https://a.example:8443/t/x/.well-known/openid-configuration",
                "https://a.example:8443/.well-known/oauth-authorization-server/t/x",
            ),
        ] {
            assert_eq!(metadata_urls(issuer).unwrap().map(String::from), [openid, oauth]);
        }
        assert_eq!(metadata_urls("a.example"), None);
    }
}
