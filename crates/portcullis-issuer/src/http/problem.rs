//! All error responses: problem documents (RFC 9457) with constant texts. Internal causes are in
//! the log only.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::problem_document::{Document, urn, with_document};
use crate::error::Error;
use crate::metrics;

/// The reason why a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    MalformedBody,
    WrongFields,
    NotJson,
    WrongQuery,
    TooLarge,
    TooSlow,
    NoRefreshToken,
    NoSession,
    AmbiguousCookie,
    UnmatchedCookie,
    InvalidTarget,
    NotIssuersOwn,
    WrongCredentials,
    WrongRefreshToken,
    WrongPassword,
    WrongCode,
    WrongPasskey,
    WrongToken,
    SecondFactorNeeded,
    SecondFactorLocked,
    NoSecondFactor,
    SecondFactorExists,
    LoginTooOld,
    StepUpTooOld,
    TooManyPasskeys,
    NoSuchPasskey,
    SessionOver,
    TokenRevoked,
    CrossSite,
    NoSuchPage,
    NoSuchMethod,
    NoSuchSession,
    NoSuchUser,
    NotAnAdministrator,
    OwnAccount,
    NameTaken,
    InvalidUser(&'static str),
    InvalidPassword(&'static str),
    TooManyAttempts { retry_after_secs: u64 },
    Unavailable,
    NotReady(&'static str),
}

impl Problem {
    /// Status, last part of the type URN, title, detail.
    pub(super) const fn parts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedBody => (
                S::BAD_REQUEST,
                "malformed-body",
                "Malformed body",
                "The body is empty or not valid JSON.",
            ),
            Self::WrongFields => (
                S::UNPROCESSABLE_ENTITY,
                "wrong-fields",
                "Wrong fields",
                "A field of the JSON body is missing or has the wrong type.",
            ),
            Self::NotJson => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "Not JSON",
                "Send the body as Content-Type: application/json.",
            ),
            Self::WrongQuery => (
                S::BAD_REQUEST,
                "wrong-query",
                "Wrong query",
                "A parameter in the URL's query has a wrong value.",
            ),
            Self::TooLarge => {
                (S::PAYLOAD_TOO_LARGE, "too-large", "Too large", "The body is too large.")
            }
            Self::TooSlow => {
                (S::REQUEST_TIMEOUT, "too-slow", "Too slow", "The body did not arrive in time.")
            }
            Self::NoRefreshToken => (
                S::BAD_REQUEST,
                "no-refresh-token",
                "No refresh token",
                "Send the refresh token as refresh_token in a JSON body, or as its cookie.",
            ),
            Self::NoSession => (
                S::BAD_REQUEST,
                "no-session",
                "No session to end",
                "Send the session's refresh token, or an access token that has not expired. No \
                 session was ended.",
            ),
            Self::AmbiguousCookie => (
                S::BAD_REQUEST,
                "ambiguous-cookie",
                "Ambiguous cookie",
                "A cookie of the session was sent more than once, so another host of the domain may \
                 have set one. All cookies of the session were cleared. Log in again.",
            ),
            Self::UnmatchedCookie => (
                S::BAD_REQUEST,
                "unmatched-cookie",
                "Unmatched cookie",
                "A cookie of the session does not match the issuer's __Host- cookie, so another \
                 host of the domain may have set it. All cookies of the session were cleared. Log \
                 in again.",
            ),
            Self::InvalidTarget => (
                S::BAD_REQUEST,
                "invalid-target",
                "Invalid target",
                "A resource is neither the issuer nor one of the APIs that its tokens are for.",
            ),
            // 403 and not 401: the token is valid, and a refresh alone would not help.
            Self::NotIssuersOwn => (
                S::FORBIDDEN,
                "not-issuers-own",
                "Token not for the issuer alone",
                "An API may have seen this token. Use the issuer's cookies, or a token for the \
                 issuer alone: log in or refresh with the issuer as the only resource.",
            ),
            Self::WrongCredentials => (
                S::UNAUTHORIZED,
                "wrong-credentials",
                "Wrong credentials",
                "The user name or the password is wrong.",
            ),
            Self::WrongRefreshToken => (
                S::UNAUTHORIZED,
                "wrong-refresh-token",
                "Wrong refresh token",
                "The refresh token is not valid. Log in again.",
            ),
            // 403 and not 401: the access token is valid, and a refresh would not help.
            Self::WrongPassword => {
                (S::FORBIDDEN, "wrong-password", "Wrong password", "The password is wrong.")
            }
            Self::WrongCode => {
                (S::FORBIDDEN, "wrong-code", "Wrong code", "The code is wrong, or was used before.")
            }
            // One problem for all reasons: an unknown passkey looks like another user's.
            Self::WrongPasskey => (
                S::FORBIDDEN,
                "wrong-passkey",
                "Wrong passkey",
                "The passkey is not accepted, or its ceremony has expired or was finished before. \
                 Begin another one.",
            ),
            Self::WrongToken => (
                S::FORBIDDEN,
                "wrong-token",
                "Wrong token",
                "The token is wrong, was used before or has expired. Request another one.",
            ),
            Self::SecondFactorNeeded => (
                S::UNAUTHORIZED,
                "second-factor-needed",
                "Second factor needed",
                "Send name and password again, with a code of your app or a recovery code as code, or \
                 with a passkey.",
            ),
            Self::SecondFactorLocked => (
                S::FORBIDDEN,
                "second-factor-locked",
                "Second factor locked",
                "There were too many wrong codes. An administrator can unlock your second factor.",
            ),
            Self::NoSecondFactor => (
                S::CONFLICT,
                "no-second-factor",
                "No second factor",
                "You have no second factor. Set one up first.",
            ),
            Self::SecondFactorExists => (
                S::CONFLICT,
                "second-factor-exists",
                "Second factor exists",
                "You have a second factor already. Remove it first.",
            ),
            Self::LoginTooOld => (
                S::UNAUTHORIZED,
                "login-too-old",
                "Login too old",
                "Send your password, or log in again: this operation needs a login in the last 5 \
                 minutes.",
            ),
            Self::StepUpTooOld => (
                S::UNAUTHORIZED,
                "step-up-too-old",
                "Step-up too old",
                "Show your second factor: this operation needs one in the last 5 minutes.",
            ),
            Self::TooManyPasskeys => (
                S::CONFLICT,
                "too-many-passkeys",
                "Too many passkeys",
                "You have 20 passkeys. Remove one first.",
            ),
            Self::NoSuchPasskey => (
                S::NOT_FOUND,
                "no-such-passkey",
                "No such passkey",
                "You have no passkey with this id.",
            ),
            Self::SessionOver => (
                S::UNAUTHORIZED,
                "session-over",
                "Session over",
                "The session has ended. Log in again.",
            ),
            Self::TokenRevoked => (
                S::UNAUTHORIZED,
                "token-revoked",
                "Token revoked",
                "The token was revoked, its second factor was removed, or its client was disabled, \
                 removed or lost the right to exchange tokens.",
            ),
            Self::CrossSite => (
                S::FORBIDDEN,
                "cross-site",
                "Cross-site request",
                "Cookies are not accepted from another site.",
            ),
            Self::NoSuchPage => {
                (S::NOT_FOUND, "not-found", "Not found", "There is nothing at this path.")
            }
            Self::NoSuchMethod => (
                S::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
                "See the Allow header for the methods of this path.",
            ),
            Self::NoSuchSession => (
                S::NOT_FOUND,
                "no-such-session",
                "No such session",
                "You have no live session with this id.",
            ),
            Self::NoSuchUser => {
                (S::NOT_FOUND, "no-such-user", "No such user", "There is no user with this id.")
            }
            Self::NotAnAdministrator => (
                S::FORBIDDEN,
                "not-an-administrator",
                "Not an administrator",
                "This operation is for users with the scope identsphere:admin.",
            ),
            Self::OwnAccount => (
                S::FORBIDDEN,
                "own-account",
                "Own account",
                "This operation is for other users' accounts. Change your own password and second \
                 factor at /v1/auth, or ask another administrator or an operator.",
            ),
            Self::NameTaken => {
                (S::CONFLICT, "name-taken", "Name taken", "There is already a user of that name.")
            }
            Self::InvalidUser(detail) => {
                (S::UNPROCESSABLE_ENTITY, "invalid-user", "Invalid user", detail)
            }
            Self::InvalidPassword(detail) => {
                (S::UNPROCESSABLE_ENTITY, "invalid-password", "Invalid password", detail)
            }
            Self::TooManyAttempts { .. } => (
                S::TOO_MANY_REQUESTS,
                "too-many-attempts",
                "Too many attempts",
                "There were too many attempts. Try again later; Retry-After says when.",
            ),
            Self::Unavailable => (
                S::SERVICE_UNAVAILABLE,
                "unavailable",
                "Unavailable",
                "The service cannot answer right now. Try again shortly.",
            ),
            Self::NotReady(detail) => (S::SERVICE_UNAVAILABLE, "not-ready", "Not ready", detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, kind, title, detail) = self.parts();
        metrics::refused(kind);
        let document = Document {
            kind: Some(urn(kind)),
            title,
            status: status.as_u16(),
            detail: Some(detail),
        };
        let mut response = with_document(status.into_response(), &document);
        let headers = response.headers_mut();
        match self {
            // RFC 9110 section 15.5.2: a 401 names a scheme; RFC 6750 section 3.1 the error.
            Self::SessionOver => headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(
                    "Bearer error=\"invalid_token\", error_description=\"The session has ended\"",
                ),
            ),
            Self::TokenRevoked => headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(
                    "Bearer error=\"invalid_token\", error_description=\"The token was revoked\"",
                ),
            ),
            // RFC 9470 section 3.
            Self::LoginTooOld => headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(
                    "Bearer error=\"insufficient_user_authentication\", \
                     error_description=\"More recent authentication is required\", \
                     max_age=\"300\"",
                ),
            ),
            Self::StepUpTooOld => headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(
                    "Bearer error=\"insufficient_user_authentication\", \
                     error_description=\"A recent second factor is required\", \
                     acr_values=\"aal2\", max_age=\"300\"",
                ),
            ),
            Self::WrongCredentials | Self::SecondFactorNeeded | Self::WrongRefreshToken => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Self::TooManyAttempts { retry_after_secs } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_secs))
            }
            Self::Unavailable | Self::NotReady(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            _ => None,
        };
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::UserExists { .. } => Self::NameTaken,
            Error::StepUpNeeded => Self::StepUpTooOld,
            Error::SecondFactorExists => Self::SecondFactorExists,
            Error::NoSuchUser { .. } => Self::NoSuchUser,
            Error::NotAnAdministrator => Self::NotAnAdministrator,
            Error::InvalidPassword(why) => Self::InvalidPassword(why),
            Error::InvalidUser(why) => Self::InvalidUser(why),
            Error::Limited { retry_after_secs } => Self::TooManyAttempts { retry_after_secs },
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot answer");
                Self::Unavailable
            }
        }
    }
}

/// Answers requests for an unknown path.
pub(crate) async fn no_such_page() -> Response {
    Problem::NoSuchPage.into_response()
}

/// Answers requests with a method that the path does not have.
pub(super) async fn no_such_method() -> Response {
    Problem::NoSuchMethod.into_response()
}
