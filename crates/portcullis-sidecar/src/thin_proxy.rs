//! The thin proxy: the issuer's endpoints on an app's own address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::any;
use http::header::SET_COOKIE;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};

use crate::config::{ConfigError, Proxies, Timeouts};
use crate::forward::{Forwarder, Outgoing, refused};
use crate::path;
use crate::upstream::Upstream;

/// A router that forwards paths of an axum app to the issuer, so that browsers log in at the app's
/// own address.
///
/// Bodies, statuses and cookies pass unchanged, except that the `Path` of a cookie follows the
/// [mount](Self::mount). The issuer gets the client's address in `X-Forwarded-For`: set its
/// `IDENTSPHERE_CLIENT_ADDRESS_HEADER`, because it limits failed logins by address. Serve the app with
/// `into_make_service_with_connect_info::<SocketAddr>()`; without the address, requests are answered
/// with 500.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use portcullis_sidecar::ThinProxy;
///
/// # fn app() -> Result<Router, portcullis_sidecar::ConfigError> {
/// // `POST /auth/login` becomes `POST /v1/auth/login` at the issuer, and so on.
/// let auth = ThinProxy::new("http://127.0.0.1:8080")?.mount("/auth", "/v1/auth")?;
/// let app = Router::new().route("/", get(async || "the app")).merge(auth.into_router());
/// # Ok(app) }
///
/// assert!(ThinProxy::new("http://127.0.0.1:8080/v1").is_err());
/// ```
#[derive(Debug, Clone)]
pub struct ThinProxy {
    issuer: Upstream,
    mounts: Vec<Mount>,
    timeouts: Timeouts,
    proxies: Proxies,
}

#[derive(Debug, Clone)]
struct Mount {
    /// Without a trailing slash.
    own: String,
    issuers: String,
}

impl ThinProxy {
    /// Creates a proxy for the issuer at this address, without any paths. The address is not the
    /// issuer's public URL, but where the app reaches it: the URL of a host alone, with `http`.
    ///
    /// # Errors
    ///
    /// An error if the URL has another form.
    pub fn new(issuer: &str) -> Result<Self, ConfigError> {
        let issuer = issuer.parse().map_err(|expected| {
            ConfigError::new(format!("the issuer's address is {issuer:?}: {expected}"))
        })?;
        let (timeouts, proxies) = (Timeouts::default(), Proxies::default());
        Ok(Self { issuer, mounts: Vec::new(), timeouts, proxies })
    }

    /// Forwards the paths below `own` to the paths below `issuers`, with all methods.
    ///
    /// # Errors
    ///
    /// An error if a path is empty, does not begin with a slash, or has a segment that a request's
    /// path may not have.
    pub fn mount(mut self, own: &str, issuers: &str) -> Result<Self, ConfigError> {
        for path in [own, issuers] {
            let is_plain = path.len() > 1 && !path.contains(['{', '}', '*']);
            if !is_plain || path::check(path).is_err() {
                let problem =
                    format!("{path:?} cannot be mounted: expected a path such as `/auth`");
                return Err(ConfigError::new(problem));
            }
        }
        let trimmed = |path: &str| path.trim_end_matches('/').to_owned();
        self.mounts.push(Mount { own: trimmed(own), issuers: trimmed(issuers) });
        Ok(self)
    }

    /// Sets how long the issuer may take until its response begins: 60 seconds by default.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.response = timeout;
        self
    }

    /// Trusts the `X-Forwarded-…` headers of requests from this address: a proxy in front of the
    /// app.
    ///
    /// # Errors
    ///
    /// An error if it is neither an address nor a network such as `10.0.0.0/8`.
    pub fn trusted_proxy(mut self, network: &str) -> Result<Self, ConfigError> {
        let network = network
            .parse()
            .or_else(|_| network.parse::<std::net::IpAddr>().map(Into::into))
            .map_err(|_| ConfigError::new(format!("{network:?} is not an address or a network")))?;
        self.proxies.0.push(network);
        Ok(self)
    }

    /// Returns the router, to be merged into the app's.
    pub fn into_router(self) -> Router {
        let forwarder = Forwarder::new(self.timeouts, self.proxies);
        let issuer = Arc::new(self.issuer);
        self.mounts.into_iter().fold(Router::new(), |router, mount| {
            let pattern: Arc<str> = format!("{}/*", mount.own).into();
            let route = format!("{}/{{*rest}}", mount.own);
            let (forwarder, issuer) = (forwarder.clone(), issuer.clone());
            router.route(
                &route,
                any(async move |request: Request<Body>| {
                    forward(&forwarder, &issuer, &mount, &pattern, request).await
                }),
            )
        })
    }
}

async fn forward(
    forwarder: &Forwarder,
    issuer: &Upstream,
    mount: &Mount,
    route: &str,
    mut request: Request<Body>,
) -> Response<Body> {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied()
    else {
        tracing::error!(
            "the client's address is unknown: serve the app with \
             `into_make_service_with_connect_info::<SocketAddr>()`"
        );
        return refused(StatusCode::INTERNAL_SERVER_ERROR);
    };
    if request.method() == Method::CONNECT || request.method() == Method::TRACE {
        return refused(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Some(uri) = mount.issuers_uri(request.uri()) else {
        return refused(StatusCode::BAD_REQUEST);
    };
    *request.uri_mut() = uri;
    let outgoing = Outgoing { request, peer: peer.ip(), route, who: None };
    let mut response = forwarder.forward(issuer, outgoing, |_| ()).await;
    mount.move_cookies(response.headers_mut());
    response
}

impl Mount {
    /// The issuer's target for a target of the app; `None` if it is ambiguous.
    fn issuers_uri(&self, uri: &Uri) -> Option<Uri> {
        path::check(uri.path()).ok()?;
        let rest = uri.path().strip_prefix(&self.own)?;
        let target = match uri.query() {
            Some(query) => format!("{}{rest}?{query}", self.issuers),
            None => format!("{}{rest}", self.issuers),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Moves the `Path` of cookies from the issuer's paths to the app's. A browser would not send
    /// such a cookie to the app's paths otherwise.
    fn move_cookies(&self, headers: &mut HeaderMap) {
        let cookies: Vec<HeaderValue> = headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|cookie| self.moved(cookie).unwrap_or_else(|| cookie.clone()))
            .collect();
        headers.remove(SET_COOKIE);
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie);
        }
    }

    fn moved(&self, cookie: &HeaderValue) -> Option<HeaderValue> {
        let mut parts = cookie.to_str().ok()?.split(';');
        let mut moved = parts.next()?.to_owned();
        for attribute in parts {
            moved.push(';');
            let (name, path) = attribute.split_once('=').unwrap_or((attribute, ""));
            let below = path.strip_prefix(&*self.issuers);
            let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/'));
            match below {
                Some(rest) if name.trim().eq_ignore_ascii_case("path") => {
                    moved += &format!("{name}={}{rest}", self.own);
                }
                _ => moved += attribute,
            }
        }
        HeaderValue::try_from(moved).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount() -> Mount {
        Mount { own: "/auth".to_owned(), issuers: "/v1/auth".to_owned() }
    }

    #[test]
    fn target_below_the_mount_becomes_the_issuers() {
        for (from, to) in [
            ("/auth/login", Some("/v1/auth/login")),
            ("/auth/sessions/7?x=/auth/y", Some("/v1/auth/sessions/7?x=/auth/y")),
            ("http://app.example/auth/login", Some("http://app.example/v1/auth/login")),
            ("/auth/../admin", None),
            ("/auth/%2e%2e/admin", None),
            ("/auth//admin", None),
            ("/auth/..;/admin", None),
            ("/other", None),
        ] {
            let uri = mount().issuers_uri(&from.parse().unwrap());
            assert_eq!(uri.map(|uri| uri.to_string()).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn path_of_a_cookie_follows_the_mount() {
        for (from, to) in [
            ("a=1; Path=/v1/auth; Secure", "a=1; Path=/auth; Secure"),
            ("a=1; path=/v1/auth/x", "a=1; path=/auth/x"),
            ("a=1; Path=/; HttpOnly", "a=1; Path=/; HttpOnly"),
            ("a=1; Path=/v1/authors", "a=1; Path=/v1/authors"),
            ("a=Path=/v1/auth", "a=Path=/v1/auth"),
            ("a=1; Domain=/v1/auth", "a=1; Domain=/v1/auth"),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, HeaderValue::from_static(from));
            mount().move_cookies(&mut headers);
            assert_eq!(headers[SET_COOKIE], to);
        }
    }

    #[test]
    fn unusable_mounts_are_errors() {
        let proxy = ThinProxy::new("http://127.0.0.1:8080").unwrap();
        for path in ["", "/", "auth", "/auth/{id}", "/a//b", "/a/../b"] {
            assert!(proxy.clone().mount(path, "/v1/auth").is_err(), "{path}");
            assert!(proxy.clone().mount("/auth", path).is_err(), "{path}");
        }
    }
}
