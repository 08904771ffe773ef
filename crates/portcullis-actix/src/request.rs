//! What portcullis looks at of an actix-web request.

use actix_web::HttpRequest;
use http::header::{HOST, HeaderName};
use portcullis::RequestView;

/// An actix-web request's head. Its `http` is another major version than portcullis's; names and
/// values cross as text and bytes.
pub(crate) struct View<'r>(pub(crate) &'r HttpRequest);

impl RequestView for View<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.0.method().as_str())
    }

    fn header(&self, name: &HeaderName, index: usize) -> Option<&[u8]> {
        self.0.headers().get_all(name.as_str()).nth(index).map(|value| value.as_bytes())
    }

    fn path(&self) -> Option<&str> {
        Some(self.0.uri().path())
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }

    /// Not `ConnectionInfo::host`, which believes `Forwarded` and `X-Forwarded-Host`, and those
    /// anybody can send.
    fn authority(&self) -> Option<&[u8]> {
        let target = self.0.uri().authority().map(|authority| authority.as_str().as_bytes());
        target.or_else(|| self.header(&HOST, 0))
    }
}
