//! The HTTP client as the core uses it: the headers of each request, and the checks on each
//! response.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::url::Url;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::credential::OriginCredential;
use super::url::UrlPolicy;
use super::{BodyTooLong, Fetch, FetchError, FetchRequest, Fetched, RefusedAddress, decoded};
use crate::causes::with_causes;
use crate::settings::Setting;

/// The HTTP client and the checks on its responses.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) max_body: usize,
    /// The setting for the limit, if there is one.
    pub(crate) max_body_setting: Option<&'static Setting>,
    pub(crate) urls: UrlPolicy,
    pub(crate) credential: Option<OriginCredential>,
}

/// The kind of a document, which determines `Accept`. Some servers respond with 406 unless the
/// exact type is named (the key set of Kubernetes is `application/jwk-set+json` only), and some
/// files have an arbitrary type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// RFC 7517 §8.5.1.
    KeySet,
    /// RFC 8414 §3.2.
    Metadata,
    /// The form of a status list that is supported.
    StatusList,
    /// RFC 7662 §2.2.
    Introspection,
}

impl Kind {
    fn accept(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::KeySet => "application/jwk-set+json, application/json, */*;q=0.1",
            Self::Metadata => "application/json, */*;q=0.1",
            Self::StatusList => "application/statuslist+jwt",
            Self::Introspection => "application/json",
        })
    }
}

/// A complete response with any status.
pub(crate) struct Document {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// Fetches `url` with these request conditions (RFC 9110 §13), if any.
    pub(crate) async fn get(
        &self,
        url: &Url,
        kind: Kind,
        conditions: HeaderMap,
    ) -> Result<Document, FetchError> {
        self.check_reach(url)?;
        let mut headers = conditions;
        headers.insert(ACCEPT, kind.accept());
        // RFC 9111 §5.2.1.4: an intermediate cache would extend every bound by its own TTL.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(credential) = &self.credential
            && let Some(authorization) = credential.authorization(url).await?
        {
            headers.insert(AUTHORIZATION, authorization);
        }
        self.read(url, self.fetch.get(self.request(url, headers)).await)
    }

    /// Posts a form to `url`. The request has no side effects, so it is retried once if it fails:
    /// a reused connection may turn out to be closed.
    pub(crate) async fn post(
        &self,
        url: &Url,
        authorization: Option<HeaderValue>,
        form: Bytes,
    ) -> Result<Document, FetchError> {
        self.check_reach(url)?;
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut headers = HeaderMap::from_iter([
            (ACCEPT, Kind::Introspection.accept()),
            (CONTENT_TYPE, form_type),
        ]);
        headers.extend(authorization.map(|authorization| (AUTHORIZATION, authorization)));
        let request = self.request(url, headers);
        let first = self.fetch.post(request.clone(), form.clone()).await;
        match self.read(url, first) {
            Err(FetchError::Transport { .. }) => {
                self.read(url, self.fetch.post(request, form).await)
            }
            settled => settled,
        }
    }

    /// Rejects hosts that this client must not reach. This method is called for every URL, whatever
    /// its source.
    fn check_reach(&self, url: &Url) -> Result<(), FetchError> {
        self.urls.reach.check(url).map_err(|refused| not_fetched(url, refused))
    }

    fn request(&self, url: &Url, headers: HeaderMap) -> FetchRequest {
        FetchRequest { url: url.to_string(), headers, max_body: self.max_body }
    }

    fn read(&self, url: &Url, answer: Fetched) -> Result<Document, FetchError> {
        let too_long = || {
            let (limit, setting) = (self.max_body, self.max_body_setting);
            FetchError::TooLong { url: url.to_string(), limit, setting }
        };
        let mut answer = answer.map_err(|error| {
            if error.is::<BodyTooLong>() {
                return too_long();
            }
            if let Some(refused) = refused_address(&*error) {
                return not_fetched(url, refused.clone());
            }
            FetchError::Transport { url: url.to_string(), reason: reason(url, &*error) }
        })?;
        // Clients must enforce the limit; this check covers clients that do not.
        if answer.body().len() > self.max_body {
            return Err(too_long());
        }
        // The body of any other response is not decoded.
        if answer.status() == StatusCode::OK {
            answer = decoded(answer, self.max_body).map_err(|error| {
                if error.is::<BodyTooLong>() {
                    return too_long();
                }
                FetchError::ContentEncoding { url: url.to_string(), problem: error.to_string() }
            })?;
        }
        let (head, body) = answer.into_parts();
        Ok(Document { status: head.status, headers: head.headers, body })
    }
}

fn not_fetched(url: &Url, refused: RefusedAddress) -> FetchError {
    FetchError::AddressRefused { url: url.to_string(), refused }
}

/// Finds a refused address in `error` or its causes.
fn refused_address<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e RefusedAddress> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(<dyn Error>::downcast_ref)
}

/// Returns the HTTP client's message, with an explanation if it is misleading: TLS reports the
/// plain-text response of an http server as a corrupt record.
fn reason(url: &Url, error: &(dyn Error + 'static)) -> String {
    let reason = with_causes(error);
    let is_plain_text =
        ["InvalidContentType", "wrong version number"].iter().any(|text| reason.contains(text));
    if url.scheme() == "https" && is_plain_text {
        format!("the server speaks http on this port, not https ({reason})")
    } else {
        reason
    }
}

impl Document {
    /// Returns the status as an error. `setting` is the setting that determines the URL.
    pub(crate) fn refused(
        &self,
        url: &Url,
        setting: &'static Setting,
        now: SystemTime,
    ) -> FetchError {
        let status = self.status;
        if let Some(target) = self.target(url).filter(|_| status.is_redirection()) {
            return FetchError::Redirect { url: url.to_string(), status, target, setting };
        }
        let retry_after = retry_after(&self.headers, now);
        FetchError::Status { url: url.to_string(), status, retry_after }
    }

    /// Returns the target of a redirect without its query, user name and password, which may be
    /// secret.
    fn target(&self, url: &Url) -> Option<String> {
        let mut target = url.join(self.headers.get(LOCATION)?.to_str().ok()?).ok()?;
        if !matches!(target.scheme(), "http" | "https") {
            return Some(format!("a URL with the scheme {}", target.scheme()));
        }
        target.set_query(None);
        target.set_fragment(None);
        let _ = (target.set_username(""), target.set_password(None));
        Some(String::from(target).chars().take(MAX_SHOWN_TARGET).collect())
    }
}

/// The maximum length of a redirect target in errors, in characters.
const MAX_SHOWN_TARGET: usize = 200;

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 2027-01-15T08:00:00Z, a Friday.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (value, secs) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Fri, 15 Jan 2027 08:01:00 GMT", Some(60)),
            ("Fri, 15 Jan 2027 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now).map(|after| after.as_secs()), secs, "{value}");
        }
    }
}
