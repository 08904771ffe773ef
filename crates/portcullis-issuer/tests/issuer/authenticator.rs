//! An authenticator with its browser, in software: it makes passkeys and answers challenges, as the
//! JSON that `credential.toJSON()` returns.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The flags of the authenticator data (WebAuthn level 3, section 6.1).
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED_CREDENTIAL: u8 = 0x40;

/// A device of a user. Tests change the fields to make it lie.
#[derive(Clone)]
pub(crate) struct Device {
    /// The origin of the page.
    pub(crate) origin: String,
    /// The domain whose hash is signed.
    pub(crate) rp_id: String,
    pub(crate) verifies_user: bool,
    pub(crate) synced: bool,
    /// Whether the page is in a frame of another site's page.
    pub(crate) framed: bool,
    /// Whether the signature is right.
    pub(crate) signs: bool,
    key: Option<Key>,
}

#[derive(Clone)]
struct Key {
    pkcs8: Vec<u8>,
    id: Vec<u8>,
    handle: Vec<u8>,
    /// The number of the last signature; 0 if the device does not count them.
    counter: u32,
}

impl Device {
    pub(crate) fn new(origin: &str, rp_id: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            rp_id: rp_id.to_owned(),
            verifies_user: true,
            synced: false,
            framed: false,
            signs: true,
            key: None,
        }
    }

    /// Makes a passkey, and returns the `RegistrationResponseJSON`.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        let mut id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        self.create_with_id(options, id)
    }

    /// Makes another passkey with the id of the last one.
    pub(crate) fn create_again(&mut self, options: &Value) -> Value {
        let id = self.key.as_ref().unwrap().id.clone();
        self.create_with_id(options, id)
    }

    fn create_with_id(&mut self, options: &Value, id: Vec<u8>) -> Value {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
        let handle = URL_SAFE_NO_PAD.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        let counter = u32::from(!self.synced);
        let mut data = self.data(ATTESTED_CREDENTIAL, counter);
        data.extend([0; 16]);
        data.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        data.extend(&id);
        data.extend(cose_key(pair.public_key().as_ref()));
        let client_data = self.client_data("webauthn.create", options);
        let response = json!({
            "attestationObject": URL_SAFE_NO_PAD.encode(attestation_object(&data)),
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "transports": ["internal"],
        });
        let credential = credential(&id, response);
        self.key = Some(Key { pkcs8, id, handle, counter });
        credential
    }

    /// Answers a challenge, and returns the `AuthenticationResponseJSON`.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let key = self.key.as_mut().unwrap();
        key.counter += u32::from(key.counter > 0);
        self.get_again(options)
    }

    /// Answers a challenge with the counter of the last answer.
    pub(crate) fn get_again(&self, options: &Value) -> Value {
        let key = self.key.as_ref().unwrap();
        let data = self.data(0, key.counter);
        let client_data = self.client_data("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, client_data.as_bytes()).as_ref());
        if !self.signs {
            signed.push(0);
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.pkcs8).unwrap();
        let signature = pair.sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "userHandle": URL_SAFE_NO_PAD.encode(&key.handle),
        });
        credential(&key.id, response)
    }

    pub(crate) fn handle(&self) -> &[u8] {
        &self.key.as_ref().unwrap().handle
    }

    /// Makes the device claim that its passkey is of the user of another device.
    pub(crate) fn claim_handle_of(&mut self, other: &Self) {
        self.key.as_mut().unwrap().handle = other.handle().to_vec();
    }

    fn data(&self, more_flags: u8, counter: u32) -> Vec<u8> {
        let mut flags = USER_PRESENT | more_flags;
        if self.verifies_user {
            flags |= USER_VERIFIED;
        }
        if self.synced {
            flags |= BACKUP_ELIGIBLE | BACKED_UP;
        }
        let mut data = digest(&SHA256, self.rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        let mut data = json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.framed,
        });
        if self.framed {
            data["topOrigin"] = "https://evil.example".into();
        }
        data.to_string()
    }
}

fn credential(id: &[u8], response: Value) -> Value {
    let id = URL_SAFE_NO_PAD.encode(id);
    json!({
        "id": id,
        "rawId": id,
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    })
}

/// Encodes a P-256 key in COSE (RFC 9053 section 7.1): kty EC2, alg ES256, crv P-256, x, y.
fn cose_key(point: &[u8]) -> Vec<u8> {
    let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
    key.extend(&point[1..33]);
    key.extend([0x22, 0x58, 0x20]);
    key.extend(&point[33..]);
    key
}

/// Encodes `{"fmt": "none", "attStmt": {}, "authData": data}` in CBOR (WebAuthn section 8.7).
fn attestation_object(data: &[u8]) -> Vec<u8> {
    let mut object = vec![0xa3];
    object.extend(b"\x63fmt\x64none\x67attStmt\xa0\x68authData\x59");
    object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    object.extend(data);
    object
}
