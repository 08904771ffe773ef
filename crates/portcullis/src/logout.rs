//! Receives the logout tokens of issuers, [OpenID Connect Back-Channel Logout 1.0], and their
//! security event tokens, [RFC 8935].
//!
//! [RFC 8935]: https://www.rfc-editor.org/rfc/rfc8935
//! [OpenID Connect Back-Channel Logout 1.0]: https://openid.net/specs/openid-connect-backchannel-1_0.html

mod claims;
mod event;
mod request;
mod response;
mod token;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
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
use event::SecurityEvent;
use request::{kind_of, token_in_form};
use response::{Kind, Outcome, Reason};
use token::LogoutToken;

/// Receives logout tokens and security event tokens, at the URL that is registered at the issuer as a
/// client's back-channel logout URI, or as the push endpoint of an event stream.
///
/// Each adapter serves it at a path of your choice, outside the gate: the request has no access
/// token, and its token authenticates it. In frameworks without an adapter, call
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
/// A security event token ([RFC 8935], [RFC 8417]) is the body of a request with the `Content-Type`
/// `application/secevent+jwt`. The response is 202, also if it was received before, or 400 with an
/// error code of RFC 8935. The token is accepted if
/// - it is signed as above, and its `typ` is `secevent+jwt`;
/// - its `aud` names one of the [`event_audiences`](crate::IssuerSettings::event_audiences);
/// - `exp` and `sub` are absent, and `jti` is present;
/// - `iat` is not in the future, and not older than an hour and the longest lifetime of access tokens;
/// - `events` has one of these events of CAEP 1.0, or only others, which have no effect:
///
/// | event | revokes |
/// |---|---|
/// | `session-revoked` | the session in `sub_id` (`opaque`, or `session` of `complex`), else the tokens of its user (`iss_sub`, or `user` of `complex`) that were issued until the event |
/// | `credential-change` with the `change_type` `update`, `revoke` or `delete` | the tokens of the user |
///
/// With [`LogoutMatch::Subject`](crate::feed::LogoutMatch::Subject), the session is ignored, as in a
/// logout token.
///
/// Unknown `kid`s spend the same fetch budget as those of access tokens.
///
/// [RFC 8417]: https://www.rfc-editor.org/rfc/rfc8417
/// [RFC 8935]: https://www.rfc-editor.org/rfc/rfc8935
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
///         .event_audiences(["https://api.example/events"])
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
/// // The same by a security event token.
/// let event = scene.session_revoked("https://api.example/events", "s-2").sign();
/// let push = Request::post("/logout").header("content-type", "application/secevent+jwt").body(())?;
/// let response = receiver.receive(&push, event.as_bytes()).await;
/// assert_eq!(response.status(), StatusCode::ACCEPTED);
/// let token = scene.token("alice").claim("sid", "s-2");
/// assert_eq!(gate_rule(&gate, &token.headers()).await, "revoked");
///
/// // An access token is not a logout token.
/// let body = format!("logout_token={}", token.sign());
/// let response = receiver.receive(&post()?, body.as_bytes()).await;
/// assert_eq!(response.status(), StatusCode::BAD_REQUEST);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[doc(alias("backchannel", "back-channel logout", "logout", "CAEP", "SET", "shared signals"))]
pub struct LogoutReceiver {
    auth: Authenticator,
    revocations: Revocations,
}

/// A token whose issuer and header are acceptable. Its signature is not yet verified.
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
    /// An error if no token can ever be accepted: the authenticator has no
    /// [`revocations`](crate::AuthenticatorBuilder::revocations), or none of its issuers has
    /// [`logout_clients`](crate::IssuerSettings::logout_clients) or
    /// [`event_audiences`](crate::IssuerSettings::event_audiences) and it has no resolver.
    pub fn new(auth: &Authenticator) -> Result<Self, ConfigError> {
        let revocations = auth.revocations().filter(|_| auth.may_receive_logouts()).cloned();
        let revocations = revocations.ok_or(ConfigError::NoLogoutClients)?;
        metrics::logout_tokens_begin();
        Ok(Self { auth: auth.clone(), revocations })
    }

    /// Returns the response to a request with a token. `body` is the whole body.
    ///
    /// The response has `Cache-Control: no-store`. An error response has a JSON body. The log
    /// contains the reason. For a logout token, the body has `error` and `error_description`, which
    /// do not reveal the reason. For a security event token, it has `err` and `description`.
    pub fn receive<R: RequestView + ?Sized>(
        &self,
        request: &R,
        body: &[u8],
    ) -> impl Future<Output = Response<Bytes>> + Send + use<R> {
        let kind = kind_of(&Erased(request));
        let received = self.read(&Erased(request), kind, body);
        let this = self.clone();
        let kind = kind.unwrap_or(Kind::LogoutToken);
        async move {
            let outcome = match received {
                Ok(received) => this.handle(&received, kind).await,
                Err(outcome) => outcome,
            };
            outcome.report(kind);
            outcome.response(kind)
        }
    }

    /// Returns the response to a request whose body exceeds
    /// [`MAX_BODY_BYTES`](Self::MAX_BODY_BYTES): 413. For adapters.
    #[must_use]
    pub fn too_large() -> Response<Bytes> {
        Outcome::TooLarge.response(Kind::LogoutToken)
    }

    /// Makes all checks that do not need a key.
    fn read(
        &self,
        request: &dyn RequestView,
        kind: Option<Kind>,
        body: &[u8],
    ) -> Result<Received, Outcome> {
        if request.method() != Some("POST") {
            return Err(Outcome::Method);
        }
        if body.len() > Self::MAX_BODY_BYTES {
            return Err(Outcome::TooLarge);
        }
        let Some(kind) = kind else {
            return Err(Outcome::form(
                "`Content-Type` is neither `application/x-www-form-urlencoded` nor \
                 `application/secevent+jwt`",
            ));
        };
        let token = match kind {
            Kind::LogoutToken => token_in_form(body)?,
            Kind::SecurityEvent => std::str::from_utf8(body)
                .map_err(|_| Outcome::form("the body is not UTF-8"))?
                .into(),
        };
        let jws = CompactJws::parse(&token).map_err(Outcome::Unverified)?;
        let issuer = self.auth.claimed_issuer(&jws, request).map_err(Outcome::Unverified)?;
        match kind {
            Kind::LogoutToken if issuer.logout.clients.is_empty() => {
                return Err(Outcome::form("the issuer has no `logout_clients`"));
            }
            Kind::SecurityEvent if issuer.logout.event_audiences.is_empty() => {
                let reason = Reason::issuer("the issuer has no `event_audiences`");
                return Err(Outcome::form(reason));
            }
            Kind::LogoutToken | Kind::SecurityEvent => {}
        }
        // Entries are stored by the name of the issuer. Two rule sets may claim the same name with
        // different keys, and neither may end the sessions of the other.
        if issuer.rule_set.as_deref().is_some_and(|rule_set| rule_set != issuer.name()) {
            return Err(Outcome::form(
                "the resolver selects a rule set that does not have the name of the issuer; report \
                 its revocations with `Revocations`",
            ));
        }
        match (kind, jws.header().token_type) {
            (Kind::LogoutToken, TokenType::Logout) => {}
            (Kind::SecurityEvent, TokenType::SecurityEvent) => {}
            (Kind::LogoutToken, TokenType::Jwt | TokenType::Absent)
                if issuer.logout.may_be_untyped => {}
            (Kind::LogoutToken, _) => {
                return Err(Outcome::form("`typ` is not `logout+jwt` (`untyped_logout_tokens`)"));
            }
            (Kind::SecurityEvent, _) => {
                return Err(Outcome::form("`typ` is not `secevent+jwt`"));
            }
        }
        Ok(Received { token: Zeroizing::new(token.into_owned()), issuer })
    }

    /// Verifies a token, and stores what it reports.
    async fn handle(&self, received: &Received, kind: Kind) -> Outcome {
        let Received { token, issuer } = received;
        let keys = issuer.keys.source();
        let algorithms = &issuer.algorithms;
        let provider = Some(algorithms.provider());
        let verified = signature::verify_with(token, keys, algorithms.list(), provider).await;
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return Outcome::of_signature(error),
        };
        let now = NumericDate::from(self.clock().now());
        let revocations = &self.revocations;
        let reported = match kind {
            Kind::LogoutToken => LogoutToken::check(verified.payload(), issuer, now)
                .map(|logout| Some(logout.entry(issuer, revocations)))
                .map_err(Reason::from),
            Kind::SecurityEvent => {
                let lifetime = revocations.longest_lifetime(issuer.name());
                SecurityEvent::check(verified.payload(), issuer, lifetime, now)
                    .map(|event| event.map(|event| event.entry(issuer, revocations)))
            }
        };
        let entry = match reported {
            Ok(Some(entry)) => entry,
            Ok(None) => return Outcome::Ignored,
            Err(reason) => return Outcome::invalid(reason, issuer.name()),
        };
        match revocations.store(&entry).await {
            Ok(Appended::New) => Outcome::Stored,
            Ok(Appended::Known) => Outcome::replayed(issuer.name()),
            Err(error) => Outcome::of_store(error, issuer.name()),
        }
    }

    fn clock(&self) -> &dyn Clock {
        &*self.auth.space().clock
    }
}

impl fmt::Debug for LogoutReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutReceiver").field("revocations", &self.revocations).finish()
    }
}
