//! The method and the route of a refused request, for the log.

use std::sync::Arc;

use http::Extensions;

use super::{Refusal, Unreported};
use crate::maybe_ready::MaybeReady;
use crate::request::RequestView;

/// Finds the pattern of the route in the data that a router stored in the request's extensions.
pub type RouteFrom = fn(&Extensions) -> Option<&str>;

/// Where a request was refused: its method, and the pattern of its route if the framework provides
/// it.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// A standard method or `other`: no text from the client.
    pub(super) method: Option<&'static str>,
    pub(super) route: Option<Arc<str>>,
}

impl Site {
    /// Returns the site of `request`. `route_from` is for requests that do not know their
    /// [route](RequestView::route).
    #[must_use]
    pub fn of(request: &(impl RequestView + ?Sized), route_from: Option<RouteFrom>) -> Self {
        let left = || route_from?(request.extensions()?).map(Arc::from);
        let route = request.route().map(|route| Arc::from(&*route)).or_else(left);
        Self { method: request.method().map(standard), route }
    }
}

fn standard(method: &str) -> &'static str {
    const METHODS: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    METHODS.into_iter().find(|known| *known == method).unwrap_or("other")
}

/// Logs a refusal with the site of `request`. `site` is called only if the verdict is a refusal, or
/// is pending.
pub(crate) fn reported<T: Send + 'static>(
    verdict: MaybeReady<Result<T, Unreported>>,
    site: impl FnOnce() -> Site,
) -> MaybeReady<Result<T, Refusal>> {
    match verdict {
        MaybeReady::Ready(verdict) => MaybeReady::Ready(verdict.map_err(|why| why.at(&site()))),
        pending => {
            let site = site();
            pending.map(move |verdict| verdict.map_err(|why| why.at(&site)))
        }
    }
}
