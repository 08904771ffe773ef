//! The service.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::Body;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use portcullis::adapter::{Bodies as _, FromBytes};
use portcullis::feed::{LogoutReceiver, Revocations};
use portcullis::{Authenticator, AuthenticatorBuilder, Gate};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::config::{Config, ConfigError, ForwardAuth, Mode};
use crate::decide::{Admitted, Gates};
use crate::forward::{Caller, Forwarder, Outgoing, refused};
use crate::forward_auth::Unclear;
use crate::headers::remove_overrides;
use crate::metrics;
use crate::routes::{NoRoute, Route, Token, is_upper_case};
use crate::serve;
use crate::upstream::Upstream;

/// The timeout for the body of a logout token's request, which needs no credential.
const LOGOUT_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A running sidecar. Clones are the same sidecar.
///
/// ```
/// use axum::body::Body;
/// use http::Request;
/// use portcullis_sidecar::portcullis::{Authenticator, Gate, keys::SharedKeySet};
/// use portcullis_sidecar::{Config, Sidecar};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::parse("upstream = 'http://127.0.0.1:3000'")?;
/// // With tables `[[issuer]]` in the settings, `Sidecar::start` creates the gate.
/// let auth = Authenticator::builder("https://auth.example", "https://api.example")
///     .key_source(SharedKeySet::new(Default::default()))
///     .build()
///     .await?;
/// let sidecar = Sidecar::with_gate(&config, Gate::new(auth))?;
///
/// let request = Request::get("/orders").header("host", "api.example").body(Body::empty())?;
/// let response = sidecar.call(([192, 0, 2, 7], 50123).into(), request).await;
/// assert_eq!(response.status(), 401);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Sidecar(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: ArcSwap<State>,
    /// What is known must survive a reload, or revoked tokens would be accepted again.
    revocations: Option<Revocations>,
    /// Held during a reload: the settings that were read last must remain.
    reloading: tokio::sync::Mutex<()>,
}

/// Everything that a reload replaces.
#[derive(Debug)]
struct State {
    config: Config,
    gates: Gates,
    forwarder: Forwarder,
    logouts: Option<(String, LogoutReceiver)>,
}

impl Sidecar {
    /// Starts a sidecar: fetches the keys of the issuers.
    ///
    /// # Errors
    ///
    /// An error if a setting is invalid, or if keys cannot be fetched and `start_without_keys` is
    /// not set.
    pub async fn start(config: &Config) -> Result<Self, ConfigError> {
        let revocations = config.feed.as_ref().map(|_| Revocations::in_memory());
        let builder = config.service.builder(&config.issuers);
        let gate = gate(config, builder, revocations.as_ref()).await?;
        Self::new(config, gate, revocations)
    }

    /// Creates a sidecar whose tokens are validated by `gate`, not by the tables `[tokens]` and
    /// `[[issuer]]` of the settings. It removes the credentials from forwarded requests that
    /// `[tokens]` names.
    ///
    /// # Errors
    ///
    /// An error if a route requires a revocation check that the gate's authenticator cannot make.
    pub fn with_gate(config: &Config, gate: Gate) -> Result<Self, ConfigError> {
        Self::new(config, gate, None)
    }

    fn new(
        config: &Config,
        gate: Gate,
        revocations: Option<Revocations>,
    ) -> Result<Self, ConfigError> {
        let now = ArcSwap::from_pointee(State::new(config, gate)?);
        Ok(Self(Arc::new(Shared { now, revocations, reloading: tokio::sync::Mutex::default() })))
    }

    /// Applies changed settings. Requests that are in progress are completed with the previous
    /// ones, and no request is lost.
    ///
    /// # Errors
    ///
    /// An error if [`start`](Self::start) would fail, or if a setting has changed that needs a
    /// restart: an address to listen on, the number of connections, or whether there is a
    /// `logout_path`. The previous settings then remain.
    pub async fn reload(&self, config: &Config) -> Result<(), ConfigError> {
        self.reload_with(|| Ok(config.clone())).await
    }

    /// Like [`reload`](Self::reload), with the settings in a file.
    ///
    /// # Errors
    ///
    /// Also an error if the file cannot be read or is invalid.
    pub async fn reload_from(&self, file: &Path) -> Result<(), ConfigError> {
        self.reload_with(|| Config::read(file)).await
    }

    async fn reload_with(
        &self,
        config: impl FnOnce() -> Result<Config, ConfigError>,
    ) -> Result<(), ConfigError> {
        let _alone = self.0.reloading.lock().await;
        let outcome = match config() {
            Ok(config) => self.try_reload(&config).await,
            Err(error) => Err(error),
        };
        metrics::reload(if outcome.is_ok() { "ok" } else { "failed" });
        outcome
    }

    /// Checks everything that [`start`](Self::start) checks, without fetching anything.
    ///
    /// # Errors
    ///
    /// An error if a setting is invalid.
    pub async fn check(config: &Config) -> Result<(), ConfigError> {
        let revocations = config.feed.as_ref().map(|_| Revocations::in_memory());
        let builder = config.service.builder_to_check(&config.issuers);
        let gate = gate(config, builder, revocations.as_ref()).await?;
        State::new(config, gate).map(drop)
    }

    async fn try_reload(&self, config: &Config) -> Result<(), ConfigError> {
        let current = self.0.now.load_full();
        let needs_restart = |key: &str| {
            let problem = format!("`{key}` has changed, which needs a restart");
            Err(ConfigError::new(problem).in_file_of(config))
        };
        if config.listen != current.config.listen {
            return needs_restart("listen");
        }
        if config.admin_listen != current.config.admin_listen {
            return needs_restart("admin_listen");
        }
        if config.max_connections != current.config.max_connections {
            return needs_restart("max_connections");
        }
        if config.feed.is_some() != self.0.revocations.is_some() {
            return needs_restart("logout_path");
        }
        let builder = config.service.builder(&config.issuers);
        let gate = gate(config, builder, self.0.revocations.as_ref()).await?;
        self.0.now.store(Arc::new(State::new(config, gate)?));
        Ok(())
    }

    /// Returns whether the sidecar has the keys of its issuers.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.0.now.load().gates.strict().authenticator().ready()
    }

    /// Answers a request. `peer` is the address of the client, or of the proxy in front.
    pub async fn call(&self, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
        let state = self.0.now.load_full();
        let (head, body) = request.into_parts();
        if let Some((path, receiver)) = &state.logouts
            && head.uri.path() == path
        {
            return receive_logout(receiver, &head, body).await;
        }
        match &state.config.mode {
            Mode::Proxy(app) => state.proxy(app, peer.ip(), head, body).await,
            Mode::ForwardAuth(settings) => state.answer(settings, peer.ip(), head).await,
        }
    }

    /// Serves until `shutdown` is ready. Then accepts no more connections, and finishes the requests
    /// in progress.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let connections = self.0.now.load().config.max_connections;
        let sidecar = self.clone();
        let answer = move |peer, request| {
            let sidecar = sidecar.clone();
            async move { sidecar.call(peer, request).await }
        };
        serve::serve(answer, connections, listener, shutdown).await;
    }
}

/// Publishes the sidecar's counters with the value 0. Call it after a recorder is installed.
pub fn publish_metrics() {
    metrics::publish();
}

async fn gate(
    config: &Config,
    builder: Result<AuthenticatorBuilder, ConfigError>,
    revocations: Option<&Revocations>,
) -> Result<Gate, ConfigError> {
    let builder = builder.map_err(|error| error.in_file_of(config))?;
    let builder = match revocations {
        Some(revocations) => builder.revocations(revocations.clone()),
        None => builder,
    };
    let built: Result<Authenticator, _> = builder.build().await;
    let auth =
        built.map_err(|error| config.service.error(&error, &config.issuers).in_file_of(config))?;
    let gate = Gate::new(auth).revocation(config.revocation);
    gate.map_err(|error| config.service.error(&error, &config.issuers).in_file_of(config))
}

impl State {
    fn new(config: &Config, gate: Gate) -> Result<Self, ConfigError> {
        let wrong = |error: portcullis::ConfigError| {
            config.service.error(&error, &config.issuers).in_file_of(config)
        };
        // The gate's own check finds requirements of a route that no token can meet.
        for revocation in &config.route_revocations {
            gate.clone().revocation(*revocation).map_err(wrong)?;
        }
        let logouts = match &config.feed {
            Some(feed) => {
                let receiver = LogoutReceiver::new(gate.authenticator()).map_err(wrong)?;
                Some((feed.logout_path.clone(), receiver))
            }
            None => None,
        };
        Ok(Self {
            forwarder: Forwarder::new(config.timeouts, config.proxies.clone()),
            config: config.clone(),
            gates: Gates::new(gate),
            logouts,
        })
    }

    /// Forwards a request to its upstream if it may pass.
    async fn proxy(&self, app: &Upstream, peer: IpAddr, head: Parts, body: Body) -> Response<Body> {
        let mut head = head;
        // CONNECT has no path. TRACE would return the caller's headers to the client.
        if head.method == Method::CONNECT || head.method == Method::TRACE {
            metrics::request("bad_request");
            return refused(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !is_upper_case(&head.method) {
            metrics::request("bad_request");
            return refused(StatusCode::BAD_REQUEST);
        }
        if let Some(metadata) = self.gates.strict().metadata(&head) {
            return metadata;
        }
        if let Some(route) = self.open_preflight(&head) {
            let upstream = route.upstream.clone();
            let open = Route { token: Token::None, upstream, ..Route::default() };
            return self.pass(app, peer, &open, head, body, None).await;
        }
        let found = self.config.routes.find(&head.method, head.uri.path());
        let route = found.unwrap_or_else(|_| self.config.routes.unmatched());
        let admitted = match self.gates.decide(&mut head, route).await {
            Ok(admitted) => admitted,
            Err(response) => {
                metrics::request("refused");
                return response;
            }
        };
        // Only a caller with a valid token learns what is wrong with a path.
        if let Err(why) = found {
            return unroutable(why);
        }
        self.pass(app, peer, route, head, body, Some(admitted)).await
    }

    async fn pass(
        &self,
        app: &Upstream,
        peer: IpAddr,
        route: &Route,
        head: Parts,
        body: Body,
        admitted: Option<Admitted>,
    ) -> Response<Body> {
        let (who, foreign, exit) = match admitted {
            Some(Admitted { who, foreign, exit }) => (who, foreign, Some(exit)),
            None => (None, None, None),
        };
        let upstream = route.upstream.as_deref().unwrap_or(app);
        let prepare = |headers: &mut http::HeaderMap| {
            match &foreign {
                _ if route.pass_credentials => {}
                Some(foreign) => {
                    self.config.credentials.remove_cookies(headers, foreign.credential());
                }
                None => self.config.credentials.remove_from(headers),
            }
            remove_overrides(headers);
            self.config.identity.set(headers, who.as_ref());
        };
        let outgoing = Outgoing {
            request: Request::from_parts(head, body),
            peer,
            route: &route.pattern,
            who: who.clone().map(|who| Caller(who, self.gates.strict().authenticator().clone())),
        };
        let response = self.forwarder.forward(upstream, outgoing, prepare).await;
        match exit {
            Some(exit) => FromBytes::passed(response, &exit),
            None => response,
        }
    }

    /// Answers a proxy's question whether a request may pass.
    async fn answer(&self, settings: &ForwardAuth, peer: IpAddr, head: Parts) -> Response<Body> {
        let mut head = head;
        if !self.config.proxies.contains(peer) {
            metrics::request("unknown_proxy");
            tracing::warn!(%peer, "rejected a request from an address that is not in `proxies`");
            return refused(StatusCode::FORBIDDEN);
        }
        if head.uri.path() != settings.path {
            return refused(StatusCode::NOT_FOUND);
        }
        if let Err(why) = settings.restore(&mut head) {
            metrics::request("bad_request");
            return match why {
                // The proxy is misconfigured.
                Unclear::Missing(setting) => {
                    tracing::error!(%peer, setting, "header of the proxy is missing");
                    refused(StatusCode::INTERNAL_SERVER_ERROR)
                }
                Unclear::Wrong(setting) => {
                    tracing::debug!(%peer, setting, "header of the proxy is unusable");
                    refused(StatusCode::BAD_REQUEST)
                }
            };
        }
        let found = self.config.routes.find(&head.method, head.uri.path());
        if let Err(why @ NoRoute::Ambiguous(_)) = found {
            return unroutable(why);
        }
        let open = Route { token: Token::None, ..Route::default() };
        let is_open = self.open_preflight(&head).is_some();
        let route = found.unwrap_or_else(|_| self.config.routes.unmatched());
        let decided = self.gates.decide(&mut head, if is_open { &open } else { route }).await;
        match (decided, found) {
            (Ok(_), Err(why)) if !is_open => unroutable(why),
            (Ok(admitted), _) => {
                metrics::request("accepted");
                let mut answer = Response::new(Body::empty());
                let headers = answer.headers_mut();
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                self.config.identity.set_all(headers, admitted.who.as_ref());
                answer
            }
            (Err(response), _) => {
                metrics::request("refused");
                response
            }
        }
    }

    /// Returns the route of the request that a preflight is for, if preflights need no token.
    fn open_preflight(&self, head: &Parts) -> Option<&Route> {
        let method = self.config.open_preflights.then(|| preflight_for(head)).flatten()?;
        self.config.routes.find(&method, head.uri.path()).ok().map(|route| &**route)
    }
}

fn unroutable(why: NoRoute) -> Response<Body> {
    match why {
        NoRoute::Ambiguous(why) => {
            metrics::request("bad_request");
            tracing::debug!(why, "ambiguous path rejected");
            refused(StatusCode::BAD_REQUEST)
        }
        NoRoute::Unmatched => {
            metrics::request("refused");
            tracing::debug!("request without a route refused");
            refused(StatusCode::NOT_FOUND)
        }
    }
}

/// The method that a preflight of CORS asks about ([Fetch]).
///
/// [Fetch]: https://fetch.spec.whatwg.org/#cors-preflight-request
fn preflight_for(head: &Parts) -> Option<Method> {
    let method = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let is_preflight = head.method == Method::OPTIONS && head.headers.contains_key(ORIGIN);
    is_preflight.then(|| Method::from_bytes(method.as_bytes()).ok()).flatten()
}

async fn receive_logout(receiver: &LogoutReceiver, head: &Parts, body: Body) -> Response<Body> {
    let read = axum::body::to_bytes(body, LogoutReceiver::MAX_BODY_BYTES);
    let response = match timeout(LOGOUT_BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => receiver.receive(head, &body).await,
        Ok(Err(_)) => LogoutReceiver::too_large(),
        Err(_) => return refused(StatusCode::REQUEST_TIMEOUT),
    };
    response.map(|body: Bytes| Body::from(body))
}
