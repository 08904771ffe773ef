//! Issuers, policies and gRPC names of the service under test.

use std::time::Duration;

use portcullis::Policy;

/// An issuer whose keys are never ready at once.
pub(super) const LATE_ISSUER: &str = "https://late.example";
/// An issuer whose keys cannot be fetched.
pub(super) const ABSENT_ISSUER: &str = "https://absent.example";
pub(super) const BUSY_ISSUER: &str = "https://busy.example";

/// Returns the policy of `/scope`.
#[must_use]
pub fn scope_policy() -> Policy {
    Policy::scopes(["read"])
}

/// Returns the policy of `/role` and `/inside`.
#[must_use]
pub fn role_policy() -> Policy {
    Policy::roles(["clerk"])
}

/// Returns the policy of `/step-up` (RFC 9470).
#[must_use]
pub fn step_up_policy() -> Policy {
    Policy::acr(["urn:strong"]).and(Policy::max_auth_age(Duration::from_secs(300)))
}

/// Returns the name of the gRPC service that replaces `path`, without the prefix `conformance.`, if
/// there is one.
#[must_use]
pub fn grpc_name(path: &str) -> Option<&'static str> {
    Some(match path {
        "/" => "Root",
        "/optional" => "Optional",
        "/scope" => "Scope",
        "/role" => "Role",
        "/step-up" => "StepUp",
        "/optional-scope" => "OptionalScope",
        "/require-alone" => "RequireAlone",
        _ => return None,
    })
}

/// Claims that no token of the suite has. The handler of `/unfit` deserializes them, in any way.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Unfit {
    /// A number, which no token has.
    pub tenant: u32,
}
