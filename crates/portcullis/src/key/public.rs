//! Key identity: the members of the public JWK, used to compare, name and export keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::VerificationKey;
use crate::algorithm::Algorithm;
use crate::crypto::KeyMaterial;

/// The numbers of a key, independent of its encoding.
#[derive(PartialEq, Eq)]
pub(super) enum Identity {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: &'static str, x: Vec<u8>, y: Vec<u8> },
    Ed25519(Vec<u8>),
    MlDsa(Algorithm, Vec<u8>),
    Secret(Zeroizing<Vec<u8>>),
}

impl Identity {
    /// Returns the numbers for a provider.
    pub(super) fn material(&self) -> KeyMaterial<'_> {
        match self {
            Self::Rsa { n, e } => KeyMaterial::Rsa { n, e },
            Self::Ec { x, y, .. } => KeyMaterial::Ec { x, y },
            Self::Ed25519(point) => KeyMaterial::Ed25519(point),
            Self::MlDsa(_, key) => KeyMaterial::MlDsa(key),
            Self::Secret(secret) => KeyMaterial::Secret(secret),
        }
    }

    /// Returns the members of a thumbprint, in order ([RFC 7638 §3.2], [RFC 8037 §2], [RFC 9964
    /// §6]); `None` for a secret.
    ///
    /// [RFC 7638 §3.2]: https://www.rfc-editor.org/rfc/rfc7638#section-3.2
    /// [RFC 8037 §2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
    /// [RFC 9964 §6]: https://www.rfc-editor.org/rfc/rfc9964#section-6
    fn members(&self) -> Option<Vec<(&'static str, String)>> {
        let text = str::to_owned;
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Some(match self {
            Self::Rsa { n, e } => vec![("e", number(e)), ("kty", text("RSA")), ("n", number(n))],
            Self::Ec { curve, x, y } => {
                vec![("crv", text(curve)), ("kty", text("EC")), ("x", number(x)), ("y", number(y))]
            }
            Self::Ed25519(x) => {
                vec![("crv", text("Ed25519")), ("kty", text("OKP")), ("x", number(x))]
            }
            Self::MlDsa(algorithm, public) => vec![
                ("alg", text(algorithm.as_str())),
                ("kty", text("AKP")),
                ("pub", number(public)),
            ],
            Self::Secret(_) => return None,
        })
    }
}

impl VerificationKey {
    /// Returns the public key as a JWK ([RFC 7517]): with `use`, with `kid` if it has one, and with
    /// `alg` if it has exactly one algorithm. Returns `None` for a secret key from
    /// [`dangerous`](crate::dangerous).
    ///
    /// ```
    /// use portcullis::{Algorithm, dangerous, keys::VerificationKey};
    ///
    /// let jwk = br#"{"kty":"OKP","crv":"Ed25519","kid":"a",
    ///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// let key = VerificationKey::from_jwk(jwk, Algorithm::Ed25519)?;
    /// assert_eq!(key.public_jwk().unwrap()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    ///
    /// let secret = dangerous::hmac_key(None, Algorithm::Hs256, &[7; 32])?;
    /// assert_eq!(secret.public_jwk(), None);
    /// # Ok::<(), portcullis::keys::KeyError>(())
    /// ```
    ///
    /// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
    #[must_use]
    pub fn public_jwk(&self) -> Option<Value> {
        let mut jwk = Map::new();
        let mut set = |name: &str, value: &str| {
            jwk.insert(name.to_owned(), Value::from(value));
        };
        for (name, value) in self.identity.members()? {
            set(name, &value);
        }
        set("use", "sig");
        if let Some(id) = &self.id {
            set("kid", id);
        }
        let mut algorithms = self.algorithms();
        if let (Some(algorithm), None) = (algorithms.next(), algorithms.next()) {
            set("alg", algorithm.as_str());
        }
        Some(Value::Object(jwk))
    }

    /// Returns the thumbprint of the public key ([RFC 7638]): SHA-256 in base64url, independent of
    /// the key's encoding. Returns `None` for a secret.
    ///
    /// ```
    /// use portcullis::{Algorithm, keys::VerificationKey};
    ///
    /// // RFC 8037 appendix A.3.
    /// let jwk = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// let key = VerificationKey::from_jwk(jwk, Algorithm::Ed25519)?;
    /// assert_eq!(key.thumbprint().unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    /// # Ok::<(), portcullis::keys::KeyError>(())
    /// ```
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        // §3.3: no white space; none of these values needs escaping.
        let members = self.identity.members()?;
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let canonical = format!("{{{}}}", members.join(","));
        Some(URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)))
    }

    /// Returns the key with this `kid`, by which tokens name it.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Returns the key with its [`thumbprint`](Self::thumbprint) as `kid`. A secret is returned
    /// unchanged.
    #[must_use]
    pub fn with_thumbprint_id(self) -> Self {
        match self.thumbprint() {
            Some(thumbprint) => self.with_id(thumbprint),
            None => self,
        }
    }
}
