//! The registration of a passkey.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use webauthn_rs::prelude::{
    Credential, Passkey, PasskeyRegistration, RegisterPublicKeyCredential, Uuid,
};
use zeroize::Zeroizing;

use super::client_data::is_of_top_page;
use super::{Begun, NewPasskey, PASSKEYS_PER_USER, Passkeys, Registered, StoredPasskey};
use crate::domain::audit::EventKind;
use crate::domain::hash::hash_of;
use crate::domain::peer::Peer;
use crate::domain::second_factor::RecoveryCodes;
use crate::domain::sessions::Session;
use crate::domain::users::User;
use crate::error::Error;

/// A client's answer to the challenge of a registration.
pub(crate) struct Attestation {
    pub(crate) ceremony: Zeroizing<String>,
    pub(crate) credential: RegisterPublicKeyCredential,
    /// The user's name for the passkey.
    pub(crate) name: String,
}

/// The result of a registration.
pub(crate) enum Registration {
    Done {
        passkey: StoredPasskey,
        /// The recovery codes, if this is the user's first second factor.
        codes: Option<RecoveryCodes>,
    },
    TooMany,
    /// The ceremony failed. The response does not reveal the reason.
    Refused,
}

/// The state of a registration in the store.
#[derive(Serialize, Deserialize)]
struct State {
    registration: PasskeyRegistration,
    /// Whether the user had stepped up when it began.
    stepped_up: bool,
}

impl Passkeys {
    /// Begins a registration; `None` if the user has too many passkeys.
    pub(crate) async fn begin_registration(
        &self,
        user: &User,
        session: &Session,
        stepped_up: bool,
        peer: &Peer,
    ) -> Result<Option<Begun>, Error> {
        self.limits.take_of_session(&registrations_of(user), peer).await?;
        let own = self.of(&user.id).await?;
        if i64::try_from(own.len()).unwrap_or(i64::MAX) >= PASSKEYS_PER_USER {
            return Ok(None);
        }
        let read = |passkey: &StoredPasskey| {
            let passkey: Passkey = serde_json::from_str(&passkey.credential)
                .map_err(|_| Error::Crypto("reading a passkey"))?;
            Ok(passkey.cred_id().clone())
        };
        let own = own.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
        // The handle is random (WebAuthn level 3, section 14.6.1): authenticators may show it, and
        // other sites' pages must not learn a user's name or id from it.
        let mut new = [0; 16];
        crate::random::fill(&mut new)?;
        let handle = self.store.passkey_handle(&user.id, &new).await?;
        let handle = handle.and_then(|handle| Uuid::from_slice(&handle).ok());
        let handle = handle.ok_or(Error::Crypto("reading a user handle"))?;
        let (challenge, registration) = self
            .webauthn()?
            .start_passkey_registration(handle, &user.name, &user.name, Some(own))
            .map_err(|_| Error::Crypto("starting a passkey ceremony"))?;
        // webauthn-rs asks for a passkey that need not be discoverable. Ours must be: the challenge
        // of a login names no passkey. A browser fails if the authenticator cannot make one.
        let options = serde_json::to_value(&challenge.public_key)
            .map(discoverable)
            .map_err(|_| Error::Crypto("writing a passkey ceremony"))?;
        let registrar = (user.id.clone(), session.id.clone());
        let state = State { registration, stepped_up };
        self.begin(&options, &state, Some(registrar)).await.map(Some)
    }

    /// Finishes the registration that the session began.
    pub(crate) async fn register(
        &self,
        user: &User,
        session: &Session,
        Attestation { ceremony, credential, name }: Attestation,
        peer: &Peer,
    ) -> Result<Registration, Error> {
        let answers = format!("passkey answers of {}", user.id);
        self.limits.take_of_session(&answers, peer).await?;
        let event = self.event_of(EventKind::PasskeyRegistered, user, peer).session(&session.id);
        let registrar = Some((user.id.as_str(), session.id.as_str()));
        let state = self.store.take_ceremony(&hash_of(&ceremony), registrar, event.at).await?;
        let Some(state) = state else {
            self.record_refusal(&event).await?;
            return Ok(Registration::Refused);
        };
        let State { registration, stepped_up } = serde_json::from_str(&state)
            .map_err(|_| Error::Crypto("reading a passkey ceremony"))?;
        let registered = self.webauthn()?.finish_passkey_registration(&credential, &registration);
        let is_of_top_page = is_of_top_page(&credential.response.client_data_json);
        let Some(made) = registered.ok().filter(|_| is_of_top_page) else {
            self.record_refusal(&event).await?;
            return Ok(Registration::Refused);
        };
        let properties = Credential::from(made.clone());
        let passkey = StoredPasskey {
            id: crate::random::hex_id()?,
            name,
            credential: serde_json::to_string(&made)
                .map_err(|_| Error::Crypto("writing a passkey"))?,
            synced: properties.backup_eligible,
            backed_up: properties.backup_state,
            created_at: event.at,
            last_used_at: None,
        };
        let new = NewPasskey {
            passkey: passkey.clone(),
            user_id: user.id.clone(),
            session_id: session.id.clone(),
            credential_id: properties.cred_id,
            counter: properties.counter.into(),
            stepped_up,
        };
        let codes = RecoveryCodes::new(&user.id)?;
        match self.store.add_passkey(&new, &codes.hashes, &event).await? {
            Registered::Done { with_codes } => {
                self.limits.give_back_of_session(&registrations_of(user));
                self.limits.give_back_of_session(&answers);
                Ok(Registration::Done { passkey, codes: with_codes.then_some(codes) })
            }
            Registered::TooMany => Ok(Registration::TooMany),
            Registered::Refused => {
                self.record_refusal(&event).await?;
                Ok(Registration::Refused)
            }
        }
    }
}

/// Returns the options of a registration that makes a discoverable passkey.
fn discoverable(mut options: Value) -> Value {
    let selection = options.get_mut("authenticatorSelection").and_then(Value::as_object_mut);
    if let Some(selection) = selection {
        selection.insert("residentKey".to_owned(), "required".into());
        selection.insert("requireResidentKey".to_owned(), true.into());
    }
    options
}

fn registrations_of(user: &User) -> String {
    format!("passkeys of {}", user.id)
}
