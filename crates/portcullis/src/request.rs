//! What is looked at of a request, without owning it or knowing its framework.

use http::header::{HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri};

/// A request's head, borrowed from whatever the web framework has.
///
/// Values are bytes because header values are, and because actix-web is on another major version
/// of `http`. Implemented for [`http::Request`], [`http::request::Parts`] and, for code that has
/// nothing else, [`http::HeaderMap`].
pub trait RequestView {
    /// The method; `None` if it is not known, which is then taken for an unsafe one.
    fn method(&self) -> Option<&str>;

    /// The value of the header `name` in its line `index`, counted from 0.
    fn header(&self, name: &HeaderName, index: usize) -> Option<&[u8]>;

    /// The path of the request's target, as it was sent: nothing is decoded. `None` if it is not
    /// known. It decides only whether the metadata of the protected resource are asked for.
    fn path(&self) -> Option<&str> {
        None
    }

    /// The query of the request's target, as it was sent.
    fn query(&self) -> Option<&str> {
        None
    }

    /// The host and port that the request was sent to: the `Host` header, or what HTTP/2 has
    /// instead of it.
    fn authority(&self) -> Option<&[u8]> {
        self.header(&HOST, 0)
    }
}

impl RequestView for HeaderMap {
    fn method(&self) -> Option<&str> {
        None
    }

    fn header(&self, name: &HeaderName, index: usize) -> Option<&[u8]> {
        self.get_all(name).iter().nth(index).map(http::HeaderValue::as_bytes)
    }
}

impl<B> RequestView for Request<B> {
    fn method(&self) -> Option<&str> {
        Some(self.method().as_str())
    }

    fn header(&self, name: &HeaderName, index: usize) -> Option<&[u8]> {
        self.headers().header(name, index)
    }

    fn path(&self) -> Option<&str> {
        Some(self.uri().path())
    }

    fn query(&self) -> Option<&str> {
        self.uri().query()
    }

    fn authority(&self) -> Option<&[u8]> {
        authority(self.uri(), self.headers())
    }
}

impl RequestView for Parts {
    fn method(&self) -> Option<&str> {
        Some(self.method.as_str())
    }

    fn header(&self, name: &HeaderName, index: usize) -> Option<&[u8]> {
        self.headers.header(name, index)
    }

    fn path(&self) -> Option<&str> {
        Some(self.uri.path())
    }

    fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    fn authority(&self) -> Option<&[u8]> {
        authority(&self.uri, &self.headers)
    }
}

/// RFC 9113 §8.3.1: over HTTP/2 the authority stands in the request's target.
fn authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r [u8]> {
    uri.authority().map(|authority| authority.as_str().as_bytes()).or_else(|| headers.authority())
}

/// Whether a request with `method` changes nothing ([RFC 9110 §9.2.1]).
///
/// [RFC 9110 §9.2.1]: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1
pub(crate) fn is_safe(method: Option<&str>) -> bool {
    method.is_some_and(|method| {
        [Method::GET, Method::HEAD, Method::OPTIONS].iter().any(|safe| safe == method)
    })
}

/// Whether only the headers of the answer are asked for ([RFC 9110 §9.3.2]).
///
/// [RFC 9110 §9.3.2]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
pub(crate) fn is_head(request: &(impl RequestView + ?Sized)) -> bool {
    request.method() == Some(Method::HEAD.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_http_2_the_authority_stands_in_the_target() {
        let request = Request::post("https://api.example:8443/x").header("host", "other.example");
        let request = request.body(()).unwrap();
        assert_eq!(RequestView::authority(&request), Some(&b"api.example:8443"[..]));
        assert_eq!(RequestView::authority(&request.into_parts().0), Some(&b"api.example:8443"[..]));
        let request = Request::post("/x").header("host", "api.example").body(()).unwrap();
        assert_eq!(RequestView::authority(&request), Some(&b"api.example"[..]));
    }
}
