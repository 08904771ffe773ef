//! A server that requests are forwarded to.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// A server beside the sidecar, or in a trusted network: plain http.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream(Authority);

impl Upstream {
    pub(crate) fn uri(&self, target: PathAndQuery) -> Result<Uri, http::Error> {
        Uri::builder().scheme(Scheme::HTTP).authority(self.0.clone()).path_and_query(target).build()
    }
}

impl FromStr for Upstream {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "must be a URL with a host only, without a path, such as `http://127.0.0.1:3000`";
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let parts = uri.into_parts();
        let is_http = parts.scheme == Some(Scheme::HTTP);
        let no_path = parts.path_and_query.is_none_or(|target| target == "/");
        match parts.authority {
            Some(authority) if is_http && no_path && !authority.as_str().contains('@') => {
                Ok(Self(authority))
            }
            _ => Err(EXPECTED),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_is_the_http_url_of_a_host_alone() {
        for text in ["http://127.0.0.1:3000", "http://app:80/", "http://[::1]:3000"] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(upstream.to_string(), text.trim_end_matches('/'));
        }
        for text in [
            "",
            "app:3000",
            "https://app",
            "http://app/api",
            "http://app?x",
            "http://u:p@app",
            "unix:/run/app",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }
}
