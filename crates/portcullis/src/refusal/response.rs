//! The response to a refused request, over HTTP and over gRPC ([PROTOCOL-HTTP2, Trailers-Only]).
//!
//! [PROTOCOL-HTTP2, Trailers-Only]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};

use super::Denial;
use super::body::with_body;
use super::{Cause, Protocol, Refusal};
use crate::challenge::Challenge;
use crate::credentials::CredentialsError;
use crate::error::TokenError;

const EXPIRED: &str = "The access token expired";
const FORBIDDEN: &str = "The caller may not do this";
const MISCONFIGURED: &str = "The service is not set up for this request";

impl Refusal {
    /// Returns the `WWW-Authenticate` header, if this kind of refusal has one.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        let space = self.0.space.as_ref()?;
        let challenge = || Challenge::bearer().with("realm", &space.realm);
        let challenge = match (&self.0.cause, self.error_code()) {
            // RFC 6750 §3.1: no error code for a request without credentials.
            (Cause::Missing, _) => challenge(),
            (_, None) => return None,
            (cause, Some(error)) => {
                let challenge =
                    challenge().with("error", error).with("error_description", self.detail());
                match cause {
                    Cause::Denied(Denial::Scope { needed, .. }) => {
                        challenge.with("scope", needed.as_str())
                    }
                    Cause::Denied(Denial::Authentication { acr_values, max_age }) => {
                        step_up(challenge, acr_values, *max_age)
                    }
                    _ => challenge,
                }
            }
        };
        let challenge = match &space.resource {
            Some(resource) => challenge.with("resource_metadata", resource.metadata_url()),
            None => challenge,
        };
        Some(challenge.into_header())
    }

    /// Returns the `error` of the challenge ([RFC 6750 §3.1], [RFC 9470 §3]): `invalid_request`,
    /// `invalid_token`, `insufficient_scope` or `insufficient_user_authentication`.
    ///
    /// `None` if the challenge has no `error`, or there is no challenge: 500, 503 and 429 are not
    /// about the credentials.
    ///
    /// Use it in custom bodies, so that they agree with the header:
    ///
    /// ```
    /// use portcullis::{Authenticator, refusal::RefusalBody};
    /// use serde_json::json;
    ///
    /// let builder = Authenticator::builder("https://auth.example", "https://api.example")
    ///     .refusal_body(|refusal| {
    ///         RefusalBody::json(&json!({"error": refusal.error_code(), "message": refusal.detail()}))
    ///     });
    /// ```
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    /// [RFC 9470 §3]: https://www.rfc-editor.org/rfc/rfc9470#section-3
    #[must_use]
    pub fn error_code(&self) -> Option<&'static str> {
        Some(match &self.0.cause {
            Cause::Credentials(CredentialsError::CrossSite)
            | Cause::Token(TokenError::UnfitClaims { .. }) => return None,
            Cause::Credentials(_) => "invalid_request",
            Cause::Token(_) | Cause::Denied(Denial::TokenAge { .. }) => "invalid_token",
            Cause::Denied(Denial::Scope { .. }) => "insufficient_scope",
            Cause::Denied(Denial::Authentication { .. }) => "insufficient_user_authentication",
            Cause::Denied(
                Denial::Forbidden { .. } | Denial::UnboundCheck { .. } | Denial::UnreadableClaim(_),
            )
            | Cause::Missing
            | Cause::BudgetSpent { .. }
            | Cause::Unavailable { .. }
            | Cause::Misconfigured { .. } => return None,
        })
    }

    /// Returns when to retry, if a retry may help: whole seconds, at least one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let (Cause::Unavailable { retry_after, .. } | Cause::BudgetSpent { retry_after, .. }) =
            self.0.cause
        else {
            return None;
        };
        let whole = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        Some(Duration::from_secs(whole.max(1)))
    }

    /// Returns the response without a body. The headers have everything that a client may know.
    #[must_use]
    pub fn into_response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(retry_after) = self.retry_after() {
            headers.insert(RETRY_AFTER, retry_after.as_secs().into());
        }
        match self.1 {
            Protocol::Http | Protocol::Head => *response.status_mut() = self.status(),
            // "Trailers-Only": the gRPC status is in the headers of an HTTP 200 response.
            Protocol::Grpc => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                headers.insert("grpc-status", self.kind().grpc_status().into());
                // Visible ASCII without a percent sign needs no percent-encoding.
                headers.insert("grpc-message", HeaderValue::from_static(self.detail()));
            }
        }
        // The refusal is stored for outer layers, which may count it, log it or add a body.
        response.extensions_mut().insert(self);
        response
    }

    /// Rewrites the response of a refusal from the code behind the gate. Status, body and headers
    /// are those of this refusal. Headers that it does not set, such as a request ID, are kept.
    pub(crate) fn rewrite<B: Default>(self, response: Response<B>) -> Response<B> {
        let (own, body) = self.into_response::<B>().into_parts();
        let (mut parts, _) = response.into_parts();
        parts.status = own.status;
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.remove(CONTENT_ENCODING);
        for (name, value) in &own.headers {
            parts.headers.insert(name, value.clone());
        }
        parts.extensions.extend(own.extensions);
        Response::from_parts(parts, body)
    }

    /// Returns the response with the body that the authenticator's settings give it, if any.
    #[must_use]
    pub fn into_full_response<B: Default + From<Bytes>>(self) -> Response<B> {
        with_body(self.into_response())
    }

    /// Returns the reason for the client, as a fixed text. It does not say which rule a rejected
    /// token broke, because that would show an attacker how far a forgery got.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        match &self.0.cause {
            Cause::Missing => "An access token is required",
            Cause::Credentials(CredentialsError::CrossSite) => {
                "The request came from another site's page"
            }
            Cause::Credentials(_) => "The request's credentials are malformed",
            Cause::Token(TokenError::UnfitClaims { .. }) => FORBIDDEN,
            Cause::Token(error) => token_detail(error),
            Cause::Denied(denial) => match denial {
                Denial::Scope { .. } => "The access token lacks the required scope",
                Denial::Authentication { max_age: Some(_), .. } => {
                    "A more recent authentication is required"
                }
                Denial::Authentication { max_age: None, .. } => {
                    "A different authentication level is required"
                }
                Denial::TokenAge { .. } => EXPIRED,
                Denial::Forbidden { .. } | Denial::UnreadableClaim(_) => FORBIDDEN,
                Denial::UnboundCheck { .. } => MISCONFIGURED,
            },
            Cause::BudgetSpent { .. } | Cause::Unavailable { .. } => {
                "Token validation is temporarily unavailable"
            }
            Cause::Misconfigured { .. } => MISCONFIGURED,
        }
    }
}

/// Adds the parameters of RFC 9470 §3.
fn step_up(
    mut challenge: Challenge,
    acr_values: &[String],
    max_age: Option<Duration>,
) -> Challenge {
    if !acr_values.is_empty() {
        challenge = challenge.with("acr_values", &acr_values.join(" "));
    }
    if let Some(age) = max_age {
        challenge = challenge.with("max_age", &age.as_secs().to_string());
    }
    challenge
}

fn token_detail(error: &TokenError) -> &'static str {
    match error {
        TokenError::Expired { .. } | TokenError::TooOld { .. } => EXPIRED,
        TokenError::TooLong { .. }
        | TokenError::NotCompact
        | TokenError::Encrypted
        | TokenError::NotBase64Url { part: "header" }
        | TokenError::NotJson { part: "header" } => "The access token is malformed",
        _ => "The access token is invalid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_source::ResolveError;
    use crate::refusal::{ProtectionSpace, Site, Unreported};

    #[test]
    fn grpc_refusal_has_its_status_in_the_headers() {
        let refusal = Unreported::missing(&ProtectionSpace::for_test()).at(&Site::default());
        let response = refusal.clone().into_grpc().into_response::<()>();
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["grpc-status"], "16");
        assert_eq!(headers["grpc-message"], "An access token is required");
        assert_eq!(headers["www-authenticate"], r#"Bearer realm="api""#);

        let response = refusal.into_response::<()>();
        assert_eq!(response.status(), 401);
        assert!(!response.headers().contains_key("grpc-status"));
    }

    #[test]
    fn rewritten_response_drops_headers_of_the_old_body() {
        let refusal = Unreported::missing(&ProtectionSpace::for_test()).at(&Site::default());
        let response = Response::builder()
            .status(401)
            .header("x-request-id", "7")
            .header("content-type", "application/problem+json")
            .header("content-length", "2")
            .header("content-encoding", "gzip")
            .body("{}".to_owned());
        let response = refusal.into_grpc().rewrite(response.unwrap());
        assert_eq!((response.status().as_u16(), response.body().as_str()), (200, ""));
        let headers = response.headers();
        assert_eq!(headers["x-request-id"], "7");
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["grpc-status"], "16");
        assert!(!headers.contains_key("content-length"));
        assert!(!headers.contains_key("content-encoding"));
    }

    #[test]
    fn error_code_matches_the_challenge() {
        let space = ProtectionSpace::for_test();
        let at = |refusal: Unreported| refusal.at(&Site::default());
        let unavailable =
            || ResolveError::Unavailable { retry_after: Duration::ZERO, source: None };
        let spent = || ResolveError::BudgetSpent { retry_after: Duration::ZERO, source: None };
        let keys = super::super::Wanted::Keys;
        let unfit = TokenError::UnfitClaims { wanted: "User", problem: String::new() };
        for (refusal, code) in [
            (Unreported::missing(&space), None),
            (Unreported::credentials(CredentialsError::Grammar, &space), Some("invalid_request")),
            (Unreported::credentials(CredentialsError::CrossSite, &space), None),
            (Unreported::token(TokenError::Signature, &space), Some("invalid_token")),
            (Unreported::token(unfit, &space), None),
            (Unreported::unresolved(unavailable(), keys, &space), None),
            (Unreported::unresolved(spent(), keys, &space), None),
            (Unreported::misconfigured("", "", &space), None),
        ] {
            let refusal = at(refusal);
            assert_eq!(refusal.error_code(), code, "{refusal:?}");
            let challenge = refusal.challenge();
            let challenge = challenge.as_ref().map_or("", |challenge| challenge.to_str().unwrap());
            let said = code.map(|code| format!("error=\"{code}\""));
            match said {
                Some(said) => assert!(challenge.contains(&said), "{challenge}"),
                None => assert!(!challenge.contains("error="), "{challenge}"),
            }
        }
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (millis, secs) in [(0, 1), (999, 1), (1000, 1), (1001, 2)] {
            let error = ResolveError::Unavailable {
                retry_after: Duration::from_millis(millis),
                source: None,
            };
            let refusal = Unreported::unresolved(
                error,
                super::super::Wanted::Keys,
                &ProtectionSpace::for_test(),
            )
            .at(&Site::default());
            assert_eq!(refusal.retry_after(), Some(Duration::from_secs(secs)), "{millis}");
        }
    }
}
