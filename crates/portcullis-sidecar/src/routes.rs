//! The routes: what a request needs, by its method and path.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;
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
    /// Whether the route requires more than a token that has not expired.
    pub(crate) is_strict: bool,
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

/// The rule for requests that match no pattern, or no pattern with their method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unmatched {
    /// They are refused.
    Refuse,
    /// They need a valid token.
    #[default]
    Token,
}

/// Why a request has no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoute {
    Ambiguous(&'static str),
    /// There is no route, and such requests are refused.
    Unmatched,
}

/// All routes. The most specific pattern decides.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    exact: HashMap<String, Methods>,
    below: HashMap<String, Methods>,
    /// The patterns that an app could take for each other, by their [folded](folded) path.
    folded_exact: HashMap<Vec<u8>, Vec<Pattern>>,
    folded_below: HashMap<Vec<u8>, Vec<Pattern>>,
    on_unmatched: Unmatched,
    unmatched: Arc<Route>,
}

/// The form of a path in which apps compare it that ignore the case of letters, percent-encodings
/// and a trailing slash.
fn folded(path: &str) -> Vec<u8> {
    let path = path.strip_suffix('/').unwrap_or(path);
    percent_decode_str(path).map(|byte| byte.to_ascii_lowercase()).collect()
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
        let (alike, path) = match &pattern {
            Pattern::Exact(path) => (&mut self.folded_exact, path),
            Pattern::Below(path) => (&mut self.folded_below, path),
        };
        let alike = alike.entry(folded(path)).or_default();
        if !alike.contains(&pattern) {
            alike.push(pattern.clone());
        }
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

    /// Decides about requests without a route.
    pub(crate) fn on_unmatched(&mut self, unmatched: Unmatched) {
        self.on_unmatched = unmatched;
    }

    /// Returns the route of a request.
    ///
    /// # Errors
    ///
    /// An error if the path is ambiguous, also if an app could take it for the path of another
    /// pattern, or if there is no route and such requests are refused.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<&Arc<Route>, NoRoute> {
        path::check(path).map_err(|Ambiguous(why)| NoRoute::Ambiguous(why))?;
        let of_pattern = match (self.exact.get_key_value(path), self.longest(path)) {
            (Some((own, methods)), _) => {
                self.check_alias(path, |like| matches!(like, Pattern::Exact(one) if one == own))?;
                Some(methods)
            }
            (None, Some((own, methods))) => {
                self.check_alias(path, |like| matches!(like, Pattern::Below(one) if one == own))?;
                Some(methods)
            }
            (None, None) => {
                self.check_alias(path, |_| false)?;
                None
            }
        };
        match (of_pattern.and_then(|methods| methods.find(method)), self.on_unmatched) {
            (Some(route), _) => Ok(route),
            (None, Unmatched::Token) => Ok(&self.unmatched),
            (None, Unmatched::Refuse) => Err(NoRoute::Unmatched),
        }
    }

    /// Returns an error if an app that compares folded paths could take `path` for the path of a
    /// pattern, and none of these is its `own`.
    fn check_alias(&self, path: &str, own: impl Fn(&Pattern) -> bool) -> Result<(), NoRoute> {
        let folded = folded(path);
        let below = || longest_prefix(&folded, |prefix| self.folded_below.get(prefix));
        match self.folded_exact.get(&folded).or_else(below) {
            Some(alike) if !alike.iter().any(own) => {
                Err(NoRoute::Ambiguous("alias of another route's path"))
            }
            _ => Ok(()),
        }
    }

    /// The route of requests that match no pattern, or none with their method.
    pub(crate) fn unmatched(&self) -> &Arc<Route> {
        &self.unmatched
    }

    /// The longest prefix of whole segments.
    fn longest(&self, path: &str) -> Option<(&String, &Methods)> {
        longest_prefix(path.as_bytes(), |prefix| {
            self.below.get_key_value(std::str::from_utf8(prefix).ok()?)
        })
    }

    /// Returns a pattern that lacks methods for which the pattern around it requires more than a
    /// token, and that pattern. Requests with these methods would need no more than a token.
    pub(crate) fn gap(&self) -> Option<(Pattern, Pattern)> {
        let exact = self.exact.iter().map(|(path, own)| (Pattern::Exact(path.clone()), path, own));
        let below = self.below.iter().map(|(path, own)| (Pattern::Below(path.clone()), path, own));
        let mut gaps: Vec<(Pattern, Pattern)> = exact
            .chain(below)
            .filter_map(|(pattern, path, own)| {
                let start = match pattern {
                    Pattern::Exact(_) => path.as_str(),
                    Pattern::Below(_) => path.get(..path.rfind('/')?)?,
                };
                let (around, methods) = self.longest(start)?;
                let dropped = methods.strict().any(|method| match method {
                    Some(method) => own.find(method).is_none(),
                    None => own.others.is_none(),
                });
                dropped.then(|| (pattern, Pattern::Below(around.clone())))
            })
            .collect();
        gaps.sort();
        gaps.into_iter().next()
    }
}

/// What `get` returns for the longest prefix of whole segments.
fn longest_prefix<T>(path: &[u8], get: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut prefix = path;
    loop {
        if let Some(found) = get(prefix) {
            return Some(found);
        }
        let end = prefix.iter().rposition(|byte| *byte == b'/')?;
        prefix = prefix.get(..end)?;
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

    /// The methods whose routes require more than a token; `None` for all others.
    fn strict(&self) -> impl Iterator<Item = Option<&Method>> {
        let named = self.by_name.iter().map(|(method, route)| (Some(method), route));
        let others = self.others.iter().map(|route| (None, route));
        named.chain(others).filter(|(_, route)| route.is_strict).map(|(method, _)| method)
    }
}

/// Some frameworks accept methods in lower case. The routes would not apply to such a request.
pub(crate) fn is_upper_case(method: &Method) -> bool {
    !method.as_str().bytes().any(|byte| byte.is_ascii_lowercase())
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
            (Method::GET, "/API%20", "/*"),
            (Method::GET, "/api/X/y/", "/api/*"),
        ] {
            let route = routes.find(&method, path).unwrap();
            assert_eq!(&*route.pattern, expected, "{method} {path}");
        }
        assert!(routes.find(&Method::GET, "/api/../health").is_err());
    }

    #[test]
    fn path_that_an_app_could_take_for_another_patterns_is_ambiguous() {
        let table = ["/*", "/pay", "/users/*", "/users/me", "/Upper", "/a", "/a/*", "/at@b", "/"];
        let routes = routes(&table.map(|pattern| (pattern, &[][..])));
        for (path, expected) in [
            ("/", Some("/")),
            ("/pay", Some("/pay")),
            ("/pay/", None),
            ("/PAY", None),
            ("/Pay/", None),
            ("/pay/x", Some("/*")),
            ("/USERS", None),
            ("/Users/7", None),
            ("/users/", Some("/users/*")),
            ("/users/ABC/", Some("/users/*")),
            ("/users/me", Some("/users/me")),
            ("/users/Me", None),
            ("/Upper", Some("/Upper")),
            ("/upper", None),
            ("/a", Some("/a")),
            ("/a/", None),
            ("/a/b", Some("/a/*")),
            ("/at@b", Some("/at@b")),
            ("/at%40b", None),
        ] {
            let route = routes.find(&Method::GET, path).ok().map(|route| &*route.pattern);
            assert_eq!(route, expected, "{path}");
        }
    }

    #[test]
    fn unmatched_path_needs_a_token_or_is_refused() {
        let mut routes = routes(&[("/health", &[Method::GET])]);
        let route = routes.find(&Method::GET, "/orders").unwrap();
        assert_eq!((route.token, &*route.pattern), (Token::Required, ""));
        routes.on_unmatched(Unmatched::Refuse);
        for (method, path) in [(Method::GET, "/orders"), (Method::POST, "/health")] {
            assert_eq!(routes.find(&method, path).err(), Some(NoRoute::Unmatched), "{path}");
        }
        assert!(routes.find(&Method::HEAD, "/health").is_ok());
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
