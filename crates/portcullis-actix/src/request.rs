//! What portcullis looks at of an actix-web request.

use std::ops::ControlFlow;

use actix_web::HttpRequest;
use http::header::HeaderName;
use portcullis::RequestView;

/// An actix-web request's head. Its `http` is another major version than portcullis's; names and
/// values cross as text and bytes.
pub(crate) struct View<'r>(pub(crate) &'r HttpRequest);

impl RequestView for View<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.0.method().as_str())
    }

    fn visit_header<'r>(
        &'r self,
        name: &HeaderName,
        visit: &mut dyn FnMut(&'r [u8]) -> ControlFlow<()>,
    ) {
        let mut lines = self.0.headers().get_all(name.as_str());
        let _ = lines.try_for_each(|line| visit(line.as_bytes()));
    }

    fn path(&self) -> Option<&str> {
        Some(self.0.uri().path())
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }

    /// Not `ConnectionInfo::host`, which believes `Forwarded` and `X-Forwarded-Host`, and those
    /// anybody can send.
    fn target_authority(&self) -> Option<&[u8]> {
        self.0.uri().authority().map(|authority| authority.as_str().as_bytes())
    }
}
