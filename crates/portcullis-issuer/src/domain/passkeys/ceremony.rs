//! The begin of a ceremony, and the relying party's settings.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use webauthn_rs::prelude::{PublicKeyCredential, Url};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use zeroize::Zeroizing;

use super::{Ceremony, Passkeys};
use crate::domain::hash::hash_of;
use crate::domain::peer::Peer;
use crate::error::Error;

/// How long a ceremony may take: the time that WebAuthn recommends for one with user verification
/// (level 3, section 15.1).
pub(crate) const CEREMONY_SECS: u32 = 300;

/// A ceremony that has begun, for the client.
pub(crate) struct Begun {
    /// The secret with which the client finishes it.
    pub(crate) ceremony: Zeroizing<String>,
    /// The options for the browser, in the JSON form of WebAuthn level 3 (section 5.1.8 or 5.1.9).
    pub(crate) options: Value,
}

/// A client's answer to a challenge.
pub(crate) struct Assertion {
    pub(crate) ceremony: Zeroizing<String>,
    pub(crate) credential: PublicKeyCredential,
}

/// The issuer as a WebAuthn relying party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelyingParty {
    /// The domain that passkeys are bound to.
    pub(crate) id: String,
    /// The origins whose pages may use them.
    pub(crate) origins: Vec<Url>,
}

impl RelyingParty {
    pub(crate) fn webauthn(&self) -> Result<Webauthn, Error> {
        let failed = |_| Error::Crypto("setting up passkeys");
        let mut origins = self.origins.iter();
        let first = origins.next().ok_or(Error::Crypto("setting up passkeys without an origin"))?;
        let builder = WebauthnBuilder::new(&self.id, first).map_err(failed)?;
        let builder =
            origins.fold(builder, |builder, origin| builder.append_allowed_origin(origin));
        builder.timeout(Duration::from_secs(CEREMONY_SECS.into())).build().map_err(failed)
    }
}

impl Passkeys {
    /// Begins a login, a second factor or a step-up.
    pub(crate) async fn challenge(&self, peer: &Peer) -> Result<Begun, Error> {
        self.limits.take_challenge(peer).await?;
        let webauthn = self.webauthn()?;
        let begun = webauthn.start_discoverable_authentication();
        let (challenge, state) = begun.map_err(|_| Error::Crypto("starting a passkey ceremony"))?;
        self.begin(&challenge.public_key, &state, None).await
    }

    pub(super) fn webauthn(&self) -> Result<&Webauthn, Error> {
        self.webauthn.as_ref().ok_or(Error::Crypto("using passkeys, which are off"))
    }

    /// Stores the state of a ceremony.
    pub(super) async fn begin(
        &self,
        options: &impl Serialize,
        state: &impl Serialize,
        registrar: Option<(String, String)>,
    ) -> Result<Begun, Error> {
        let failed = |_| Error::Crypto("writing a passkey ceremony");
        let ceremony = crate::random::secret()?;
        let stored = Ceremony {
            hash: hash_of(&ceremony),
            state: serde_json::to_string(state).map_err(failed)?,
            registrar,
            expires_at: self.now().saturating_add(CEREMONY_SECS.into()),
        };
        self.store.begin_ceremony(&stored).await?;
        let options = serde_json::to_value(options).map_err(failed)?;
        Ok(Begun { ceremony, options })
    }
}
