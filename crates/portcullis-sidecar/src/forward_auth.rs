//! The request that a proxy asks about: its method and target, from the headers that the proxy sets.

use http::header::CONNECTION;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::config::ForwardAuth;
use crate::routes::is_upper_case;

/// Why a question cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// The proxy did not set the header.
    Missing(&'static str),
    /// The header has several lines or an unusable value.
    Wrong(&'static str),
}

impl ForwardAuth {
    /// Replaces the method and target of the proxy's request by those of the client's.
    ///
    /// # Errors
    ///
    /// An error if the proxy did not set the two headers, or set them more than once.
    pub(crate) fn restore(&self, request: &mut Parts) -> Result<(), Unclear> {
        let headers = &request.headers;
        let method = single(headers, &self.method_header, "method_header")?;
        let method = Method::from_bytes(method).ok().filter(is_upper_case);
        let method = method.ok_or(Unclear::Wrong("method_header"))?;
        let target = single(headers, &self.uri_header, "uri_header")?;
        let target = target_of(target).ok_or(Unclear::Wrong("uri_header"))?;
        (request.method, request.uri) = (method, target);
        // Proxies do not pass `Connection` on. A handshake is a GET, and a page of another site may
        // not send the cookie with it.
        if request.headers.contains_key("sec-websocket-key") {
            request.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        Ok(())
    }
}

fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    setting: &'static str,
) -> Result<&'h [u8], Unclear> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line.as_bytes()),
        (None, _) => Err(Unclear::Missing(setting)),
        (Some(_), Some(_)) => Err(Unclear::Wrong(setting)),
    }
}

/// A path and query. `Uri` would parse `//a/b` as a path, too, but cut off a fragment.
fn target_of(text: &[u8]) -> Option<Uri> {
    if !text.starts_with(b"/") || text.contains(&b'#') {
        return None;
    }
    let target = PathAndQuery::try_from(text).ok()?;
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn restored(lines: &[(&str, &str)]) -> Result<Parts, Unclear> {
        let setting = ForwardAuth {
            path: "/authorize".to_owned(),
            uri_header: HeaderName::from_static("x-original-uri"),
            method_header: HeaderName::from_static("x-original-method"),
        };
        let mut request = Request::get("/authorize");
        for (name, value) in lines {
            request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        setting.restore(&mut parts).map(|()| parts)
    }

    #[test]
    fn method_and_target_are_those_of_the_headers() {
        for target in ["/", "/orders?x=/../y", "//a//b", "/a/../b", "/a%2Fb?%23"] {
            let lines = [("x-original-method", "DELETE"), ("x-original-uri", target)];
            let parts = restored(&lines).unwrap();
            assert_eq!((parts.method, parts.uri.to_string()), (Method::DELETE, target.to_owned()));
            assert!(!parts.headers.contains_key(CONNECTION));
        }
    }

    #[test]
    fn missing_repeated_and_malformed_headers_are_errors() {
        use Unclear::{Missing, Wrong};
        let (method, uri) = (("x-original-method", "GET"), ("x-original-uri", "/"));
        for (lines, expected) in [
            (&[uri][..], Missing("method_header")),
            (&[method], Missing("uri_header")),
            (&[method, uri, uri], Wrong("uri_header")),
            (&[method, method, uri], Wrong("method_header")),
            (&[method, ("x_original_uri", "/")], Missing("uri_header")),
            (&[("x-original-method", "GET, POST"), uri], Wrong("method_header")),
            (&[("x-original-method", ""), uri], Wrong("method_header")),
            (&[("x-original-method", "get"), uri], Wrong("method_header")),
            (&[method, ("x-original-uri", "")], Wrong("uri_header")),
            (&[method, ("x-original-uri", "orders")], Wrong("uri_header")),
            (&[method, ("x-original-uri", "http://a/")], Wrong("uri_header")),
            (&[method, ("x-original-uri", "/a#b")], Wrong("uri_header")),
            (&[method, ("x-original-uri", "/a b")], Wrong("uri_header")),
        ] {
            assert_eq!(restored(lines).err(), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn handshake_is_recognized_without_its_connection_header() {
        let lines = [
            ("x-original-method", "GET"),
            ("x-original-uri", "/"),
            ("connection", "close"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(restored(&lines).unwrap().headers[CONNECTION], "upgrade");
    }
}
