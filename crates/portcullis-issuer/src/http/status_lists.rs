//! The endpoint from which verifiers fetch status lists.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::api::Api;
use super::oauth::client_of;
use super::problem::Problem;
use crate::domain::peer::Peer;
use crate::domain::tokens::Verifier;
use crate::error::Error;
use crate::etag;

/// The request header with the preferred wait (RFC 7240).
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The response header that confirms the wait (RFC 7240).
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest wait, in seconds.
const MAX_WAIT: u64 = 60;

/// A status list (draft-ietf-oauth-status-list).
///
/// With `If-None-Match` and `Prefer: wait=N`, the response comes when the list has changed, or
/// after N seconds. The number of waiting requests is limited. A machine client may authenticate
/// (`client_secret_basic`), since part of this number is reserved for authenticated clients. Beyond
/// the limit, the response comes at once and has no `Preference-Applied`.
#[utoipa::path(
    get,
    path = "/v1/status-lists/{list}",
    tag = "discovery",
    operation_id = "status_list",
    params(
        ("list" = i64, Path, description = "The list's number, from a token's `status` claim"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the client's list"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, in seconds (RFC 7240)"),
    ),
    responses(
        (status = 200, description = "The list, gzipped if the client accepts that", body = String,
         content_type = "application/statuslist+jwt", headers(("ETag" = String))),
        (status = 304, description = "The client's list is current",
         headers(("ETag" = String))),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    peer: Peer,
    list: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(list) = list.map_err(|_| Problem::NoSuchPage)?;
    let lists = &api.domain.status_lists;
    let known = |etag: &str| {
        let fields = headers.get_all(IF_NONE_MATCH).iter().filter_map(|field| field.to_str().ok());
        fields.into_iter().any(|field| etag::is_named_by(etag, field))
    };
    let gzip = takes_gzip(&headers);
    let preferred = preferred_wait(&headers);
    let place = match preferred {
        Some(_) => lists.wait(verifier(&api, &headers, &peer).await?),
        None => None,
    };
    let wait = preferred.filter(|_| place.is_some());
    let deadline = Instant::now() + Duration::from_secs(wait.unwrap_or_default());
    loop {
        let published = lists.list(list).await?.ok_or(Problem::NoSuchPage)?;
        // The compressed list is another representation, which has its own tag (RFC 9110 §8.8.3).
        let etag = if gzip { gzip_tag(&published.etag) } else { published.etag.clone() };
        let known = known(&etag);
        let left = deadline.saturating_duration_since(Instant::now());
        if known && !left.is_zero() && !lists.is_stopped() {
            lists.until_changes(&published, left).await;
            continue;
        }
        let mut answer = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            if gzip { &published.gzipped } else { &published.token }.clone().into_response()
        };
        let headers = answer.headers_mut();
        headers.remove(CONTENT_TYPE);
        if !known {
            let kind = HeaderValue::from_static("application/statuslist+jwt");
            headers.insert(CONTENT_TYPE, kind);
            if gzip {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        if let Ok(etag) = HeaderValue::try_from(etag) {
            headers.insert(ETAG, etag);
        }
        // A cache that responds without revalidation would hide revocations from the verifiers
        // behind it.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding, prefer"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if let Some(applied) =
            wait.and_then(|wait| HeaderValue::try_from(format!("wait={wait}")).ok())
        {
            headers.insert(PREFERENCE_APPLIED, applied);
        }
        return Ok(answer);
    }
}

/// Returns the verifier whose limit applies to a waiting request. A request with a wrong credential
/// is treated as anonymous and is not rejected: the list is public, and a verifier whose secret has
/// expired must still get it.
async fn verifier(api: &Api, headers: &HeaderMap, peer: &Peer) -> Result<Verifier, Problem> {
    match client_of(api, headers, peer).await {
        Ok(Some(client)) => Ok(Verifier::Client(client)),
        Ok(None) | Err(Error::Limited { .. }) => Ok(Verifier::anonymous(peer.address)),
        Err(error) => Err(error.into()),
    }
}

fn gzip_tag(etag: &str) -> String {
    format!("{}-gzip\"", etag.trim_end_matches('"'))
}

/// Returns whether `Accept-Encoding` accepts gzip (RFC 9110 §12.5.3), by its name or by `*`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let weight_of = |wanted: &str| {
        let fields = headers.get_all(ACCEPT_ENCODING).iter();
        let mut codings =
            fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
        codings.find_map(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
            name.trim().eq_ignore_ascii_case(wanted).then(|| weight.trim().to_ascii_lowercase())
        })
    };
    let weight = weight_of("gzip").or_else(|| weight_of("x-gzip")).or_else(|| weight_of("*"));
    // The weight 0, as in `q=0.00`, means not acceptable.
    weight.is_some_and(|weight| weight.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

/// Returns the preference `wait` (RFC 7240 §2 and §4.3), in seconds, limited to [`MAX_WAIT`].
fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    let fields = headers.get_all(PREFER).iter().filter_map(|field| field.to_str().ok());
    let wait = fields.flat_map(|field| field.split(',')).find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let value = value.trim().trim_matches('"').parse::<u64>().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then_some(value)
    })?;
    (wait > 0).then_some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_encoding_decides_on_gzip() {
        for (field, takes) in [
            ("gzip", true),
            ("GZIP;q=0.1", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("*", true),
            ("br, x-gzip", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("*;q=0", false),
            ("br", false),
            ("gzipped", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(field).unwrap());
            assert_eq!(takes_gzip(&headers), takes, "{field}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn wait_is_found_among_other_preferences() {
        for (field, wait) in [
            ("wait=5", Some(5)),
            ("WAIT = \"7\"", Some(7)),
            ("respond-async, wait=10;x=1", Some(10)),
            ("wait=100000", Some(60)),
            ("wait=0", None),
            ("wait", None),
            ("wait=-1", None),
            ("waiting=5", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_str(field).unwrap());
            assert_eq!(preferred_wait(&headers), wait, "{field}");
        }
    }
}
