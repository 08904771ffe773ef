//! Local JWT validation against a published JWKS.
//!
//! An application's backend validates tokens **itself**: no call to the issuer on the request
//! path. This crate fetches and keeps the issuer's keys, verifies signatures, validates claims
//! and says, for every refused request, what its client gets and what its operator is told. It
//! knows no web framework: `portcullis-axum`, `portcullis-actix`, `portcullis-hyper` and `portcullis-tower`
//! put it into one.
//!
//! - [`Authenticator`] is where to start: [`Authenticator::builder`], then
//!   [`authenticate`](Authenticator::authenticate).
//! - [`Authenticated`] is who called; [`Policy`] is what they may do.
//! - [`Gate`] stands in front of a service, in every adapter's layer; it says what may pass.
//! - [`Refusal`] is what everybody else gets: see the table in its [module](crate::refusal).
//! - [`Setting`] names every knob, in code and in the environment.
//! - [`signature`] verifies a signature and nothing else.
//! - [`dangerous`] has what weakens a service, by name.
//!
//! The [`guide`] has the chapters: [add it](guide::add_it), [tune it](guide::tune_it), [measure
//! it](guide::measure_it), and a page each for [Auth0](guide::auth0), [Keycloak](guide::keycloak)
//! and [Entra](guide::entra).
//!
//! It fails closed: whatever a token does not prove, is wrong about, or says twice, refuses it.
//!
//! # Cargo features
//!
//! Each adds API and changes no decision.
//!
//! | feature | |
//! |---|---|
//! | `reqwest` (default) | `ReqwestFetch`, the HTTP client for key sets |
//! | `jsonwebtoken` | conversions from the types of the crate `jsonwebtoken` |
//! | `test-util` | the module `testing`: a clock that moves when told, a scripted HTTP client, keys that sign, and a `Scene` over them |

pub mod dangerous;
pub mod guide;
pub mod refusal;
pub mod signature;

mod algorithm;
mod anonymous;
mod authenticated;
mod authenticator;
mod caller;
mod challenge;
mod claims;
mod clock;
mod credentials;
mod error;
mod gate;
mod json;
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
mod jws;
mod key;
mod metrics;
mod policy;
mod profile;
mod protection;
mod remote;
mod request;
mod resource;
mod revocation;
mod settings;
mod token_cache;

#[cfg(any(test, feature = "test-util"))]
pub mod testing;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use anonymous::Anonymous;
pub use authenticated::Authenticated;
pub use authenticator::{
    Attempt, Authenticator, AuthenticatorBuilder, ConfigError, IssuerResolver, IssuerStatus,
    Pending,
};
pub use caller::{admit, optional_caller, required_caller};
pub use claims::{Audience, NumericDate, RegisteredClaims, Scope, UnreadableClaim};
pub use clock::{Clock, SystemClock};
pub use credentials::{ACCESS_COOKIE, CredentialsError};
pub use error::TokenError;
pub use gate::{Bodies, Entry, Exit, FromBytes, Gate, NoBodies, Visitor, Waiting};
pub use key::{
    KeyError, KeyRequest, KeySet, KeySetError, KeySource, PendingKey, Refreshing, Resolution,
    ResolveError, SharedKeySet, SkippedKey, VerificationKey,
};
pub use policy::{Denial, Policy};
pub use profile::{Profile, UnknownProfile};
pub use refusal::{Refusal, RefusalKind};
#[cfg(feature = "reqwest")]
pub use remote::ReqwestFetch;
pub use remote::fetch::{BodyTooLong, Fetch, FetchError, FetchRequest, Fetching};
pub use remote::status::{Freshness, KeySetStatus};
pub use request::RequestView;
pub use resource::ProtectedResource;
pub use revocation::{Revocation, StatusListStatus};
pub use settings::Setting;
