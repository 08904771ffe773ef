//! A browser sends cookies along with requests that another site made up. This tells them apart.

use axum::http::HeaderMap;
use axum::http::header::ORIGIN;

use super::problem::Problem;

/// Refuses a request that a browser says comes from elsewhere than `origin`.
///
/// A request with neither header is accepted here, while [`tollgate`] refuses one with its access
/// cookie. That cookie is `SameSite=Lax`, so a browser may send it along from another site. This
/// one is `SameSite=Strict`, and only `POST` routes read it, with which every browser that knows
/// `SameSite` sends `Origin`: who sends neither is no browser but, for example, curl with a
/// cookie jar, in which nobody else made the request up.
pub(super) fn check(headers: &HeaderMap, origin: &str) -> Result<(), Problem> {
    // <https://www.w3.org/TR/fetch-metadata/>; `none` is the user, typing or following a bookmark.
    let fetched_from_here = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| site == "same-origin" || site == "none");
    let sent_from_here = headers.get_all(ORIGIN).iter().all(|sender| sender == origin);
    if fetched_from_here && sent_from_here { Ok(()) } else { Err(Problem::CrossSite) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn the_table() {
        const HERE: &str = "https://auth.example";
        for (headers, accepted) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", HERE)], true),
            (&[("origin", HERE)], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", HERE)], false),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "null")], false),
            (&[("origin", "http://auth.example")], false),
            (&[("origin", "https://auth.example.evil.example")], false),
        ] {
            let mut map = HeaderMap::new();
            for &(name, value) in headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(check(&map, HERE).is_ok(), accepted, "{headers:?}");
        }
    }
}
