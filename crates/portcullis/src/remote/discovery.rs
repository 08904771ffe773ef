//! Issuer metadata: OpenID Connect Discovery §4 and [RFC 8414 §3].
//!
//! [RFC 8414 §3]: https://www.rfc-editor.org/rfc/rfc8414#section-3

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::fetch::{Client, FetchError, Kind};
use crate::json::{self, FromMembers, Member};
use crate::settings;

/// The maximum length of another issuer's name in errors, in characters.
const MAX_SHOWN_ISSUER: usize = 200;

/// The content of an issuer's metadata, and where it was found.
pub(super) struct Discovered {
    pub(super) metadata: Url,
    pub(super) jwks_uri: Url,
}

/// Returns the URLs at which the metadata of `issuer` may be: the `configured` one, or the well-known
/// locations. The location that last worked comes first.
pub(super) fn locations(
    issuer: &str,
    configured: Option<&Url>,
    last_good: Option<&Url>,
) -> Result<Vec<Url>, FetchError> {
    if let Some(url) = configured {
        return Ok(vec![url.clone()]);
    }
    let insecure = || FetchError::Insecure { url: issuer.to_owned() };
    let mut locations = metadata_urls(issuer).ok_or_else(insecure)?;
    // The sort is stable: the others keep their order.
    locations.sort_by_key(|url| Some(url) != last_good);
    Ok(locations)
}

/// Returns the key location of `issuer`, from the first of `locations` that responds with its
/// metadata.
///
/// Locations are tried in order. The next one starts when the previous one has failed, or has used its
/// share of the time until `deadline`. So a slow location is still awaited, while one that hangs leaves
/// time for the others and for the keys.
pub(super) async fn discover(
    client: &Client,
    issuer: &str,
    locations: &[Url],
    deadline: Duration,
    now: SystemTime,
) -> Result<Discovered, FetchError> {
    let end = Instant::now() + deadline.mul_f64(0.9);
    let mut attempts: Vec<_> = locations.iter().map(|url| Err(late(url, deadline))).collect();
    let mut running: Vec<(usize, Reading<'_>)> = Vec::new();
    let mut waiting = locations.iter().enumerate();
    loop {
        match waiting.next() {
            Some((at, url)) => {
                running.push((at, Box::pin(read_metadata(client, url, issuer, now))));
            }
            None if running.is_empty() => break,
            None => {}
        }
        let left = waiting.len() as u32;
        let rest = end.saturating_duration_since(Instant::now());
        let share = if left > 0 { rest / (left + 2) } else { rest };
        match timeout(share, first_of(&mut running)).await {
            Ok((at, Ok(jwks_uri))) => {
                let metadata = locations.get(at).cloned().ok_or(FetchError::Abandoned)?;
                return Ok(Discovered { metadata, jwks_uri });
            }
            // The error is that of the file with the bearer token for fetches, so no location is at fault.
            Ok((_, Err(error @ FetchError::File { .. }))) => return Err(error),
            Ok((at, error)) => {
                if let Some(attempt) = attempts.get_mut(at) {
                    *attempt = error;
                }
            }
            Err(_elapsed) if left == 0 => break,
            Err(_elapsed) => {}
        }
    }
    let attempts: Vec<_> = attempts.into_iter().filter_map(Result::err).collect();
    Err(match <[FetchError; 1]>::try_from(attempts) {
        Ok([error]) => error,
        Err(attempts) => FetchError::NoMetadata { issuer: issuer.to_owned(), attempts },
    })
}

/// A metadata fetch in flight.
type Reading<'r> = Pin<Box<dyn Future<Output = Result<Url, FetchError>> + Send + 'r>>;

/// Waits for the first of `running` to end, removes it, and returns its number and result.
async fn first_of(running: &mut Vec<(usize, Reading<'_>)>) -> (usize, Result<Url, FetchError>) {
    poll_fn(|context| {
        let ended = running.iter_mut().enumerate().find_map(|(place, (at, reading))| match reading
            .as_mut()
            .poll(context)
        {
            Poll::Ready(outcome) => Some((place, *at, outcome)),
            Poll::Pending => None,
        });
        match ended {
            Some((place, at, outcome)) => {
                drop(running.swap_remove(place));
                Poll::Ready((at, outcome))
            }
            None => Poll::Pending,
        }
    })
    .await
}

fn late(url: &Url, deadline: Duration) -> FetchError {
    FetchError::Timeout { url: url.to_string(), after: deadline }
}

/// Returns the well-known URLs. One trailing slash of the issuer is removed to build the path, but
/// kept when issuers are compared.
fn metadata_urls(issuer: &str) -> Option<Vec<Url>> {
    let issuer = Url::parse(issuer).ok()?;
    let path = issuer.path().strip_suffix('/').unwrap_or(issuer.path()).to_owned();
    // OpenID Connect Discovery §4.1 appends the well-known name to the issuer's path, and RFC 8414
    // §3.1 inserts it before the path. RFC 8414 §5 also allows the OpenID name before the path. For
    // an issuer without a path, both positions are the same URL.
    let mut paths = vec![
        format!("{path}/.well-known/openid-configuration"),
        format!("/.well-known/oauth-authorization-server{path}"),
    ];
    if !path.is_empty() {
        paths.push(format!("/.well-known/openid-configuration{path}"));
    }
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    Some(paths.into_iter().map(at).collect())
}

async fn read_metadata(
    client: &Client,
    url: &Url,
    issuer: &str,
    now: SystemTime,
) -> Result<Url, FetchError> {
    let unreadable = |problem| FetchError::NotMetadata { url: url.to_string(), problem };
    let not_metadata = |problem: &str| unreadable(problem.to_owned());
    let answer = client.get(url, Kind::Metadata, HeaderMap::new()).await?;
    if answer.status != StatusCode::OK {
        return Err(answer.refused(url, settings::DISCOVERY_URL, now));
    }
    let metadata: Metadata = json::from_document(&answer.body).map_err(unreadable)?;
    // RFC 8414 §3.3: the issuers "MUST be identical"; otherwise "the data contained in the response
    // MUST NOT be used".
    let found = metadata.issuer.ok_or_else(|| not_metadata("`issuer` is absent"))?;
    if found != issuer {
        let expected = issuer.to_owned();
        let found = found.chars().take(MAX_SHOWN_ISSUER).collect();
        return Err(FetchError::OtherIssuer { url: url.to_string(), expected, found });
    }
    let jwks_uri = metadata.jwks_uri.ok_or_else(|| not_metadata("`jwks_uri` is absent"))?;
    let jwks_uri = Url::parse(&jwks_uri).map_err(|_| not_metadata("`jwks_uri` is not a URL"))?;
    if !client.urls.leads(url, &jwks_uri) {
        return Err(not_metadata(
            "`jwks_uri` is on a host that the profile does not list; if it is correct, set `jwks_url` to it",
        ));
    }
    // Metadata from https must not point to plain http, not even on the loopback interface, because the
    // process that listens there is not the issuer.
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
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
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
    fn well_known_urls_of_an_issuer() {
        for (issuer, expected) in [
            (
                "https://a.example",
                &[
                    "https://a.example/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server",
                ][..],
            ),
            (
                "https://a.example/",
                &[
                    "https://a.example/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server",
                ],
            ),
            (
                "https://a.example:8443/t/x/",
                &[
                    "https://a.example:8443/t/x/.well-known/openid-configuration",
                    "https://a.example:8443/.well-known/oauth-authorization-server/t/x",
                    "https://a.example:8443/.well-known/openid-configuration/t/x",
                ],
            ),
        ] {
            let urls: Vec<_> =
                metadata_urls(issuer).unwrap().into_iter().map(String::from).collect();
            assert_eq!(urls, expected);
        }
        assert_eq!(metadata_urls("a.example"), None);
    }
}
