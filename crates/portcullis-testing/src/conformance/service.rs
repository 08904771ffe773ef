//! What the service under test has: issuers, policies, and names over gRPC.

use std::time::Duration;

use portcullis::Policy;

/// An issuer whose keys always have to be waited for.
pub(super) const LATE_ISSUER: &str = "https://late.example";
/// An issuer whose keys cannot be fetched.
pub(super) const ABSENT_ISSUER: &str = "https://absent.example";
pub(super) const BUSY_ISSUER: &str = "https://busy.example";

/// What `/scope` asks for.
#[must_use]
pub fn scope_policy() -> Policy {
    Policy::scopes(["read"])
}

/// What `/role` and `/inside` ask for.
#[must_use]
pub fn role_policy() -> Policy {
    Policy::roles(["clerk"])
}

/// What `/step-up` asks for (RFC 9470).
#[must_use]
pub fn step_up_policy() -> Policy {
    Policy::acr(["urn:strong"]).and(Policy::max_auth_age(Duration::from_secs(300)))
}

/// The service over gRPC that stands for `path`, where there is one: `conformance.` and this.
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

/// Claims that no token of the suite has: deserialized by a handler of `/unfit`, by any means.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Unfit {
    /// A number, which no token has.
    pub tenant: u32,
}
