//! Code that the targets share: published keys, and an authenticator that is built without a
//! runtime. Only the seeds of the corpus are signed with these keys.

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use portcullis::testing::ManualClock;
pub use portcullis::testing::{AUDIENCE, ISSUER, NOW};
use portcullis::{Authenticator, AuthenticatorBuilder, keys::{KeySet, SharedKeySet}};

/// The example keys of RFC 7515 appendix A.2 and A.3 and of RFC 8037 appendix A.
pub const KEYS: &str = include_str!("../corpus/jwks/rfc");

/// The keys of [`KEYS`], parsed.
pub static SET: LazyLock<KeySet> =
    LazyLock::new(|| KeySet::from_json(KEYS.as_bytes()).expect("the RFCs' keys"));

/// A builder for tokens with the constants above.
pub fn builder(keys: KeySet) -> AuthenticatorBuilder {
    Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(keys))
        .clock(ManualClock::at(NOW))
}

/// Builds the authenticator. With a local key source, the build does not wait.
pub fn built(builder: AuthenticatorBuilder) -> Option<Authenticator> {
    match pin!(builder.build()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(built) => built.ok(),
        Poll::Pending => panic!("nothing is fetched"),
    }
}
