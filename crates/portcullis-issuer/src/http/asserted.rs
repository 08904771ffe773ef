//! A passkey's answer to a challenge, as a part of a login or a step-up.

use serde::Deserialize;
use utoipa::ToSchema;
use webauthn_rs::prelude::PublicKeyCredential;
use zeroize::Zeroizing;

use crate::domain::passkeys::Assertion;

/// A passkey's answer to a challenge.
#[derive(Deserialize, ToSchema)]
pub(super) struct Asserted {
    /// The `ceremony` of the challenge.
    ceremony: String,
    /// The `AuthenticationResponseJSON` of WebAuthn level 3: `credential.toJSON()`.
    #[schema(value_type = Object)]
    credential: PublicKeyCredential,
}

impl From<Asserted> for Assertion {
    fn from(Asserted { ceremony, credential }: Asserted) -> Self {
        Self { ceremony: Zeroizing::new(ceremony), credential }
    }
}
