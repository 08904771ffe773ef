//! The routes: what a request needs, by its method and path.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use portcullis::adapter::Requirement;

use crate::path::{self, Ambiguous};
use crate::upstream::Upstream;

/// What the requests of a route need.
#[derive(Debug, Clone, PartialEq, Eq, Copy, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Token {
    /// A valid token.
    #[default]
    Required,
    /// A valid token or none.
    Optional,
    /// Nothing: a token is not read.
    None,
}

/// A route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    /// The pattern, for the log.
    pub(crate) pattern: Arc<str>,
    pub(crate) token: Token,
    /// Passes credentials of other kinds on to the upstream, which must verify them.
    pub(crate) pass_foreign: bool,
    /// Passes the client's credentials on to the upstream.
    pub(crate) pass_credentials: bool,
    pub(crate) requirement: Option<Arc<Requirement>>,
    /// `None`: the app.
    pub(crate) upstream: Option<Arc<Upstream>>,
}

/// A path, or a path with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Pattern {
    Exact(String),
    /// Without a trailing slash: the root is empty.
    Below(String),
}

impl Pattern {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Exact(path) => path.clone(),
            Self::Below(path) => format!("{path}/*"),
        }
    }
}

/// All routes. The most specific pattern decides; a path without one needs a token.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    exact: HashMap<String, Methods>,
    below: HashMap<String, Methods>,
    unmatched: Arc<Route>,
}

/// The routes of a pattern.
#[derive(Debug, Default)]
struct Methods {
    by_name: Vec<(Method, Arc<Route>)>,
    others: Option<Arc<Route>>,
}

/// A second route for the same method and pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Duplicate;

impl Routes {
    /// Adds a route. Without methods, it is for all methods that no other route of the pattern has.
    pub(crate) fn add(
        &mut self,
        pattern: Pattern,
        methods: &[Method],
        route: Route,
    ) -> Result<(), Duplicate> {
        let of_pattern = match pattern {
            Pattern::Exact(path) => self.exact.entry(path).or_default(),
            Pattern::Below(path) => self.below.entry(path).or_default(),
        };
        let route = Arc::new(route);
        if methods.is_empty() {
            return match of_pattern.others.replace(route) {
                None => Ok(()),
                Some(_) => Err(Duplicate),
            };
        }
        for method in methods {
            if of_pattern.by_name.iter().any(|(known, _)| known == method) {
                return Err(Duplicate);
            }
            of_pattern.by_name.push((method.clone(), route.clone()));
        }
        Ok(())
    }

    /// Returns the route of a request.
    ///
    /// # Errors
    ///
    /// An error if the path is ambiguous.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<&Arc<Route>, Ambiguous> {
        path::check(path)?;
        let of_pattern = self.exact.get(path).or_else(|| self.longest(path));
        Ok(of_pattern.and_then(|methods| methods.find(method)).unwrap_or(&self.unmatched))
    }

    /// The route of requests that match no pattern, or none with their method.
    pub(crate) fn unmatched(&self) -> &Arc<Route> {
        &self.unmatched
    }

    /// The longest prefix of whole segments.
    fn longest(&self, path: &str) -> Option<&Methods> {
        let mut end = path.len();
        loop {
            let prefix = path.get(..end)?;
            if let Some(methods) = self.below.get(prefix) {
                return Some(methods);
            }
            end = prefix.rfind('/')?;
        }
    }
}

impl Methods {
    /// A route for `GET` is also for `HEAD`, unless another route of the pattern is.
    fn find(&self, method: &Method) -> Option<&Arc<Route>> {
        let named = |method: &Method| {
            self.by_name.iter().find_map(|(known, route)| (known == method).then_some(route))
        };
        let as_get = || if *method == Method::HEAD { named(&Method::GET) } else { None };
        named(method).or_else(as_get).or(self.others.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(table: &[(&str, &[Method])]) -> Routes {
        let mut routes = Routes::default();
        for (text, methods) in table {
            let pattern = match text.strip_suffix("/*") {
                Some(prefix) => Pattern::Below(prefix.to_owned()),
                None => Pattern::Exact((*text).to_owned()),
            };
            let route = Route { pattern: Arc::from(*text), ..Route::default() };
            routes.add(pattern, methods, route).unwrap();
        }
        routes
    }

    #[test]
    fn most_specific_pattern_decides_alone() {
        const ALL: &[Method] = &[];
        let table = [
            ("/*", ALL),
            ("/health", ALL),
            ("/api/*", ALL),
            ("/api/admin/*", &[Method::POST][..]),
            ("/api/admin/users", &[Method::GET]),
            ("/api/admin/users", &[Method::DELETE]),
            ("/api/admin/users/*", ALL),
        ];
        let routes = routes(&table);
        for (method, path, expected) in [
            (Method::GET, "/", "/*"),
            (Method::GET, "/x", "/*"),
            (Method::GET, "/health", "/health"),
            (Method::GET, "/health/", "/*"),
            (Method::GET, "/healthy", "/*"),
            (Method::GET, "/api", "/api/*"),
            (Method::GET, "/api/", "/api/*"),
            (Method::GET, "/apis", "/*"),
            (Method::GET, "/api/x/y", "/api/*"),
            (Method::POST, "/api/admin/x", "/api/admin/*"),
            // A less specific pattern must not decide instead: these need a token.
            (Method::GET, "/api/admin/x", ""),
            (Method::GET, "/api/admin", ""),
            (Method::PUT, "/api/admin/users", ""),
            (Method::GET, "/api/admin/users", "/api/admin/users"),
            (Method::HEAD, "/api/admin/users", "/api/admin/users"),
            (Method::DELETE, "/api/admin/users", "/api/admin/users"),
            (Method::PUT, "/api/admin/users/1", "/api/admin/users/*"),
            (Method::GET, "/API", "/*"),
        ] {
            let route = routes.find(&method, path).unwrap();
            assert_eq!(&*route.pattern, expected, "{method} {path}");
        }
        assert!(routes.find(&Method::GET, "/api/../health").is_err());
    }

    #[test]
    fn unmatched_path_needs_a_token() {
        let routes = routes(&[("/health", &[])]);
        let route = routes.find(&Method::GET, "/orders").unwrap();
        assert_eq!((route.token, &*route.pattern), (Token::Required, ""));
    }

    #[test]
    fn second_route_for_a_method_and_pattern_is_an_error() {
        let mut routes = routes(&[("/a", &[Method::GET]), ("/b", &[])]);
        let mut add = |path: &str, methods: &[Method]| {
            routes.add(Pattern::Exact(path.to_owned()), methods, Route::default())
        };
        assert_eq!(add("/a", &[Method::GET]), Err(Duplicate));
        assert_eq!(add("/b", &[]), Err(Duplicate));
        assert_eq!(add("/a", &[]), Ok(()));
        assert_eq!(add("/b", &[Method::GET]), Ok(()));
    }
}
