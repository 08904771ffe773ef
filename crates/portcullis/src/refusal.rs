//! What a refused request gets over HTTP and gRPC, and what the log says about it.
//!
//! | kind | status | gRPC | challenge |
//! |---|---|---|---|
//! | [`MissingToken`](RefusalKind::MissingToken) | 401 | 16 | scheme and realm only |
//! | [`InvalidRequest`](RefusalKind::InvalidRequest) | 400 | 3 | `invalid_request` |
//! | [`InvalidToken`](RefusalKind::InvalidToken) | 401 | 16 | `invalid_token` and one of three texts |
//! | [`KeyBudgetSpent`](RefusalKind::KeyBudgetSpent) | 429, `Retry-After` | 14 | none |
//! | [`InsufficientScope`](RefusalKind::InsufficientScope) | 403 | 7 | `insufficient_scope`, `scope` |
//! | [`InsufficientAuthentication`](RefusalKind::InsufficientAuthentication) | 401 | 16 | RFC 9470 |
//! | [`Forbidden`](RefusalKind::Forbidden) | 403 | 7 | none |
//! | [`KeysUnavailable`](RefusalKind::KeysUnavailable) | 503, `Retry-After` | 14 | none |
//! | [`RevocationUnavailable`](RefusalKind::RevocationUnavailable) | 503, `Retry-After` | 14 | none |
//! | [`Misconfigured`](RefusalKind::Misconfigured) | 500 | 13 | none |
//!
//! No refusal may be cached (`Cache-Control: no-store`). If the service declares gRPC
//! ([`Gate::grpc`](crate::Gate::grpc), [`Refusal::into_grpc`]), the response is HTTP 200 with the
//! gRPC status and the same challenge in its headers. Nothing in the request selects between HTTP
//! and gRPC: without that declaration, no refusal is 2xx.
//!
//! Every refusal is one `tracing` event of the target `portcullis::refusal`. It has the rule, the
//! setting, the remedy, the issuer, the method and the route. At level `info`, there is one event
//! of the target `portcullis::refused` for each rule, issuer, route and minute, with the number of
//! refusals. The events contain nothing from the request, with one exception: if the signature is
//! valid and `iss` or `aud` is wrong, `found` has the value in the token.

mod body;
mod denial;
mod log;
mod response;
mod site;
mod space;
mod tally;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::credentials::CredentialsError;
use crate::error::TokenError;
use crate::fetch::FetchError;
use crate::key_source::ResolveError;
use crate::settings::{self, Setting};

pub(crate) use body::WriteBody;
pub use body::{RefusalBody, with_body};
pub use denial::Denial;
pub(crate) use site::reported;
pub use site::{RouteFrom, Site};
pub(crate) use space::ProtectionSpace;
pub(crate) use tally::Tally;

const PAST_ALL_LAYERS: &str =
    "a request reached a protected route, but no authentication layer handled it";

/// The kind of a refusal: a row of the table in the [module](self) documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The request has no token.
    MissingToken,
    /// The credentials are malformed or duplicated.
    InvalidRequest,
    /// The request has a token that is not accepted.
    InvalidToken,
    /// The token's key is unknown, and no fetch is allowed now: the key-fetch budget is spent, or
    /// too many requests are waiting.
    KeyBudgetSpent,
    /// The token is accepted, but lacks the required scope.
    InsufficientScope,
    /// The token is accepted, but its user must authenticate again or more strongly (RFC 9470).
    InsufficientAuthentication,
    /// The token is accepted, but the caller lacks a permission, or the claims do not fit the
    /// handler's type. This kind is also for a cookie that came with an unsafe request from another
    /// site.
    Forbidden,
    /// The token cannot be verified now: the issuer's keys are unavailable.
    KeysUnavailable,
    /// The route requires the revocation status, which is unavailable.
    RevocationUnavailable,
    /// The service is misconfigured.
    Misconfigured,
}

impl RefusalKind {
    /// Returns a short, stable name from a closed list, for logs and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingToken => "missing_token",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::KeyBudgetSpent => "key_budget_spent",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientAuthentication => "insufficient_authentication",
            Self::Forbidden => "forbidden",
            Self::KeysUnavailable => "keys_unavailable",
            Self::RevocationUnavailable => "revocation_unavailable",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::MissingToken | Self::InvalidToken | Self::InsufficientAuthentication => {
                StatusCode::UNAUTHORIZED
            }
            Self::KeyBudgetSpent => StatusCode::TOO_MANY_REQUESTS,
            Self::InsufficientScope | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::KeysUnavailable | Self::RevocationUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the [gRPC status](https://grpc.io/docs/guides/status-codes/).
    #[must_use]
    pub fn grpc_status(self) -> u16 {
        match self {
            Self::InvalidRequest => 3,
            Self::InsufficientScope | Self::Forbidden => 7,
            Self::Misconfigured => 13,
            Self::KeyBudgetSpent | Self::KeysUnavailable | Self::RevocationUnavailable => 14,
            Self::MissingToken | Self::InvalidToken | Self::InsufficientAuthentication => 16,
        }
    }
}

/// A refused request: the response to the client and, as [`source`](Error::source), the cause for
/// the operator only.
///
/// ```
/// use http::{HeaderMap, header::AUTHORIZATION};
/// use portcullis::{Authenticator, refusal::RefusalKind};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = portcullis::keys::SharedKeySet::new(Default::default());
/// # let auth = Authenticator::builder("https://auth.example", "https://api.example");
/// # let auth = auth.key_source(keys).build().await?;
/// let mut headers = HeaderMap::new();
/// headers.insert(AUTHORIZATION, "Bearer opaque".parse()?);
/// let refusal = auth.authenticate(&headers).await.unwrap_err();
///
/// // For the operator: the rule, the reason and the remedy.
/// assert_eq!((refusal.kind(), refusal.rule()), (RefusalKind::InvalidToken, "compact_form"));
/// assert_eq!(refusal.reason().to_string(), "the token is not a JWS in compact form");
///
/// // For the client: a status, a challenge and a fixed text.
/// let response = refusal.into_response::<String>();
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.headers()["cache-control"], "no-store");
/// # Ok(()) }
/// ```
#[doc(alias("unauthorized", "forbidden", "WWW-Authenticate"))]
#[derive(Clone)]
pub struct Refusal(Arc<Inner>, Protocol);

/// The protocol of the response. The service chooses it, never the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// HTTP without a body, for `HEAD`. Hyper would otherwise send a body over HTTP/2, which breaks
    /// the stream ([RFC 9110 §9.3.2]).
    ///
    /// [RFC 9110 §9.3.2]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
    Head,
    Grpc,
}

struct Inner {
    cause: Cause,
    /// `None` if the refusal does not belong to a configured service.
    space: Option<Arc<ProtectionSpace>>,
    /// The issuer of the token, once it is known to be a trusted one.
    issuer: Option<Arc<str>>,
}

/// The cause, for the operator.
enum Cause {
    Missing,
    Credentials(CredentialsError),
    Token(TokenError),
    Denied(Denial),
    BudgetSpent { retry_after: Duration, source: Option<FetchError> },
    Unavailable { wanted: Wanted, retry_after: Duration, source: Option<FetchError> },
    Misconfigured { reason: &'static str, remedy: &'static str },
}

/// The data that is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Keys,
    Status,
}

/// A refusal that is not logged yet, because the route of the request is not known here.
#[must_use = "a refusal is reported once"]
pub(crate) struct Unreported(Refusal);

impl Unreported {
    pub(crate) fn missing(space: &Arc<ProtectionSpace>) -> Self {
        Self::new(Cause::Missing, Some(space))
    }

    pub(crate) fn credentials(error: CredentialsError, space: &Arc<ProtectionSpace>) -> Self {
        Self::new(Cause::Credentials(error), Some(space))
    }

    pub(crate) fn token(error: TokenError, space: &Arc<ProtectionSpace>) -> Self {
        Self::new(Cause::Token(error), Some(space))
    }

    pub(crate) fn denied(denial: Denial, space: &Arc<ProtectionSpace>) -> Self {
        Self::new(Cause::Denied(denial), Some(space))
    }

    pub(crate) fn unresolved(
        error: ResolveError,
        wanted: Wanted,
        space: &Arc<ProtectionSpace>,
    ) -> Self {
        match error {
            ResolveError::Refused(error) => Self::token(error, space),
            ResolveError::BudgetSpent { retry_after, source } => {
                Self::new(Cause::BudgetSpent { retry_after, source }, Some(space))
            }
            ResolveError::Unavailable { retry_after, source } => {
                Self::new(Cause::Unavailable { wanted, retry_after, source }, Some(space))
            }
        }
    }

    /// Creates the refusal of a request that reached a protected route without passing a layer.
    pub(crate) fn past_all_layers(remedy: &'static str) -> Self {
        Self::new(Cause::Misconfigured { reason: PAST_ALL_LAYERS, remedy }, None)
    }

    /// Creates the refusal of a request that cannot be answered because of the service's
    /// configuration.
    pub(crate) fn misconfigured(
        reason: &'static str,
        remedy: &'static str,
        space: &Arc<ProtectionSpace>,
    ) -> Self {
        Self::new(Cause::Misconfigured { reason, remedy }, Some(space))
    }

    fn new(cause: Cause, space: Option<&Arc<ProtectionSpace>>) -> Self {
        let inner = Inner { cause, space: space.cloned(), issuer: None };
        Self(Refusal(Arc::new(inner), Protocol::Http))
    }

    /// The kind, for code that ends a stream instead of refusing a request.
    pub(crate) fn kind(&self) -> RefusalKind {
        self.0.kind()
    }

    /// Adds the name of the trusted issuer that the token is from, or claims to be from.
    pub(crate) fn of_issuer(mut self, issuer: &str) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0.0) {
            inner.issuer = Some(issuer.into());
        }
        self
    }

    /// Logs the refusal. Only this method creates a [`Refusal`], so each refusal has exactly one
    /// event.
    pub(crate) fn at(self, site: &Site) -> Refusal {
        self.0.report(site);
        self.0
    }
}

impl Refusal {
    /// Creates the refusal of a request that reached a protected route without authentication. The
    /// service is misconfigured, and the request is refused with 500. `remedy` is for the log.
    ///
    /// For adapters.
    #[must_use]
    pub fn misconfigured(remedy: &'static str) -> Self {
        Unreported::past_all_layers(remedy).at(&Site::default())
    }

    /// Returns the refusal with a gRPC response: HTTP 200 with a `grpc-status`.
    ///
    /// Use it in gRPC services that return refusals themselves. It is not needed behind a
    /// [`Gate::grpc`](crate::Gate::grpc): the gate rewrites every refusal of the code behind it.
    ///
    /// ```
    /// use http::Response;
    /// use portcullis::Refusal;
    ///
    /// let refusal = Refusal::misconfigured("put the gate in front of the service");
    /// let response: Response<String> = refusal.clone().into_grpc().into_response();
    /// assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &"13".parse()?));
    ///
    /// let plain: Response<String> = refusal.into_response();
    /// assert_eq!(plain.status(), 500);
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[must_use]
    pub fn into_grpc(self) -> Self {
        self.in_protocol(Protocol::Grpc)
    }

    pub(crate) fn in_protocol(self, protocol: Protocol) -> Self {
        Self(self.0, protocol)
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.1
    }

    /// Returns the kind of the refusal.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        match &self.0.cause {
            Cause::Missing => RefusalKind::MissingToken,
            // The credentials are well-formed, and no other token would help.
            Cause::Credentials(CredentialsError::CrossSite) => RefusalKind::Forbidden,
            Cause::Credentials(_) => RefusalKind::InvalidRequest,
            // The token is valid, so refreshing it would not help.
            Cause::Token(TokenError::UnfitClaims { .. }) => RefusalKind::Forbidden,
            Cause::Token(_) => RefusalKind::InvalidToken,
            Cause::Denied(denial) => match denial {
                Denial::Scope { .. } => RefusalKind::InsufficientScope,
                Denial::Authentication { .. } => RefusalKind::InsufficientAuthentication,
                Denial::TokenAge { .. } => RefusalKind::InvalidToken,
                Denial::Forbidden { .. } | Denial::UnreadableClaim(_) => RefusalKind::Forbidden,
                Denial::UnboundCheck { .. } => RefusalKind::Misconfigured,
            },
            Cause::BudgetSpent { .. } => RefusalKind::KeyBudgetSpent,
            Cause::Unavailable { wanted: Wanted::Keys, .. } => RefusalKind::KeysUnavailable,
            Cause::Unavailable { wanted: Wanted::Status, .. } => RefusalKind::RevocationUnavailable,
            Cause::Misconfigured { .. } => RefusalKind::Misconfigured,
        }
    }

    /// Returns the HTTP status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind().status()
    }

    /// Returns the rule that a rejected token broke.
    #[must_use]
    pub fn token_error(&self) -> Option<&TokenError> {
        if let Cause::Token(error) = &self.0.cause { Some(error) } else { None }
    }

    /// Returns the rule that refused the request: a short, stable name from a closed list, for logs
    /// and metric labels.
    ///
    /// Like [`reason`](Self::reason), [`setting`](Self::setting) and [`remedy`](Self::remedy), it
    /// is for the operator. A client must not learn more than [`challenge`](Self::challenge) says.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match &self.0.cause {
            Cause::Missing => "missing",
            Cause::Credentials(error) => error.rule(),
            Cause::Token(error) => error.rule(),
            Cause::Denied(denial) => denial.rule(),
            Cause::BudgetSpent { .. } => "key_budget",
            Cause::Unavailable { wanted: Wanted::Keys, .. } => "keys",
            Cause::Unavailable { wanted: Wanted::Status, .. } => "status",
            Cause::Misconfigured { .. } => "misconfigured",
        }
    }

    /// Returns the reason as a sentence, without any text from the request.
    #[must_use]
    pub fn reason(&self) -> impl fmt::Display {
        Reason(self)
    }

    /// Returns the setting that controls the rule, if there is one.
    #[must_use]
    pub fn setting(&self) -> Option<&'static Setting> {
        match &self.0.cause {
            Cause::Token(error) => error.setting(),
            Cause::Credentials(error) => error.setting(),
            Cause::BudgetSpent { .. } => Some(settings::COOLDOWN),
            _ => None,
        }
    }

    /// Returns what to do if a legitimate request was refused.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match &self.0.cause {
            Cause::Missing => {
                "send an access token in `Authorization: Bearer`, or where `token_places` \
                 expects it"
            }
            Cause::Credentials(error) => error.remedy(),
            Cause::Token(error) => error.remedy(),
            Cause::Denied(denial) => denial.remedy(),
            Cause::BudgetSpent { .. } => {
                "if many tokens have a `kid` that the issuer does not publish, find their sender \
                 (the fetch budget regains one fetch per `cooldown`); if too many requests wait, \
                 the issuer is slow"
            }
            Cause::Unavailable { wanted: Wanted::Keys, .. } => {
                "see the log events of `portcullis::keys`"
            }
            Cause::Unavailable { wanted: Wanted::Status, .. } => {
                "see the log events of `portcullis::status_list`, `portcullis::introspection` and \
                 `portcullis::feed`"
            }
            Cause::Misconfigured { remedy, .. } => remedy,
        }
    }
}

/// The text of [`Refusal::reason`].
struct Reason<'r>(&'r Refusal);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.0.cause {
            Cause::Missing => f.write_str("the request has no bearer token"),
            Cause::Credentials(error) => error.fmt(f),
            Cause::Token(error) => error.fmt(f),
            Cause::Denied(denial) => denial.fmt(f),
            Cause::BudgetSpent { .. } => f.write_str(
                "a fetch is required, but none is allowed now: unknown `kid`s have spent \
                     the fetch budget, or too many requests are waiting",
            ),
            Cause::Unavailable { wanted: Wanted::Keys, .. } => {
                f.write_str("the issuer's keys are unavailable")
            }
            Cause::Unavailable { wanted: Wanted::Status, .. } => {
                f.write_str("the revocation status is unavailable")
            }
            Cause::Misconfigured { reason, .. } => f.write_str(reason),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.kind().as_str())
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}: {}", self.reason())?;
        match &self.0.cause {
            // The cause of the failed fetch.
            Cause::Unavailable { source: Some(error), .. }
            | Cause::BudgetSpent { source: Some(error), .. } => write!(f, ": {error:?}"),
            _ => Ok(()),
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            Cause::Credentials(error) => Some(error),
            Cause::Token(error) => Some(error),
            Cause::Denied(denial) => Some(denial),
            Cause::Unavailable { source, .. } | Cause::BudgetSpent { source, .. } => {
                source.as_ref().map(|error| error as _)
            }
            Cause::Missing | Cause::Misconfigured { .. } => None,
        }
    }
}
