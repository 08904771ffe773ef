//! Receives the logout tokens of issuers: [OpenID Connect Back-Channel Logout 1.0].
//!
//! [OpenID Connect Back-Channel Logout 1.0]: https://openid.net/specs/openid-connect-backchannel-1_0.html

mod response;
mod token;

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use zeroize::Zeroizing;

use crate::authenticator::{Authenticator, ConfigError};
use crate::claims::NumericDate;
use crate::clock::Clock;
use crate::issuer::TrustedIssuer;
use crate::jws::{CompactJws, TokenType};
use crate::metrics;
use crate::request::{Erased, RequestView};
use crate::revocation::feed::{Appended, Revocations};
use crate::signature;
use response::Outcome;
use token::LogoutToken;

/// The media type of the request.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// The parameter with the logout token.
const PARAMETER: &str = "logout_token";

/// Receives logout tokens, at the URL that is registered at the issuer as a client's back-channel
/// logout URI.
///
/// Each adapter serves it at a path of your choice, outside the gate: the request has no access
/// token, and the logout token authenticates it. In frameworks without an adapter, call
/// [`receive`](Self::receive).
///
/// The response is 200 only after the logout is [stored](crate::feed::RevocationStore::append). It
/// is 400 if the logout token is invalid, and 503 if the token cannot be validated or stored now;
/// the issuer may then send the token again.
///
/// A logout token is accepted if
/// - it is signed by a key of one of the authenticator's issuers, with one of its `algorithms`;
/// - its `typ` is `logout+jwt`, unless
///   [`untyped_logout_tokens`](crate::IssuerSettings::untyped_logout_tokens) is set;
/// - its `aud` names one of the [`logout_clients`](crate::IssuerSettings::logout_clients);
/// - `events` has the member for back-channel logout, `sid` or `sub` is present, `nonce` is absent;
/// - `iat` is not in the future and `exp` has not passed. A token without `exp` expires 5 minutes
///   after its `iat`, and every token at the latest an hour after its `iat`;
/// - its `jti` was not received before, by any instance.
///
/// Unknown `kid`s spend the same fetch budget as those of access tokens.
///
/// ```
/// use http::{Request, StatusCode};
/// use portcullis::feed::{LogoutReceiver, Revocations};
/// use portcullis::testing::{Scene, gate_rule};
/// use portcullis::Revocation;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scene = Scene::with(|builder| {
///     builder
///         .max_token_lifetime(Duration::from_secs(900))
///         .logout_clients(["web"])
///         .revocations(Revocations::in_memory())
/// })
/// .await;
/// let receiver = LogoutReceiver::new(&scene.auth)?;
/// let gate = scene.gate().revocation(Revocation::feed(Duration::from_secs(5)))?;
/// let token = scene.token("alice").claim("sid", "s-1");
/// assert_eq!(gate_rule(&gate, &token.headers()).await, "accepted");
///
/// let logout = scene.logout_token("web").claim("sid", "s-1").sign();
/// let post = || {
///     Request::post("/logout").header("content-type", "application/x-www-form-urlencoded").body(())
/// };
/// let response = receiver.receive(&post()?, format!("logout_token={logout}").as_bytes()).await;
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(gate_rule(&gate, &token.headers()).await, "revoked");
///
/// // An access token is not a logout token.
/// let body = format!("logout_token={}", token.sign());
/// let response = receiver.receive(&post()?, body.as_bytes()).await;
/// assert_eq!(response.status(), StatusCode::BAD_REQUEST);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[doc(alias("backchannel", "back-channel logout", "logout"))]
pub struct LogoutReceiver {
    auth: Authenticator,
    revocations: Revocations,
}

/// A logout token whose issuer and header are acceptable. Its signature is not yet verified.
struct Received {
    token: Zeroizing<String>,
    issuer: Arc<TrustedIssuer>,
}

impl LogoutReceiver {
    /// The maximum length of a request's body, in bytes. Adapters do not read more.
    pub const MAX_BODY_BYTES: usize = 64 * 1024;

    /// Creates a receiver for the issuers of `auth`.
    ///
    /// # Errors
    ///
    /// An error if no logout token can ever be accepted: the authenticator has no
    /// [`revocations`](crate::AuthenticatorBuilder::revocations), or none of its issuers has
    /// [`logout_clients`](crate::IssuerSettings::logout_clients) and it has no resolver.
    pub fn new(auth: &Authenticator) -> Result<Self, ConfigError> {
        let revocations = auth.revocations().filter(|_| auth.may_receive_logouts()).cloned();
        let revocations = revocations.ok_or(ConfigError::NoLogoutClients)?;
        metrics::logout_tokens_begin();
        Ok(Self { auth: auth.clone(), revocations })
    }

    /// Returns the response to a request with a logout token. `body` is the whole body.
    ///
    /// The response has `Cache-Control: no-store`. An error response has a JSON body with `error` and
    /// `error_description`, which do not reveal the reason. The log contains the reason.
    pub fn receive<R: RequestView + ?Sized>(
        &self,
        request: &R,
        body: &[u8],
    ) -> impl Future<Output = Response<Bytes>> + Send + use<R> {
        let received = self.read(&Erased(request), body);
        let this = self.clone();
        async move {
            let outcome = match received {
                Ok(received) => this.handle(&received).await,
                Err(outcome) => outcome,
            };
            outcome.report();
            outcome.response()
        }
    }

    /// Returns the response to a request whose body exceeds
    /// [`MAX_BODY_BYTES`](Self::MAX_BODY_BYTES): 413. For adapters.
    #[must_use]
    pub fn too_large() -> Response<Bytes> {
        Outcome::TooLarge.response()
    }

    /// Makes all checks that do not need a key.
    fn read(&self, request: &dyn RequestView, body: &[u8]) -> Result<Received, Outcome> {
        if request.method() != Some("POST") {
            return Err(Outcome::Method);
        }
        if body.len() > Self::MAX_BODY_BYTES {
            return Err(Outcome::TooLarge);
        }
        if !is_form(request) {
            return Err(Outcome::form("`Content-Type` is not `application/x-www-form-urlencoded`"));
        }
        let mut tokens = url::form_urlencoded::parse(body).filter(|(name, _)| name == PARAMETER);
        let (Some((_, token)), None) = (tokens.next(), tokens.next()) else {
            return Err(Outcome::form("the body does not have `logout_token` exactly once"));
        };
        let jws = CompactJws::parse(&token).map_err(Outcome::Unverified)?;
        let issuer = self.auth.claimed_issuer(&jws, request).map_err(Outcome::Unverified)?;
        if issuer.logout.clients.is_empty() {
            return Err(Outcome::form("the issuer has no `logout_clients`"));
        }
        // Entries are stored by the name of the issuer. Two rule sets may claim the same name with
        // different keys, and neither may end the sessions of the other.
        if issuer.rule_set.as_deref().is_some_and(|rule_set| rule_set != issuer.name()) {
            return Err(Outcome::form(
                "the resolver selects a rule set that does not have the name of the issuer; report \
                 its revocations with `Revocations`",
            ));
        }
        match jws.header().token_type {
            TokenType::Logout => {}
            TokenType::Jwt | TokenType::Absent if issuer.logout.may_be_untyped => {}
            _ => return Err(Outcome::form("`typ` is not `logout+jwt` (`untyped_logout_tokens`)")),
        }
        Ok(Received { token: Zeroizing::new(token.into_owned()), issuer })
    }

    /// Verifies a logout token, and stores the logout that it reports.
    async fn handle(&self, received: &Received) -> Outcome {
        let Received { token, issuer } = received;
        let keys = issuer.keys.source();
        let verified = match signature::verify_from(token, keys, &issuer.algorithms).await {
            Ok(verified) => verified,
            Err(error) => return Outcome::of_signature(error),
        };
        let now = NumericDate::from(self.clock().now());
        let logout = match LogoutToken::check(verified.payload(), issuer, now) {
            Ok(logout) => logout,
            Err(reason) => return Outcome::invalid(reason, issuer.name()),
        };
        let stored = self.revocations.store(&logout.entry(issuer, &self.revocations)).await;
        match stored {
            Ok(Appended::New) => Outcome::Stored,
            Ok(Appended::Known) => Outcome::replayed(issuer.name()),
            Err(error) => Outcome::of_store(error, issuer.name()),
        }
    }

    fn clock(&self) -> &dyn Clock {
        &*self.auth.space().clock
    }
}

/// Whether there is exactly one `Content-Type` line and it is that of a form, with or without
/// parameters.
fn is_form(request: &dyn RequestView) -> bool {
    let (mut lines, mut is_form) = (0, false);
    request.visit_header(&CONTENT_TYPE, &mut |value| {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
        (lines, is_form) = (lines + 1, media_type.trim_ascii().eq_ignore_ascii_case(FORM));
        if lines > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    lines == 1 && is_form
}

impl fmt::Debug for LogoutReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutReceiver").field("revocations", &self.revocations).finish()
    }
}
