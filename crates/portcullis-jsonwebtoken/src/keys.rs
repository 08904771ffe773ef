//! Decoding keys for jsonwebtoken from any key source.

use std::future::Future;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Header, TokenData, Validation, decode_header};
use portcullis::keys::{CandidateKeys, KeyRequest, KeySource, VerificationKey};
use portcullis::signature::VerifyError;
use portcullis::token::TokenError;
use serde::de::DeserializeOwned;

use crate::algorithm::asymmetric;
use crate::error::{DecodeError, DecodingKeyError};

/// Decoding keys for jsonwebtoken from any [`KeySource`], in particular a
/// [`RemoteKeySet`](portcullis::keys::RemoteKeySet).
///
/// Keys are fetched, refreshed and limited as for an authenticator: fetches are single-flight,
/// unknown `kid`s have a budget, and known keys are used for `ttl + max_stale` while the issuer is
/// unreachable. A key is used only with its own algorithm, and weak keys are skipped.
///
/// ```
/// use jsonwebtoken::{Algorithm, Validation};
/// use portcullis_jsonwebtoken::DecodingKeySource;
/// # use portcullis_jsonwebtoken::portcullis::{self, keys::SharedKeySet, testing::{TestKey, claims}};
///
/// #[derive(serde::Deserialize)]
/// struct User {
///     sub: String,
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let key = TestKey::generate("k", portcullis::Algorithm::Es256);
/// # let other = TestKey::generate("other", portcullis::Algorithm::Es256);
/// # let keys = SharedKeySet::new(TestKey::key_set([&key]));
/// # let (token, unknown) = (key.token(&claims()), other.token(&claims()));
/// let mut validation = Validation::new(Algorithm::ES256);
/// validation.set_issuer(&["https://issuer.example"]);
/// validation.set_audience(&["https://api.example"]);
/// # validation.validate_exp = false;
/// let user = keys.decode::<User>(&token, &validation).await?.claims;
/// assert_eq!(user.sub, "alice");
///
/// // A token with an unknown `kid`.
/// let error = keys.decode::<User>(&unknown, &validation).await.err().unwrap();
/// assert_eq!(error.status(), 401);
/// # Ok(()) }
/// ```
pub trait DecodingKeySource: KeySource {
    /// Returns the key for a token with this header, for [`jsonwebtoken::decode`].
    ///
    /// Waits for a fetch if the key is not cached. The `algorithms` of the [`Validation`] must
    /// still contain the token's `alg`: it matches the key, but only the [`Validation`] defines
    /// whether it is allowed.
    ///
    /// This method does not detect that a key was replaced under the same `kid`, because only a
    /// failed signature check reveals the replacement. [`decode`](Self::decode) detects it.
    ///
    /// # Errors
    ///
    /// Returns an error if no key has the token's `kid` and algorithm, if several match and the
    /// token has no `kid`, or if the keys cannot be fetched: [`DecodingKeyError::status`]
    /// distinguishes these cases.
    fn decoding_key(
        &self,
        header: &Header,
    ) -> impl Future<Output = Result<DecodingKey, DecodingKeyError>> + Send {
        async move {
            let candidates = candidates(self, header).await?;
            let mut keys = candidates.iter();
            match (keys.next(), keys.next()) {
                (Some(key), None) => decoding_key(key),
                _ => Err(DecodingKeyError::SeveralKeys),
            }
        }
    }

    /// Decodes a token like [`jsonwebtoken::decode`], with the key that matches it. Tries up to
    /// four keys if the token has no `kid`, and a newer key if the key was replaced under the same
    /// `kid`.
    ///
    /// An `alg` that `validation` does not allow triggers no fetch.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`decoding_key`](Self::decoding_key) and those of jsonwebtoken.
    fn decode<C: DeserializeOwned>(
        &self,
        token: &str,
        validation: &Validation,
    ) -> impl Future<Output = Result<TokenData<C>, DecodeError>> + Send {
        async move {
            let header = decode_header(token)?;
            if !validation.algorithms.contains(&header.alg) {
                return Err(jsonwebtoken::errors::Error::from(ErrorKind::InvalidAlgorithm).into());
            }
            let tried = candidates(self, &header).await?;
            if let Some(decoded) = decode_with(&tried, token, validation)? {
                return Ok(decoded);
            }
            let others = self.replaced(&request(&header)?, &tried).await;
            let decoded = others.map(|others| decode_with(&others, token, validation));
            let bad = || jsonwebtoken::errors::Error::from(ErrorKind::InvalidSignature).into();
            decoded.transpose()?.flatten().ok_or_else(bad)
        }
    }
}

impl<S: KeySource + ?Sized> DecodingKeySource for S {}

async fn candidates<S: KeySource + ?Sized>(
    keys: &S,
    header: &Header,
) -> Result<CandidateKeys, DecodingKeyError> {
    let resolved = keys.resolve(&request(header)?).await;
    Ok(resolved.map_err(VerifyError::from)?)
}

/// Returns the key request for a token with this header. HMAC is rejected here, so that it triggers
/// no fetch.
fn request(header: &Header) -> Result<KeyRequest<'_>, DecodingKeyError> {
    let algorithm =
        asymmetric(header.alg).ok_or(DecodingKeyError::NoPublicKey { algorithm: header.alg })?;
    Ok(KeyRequest::new(header.kid.as_deref(), algorithm))
}

/// Decodes the token with each of `keys` in turn. Returns `None` if its signature is not valid for
/// any of them.
#[expect(clippy::disallowed_methods, reason = "this crate finds keys for it")]
fn decode_with<C: DeserializeOwned>(
    keys: &CandidateKeys,
    token: &str,
    validation: &Validation,
) -> Result<Option<TokenData<C>>, DecodeError> {
    for key in keys.iter() {
        match jsonwebtoken::decode(token, &decoding_key(key)?, validation) {
            Ok(decoded) => return Ok(Some(decoded)),
            Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn decoding_key(key: &VerificationKey) -> Result<DecodingKey, DecodingKeyError> {
    let jwk = key.public_jwk().ok_or(DecodingKeyError::Unrepresentable)?;
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|_| DecodingKeyError::Unrepresentable)?;
    DecodingKey::from_jwk(&jwk).map_err(|_| DecodingKeyError::Unrepresentable)
}

impl From<TokenError> for DecodingKeyError {
    fn from(error: TokenError) -> Self {
        Self::Source(error.into())
    }
}
