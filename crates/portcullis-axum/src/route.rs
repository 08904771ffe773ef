//! The name of a route in the log: its path as defined in the router.

use axum::extract::MatchedPath;
use http::Extensions;
use http::request::Parts;
use portcullis::adapter::Site;

pub(crate) fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get().map(MatchedPath::as_str)
}

pub(crate) fn site(parts: &Parts) -> Site {
    Site::of(parts, Some(route))
}
