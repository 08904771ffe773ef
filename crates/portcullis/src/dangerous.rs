//! Functions that weaken the security of a service. None is needed with an issuer that publishes a
//! JWKS and names this API in `aud`.

use crate::algorithm::Algorithm;
use crate::authenticator::IssuerSettings;
#[cfg(feature = "aws-lc")]
use crate::crypto::AwsLc;
use crate::crypto::{CryptoProvider, Provider};
use crate::key::{KeyError, VerificationKey};
use crate::profile::Profile;
use crate::token::TokenPlace;

/// Creates a key for HMAC ([RFC 7518 §3.2]): **every service that can verify with it can also
/// sign**.
///
/// Anyone who reads the secret in one of the services that share it can impersonate any user to all
/// of them, and no log shows who did. Use such a key only for an issuer that offers nothing else,
/// or while you migrate away from HMAC.
///
/// `algorithm` is [`Hs256`](Algorithm::Hs256), [`Hs384`](Algorithm::Hs384) or
/// [`Hs512`](Algorithm::Hs512), and must also be listed in the accepted algorithms. `secret` must
/// be at least as long as the hash (32, 48 or 64 bytes) and come from a random generator: a
/// password can be brute-forced from a single token. A key without `id` is only for tokens without
/// `kid`. [The guide](crate::guide::local_keys) has details and a migration path.
///
/// ```
/// use portcullis::{Algorithm, Authenticator, dangerous, keys::{KeySet, SharedKeySet}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = [7; 32];
/// let key = dangerous::hmac_key(None, Algorithm::Hs256, &secret)?;
/// let auth = Authenticator::builder("https://auth.example", "https://api.example")
///     .algorithms([Algorithm::Hs256])
///     .key_source(SharedKeySet::new(KeySet::from_iter([key])))
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Returns an error if the algorithm is not an HMAC algorithm, or if the secret is too short.
///
/// [RFC 7518 §3.2]: https://www.rfc-editor.org/rfc/rfc7518#section-3.2
#[cfg(feature = "aws-lc")]
pub fn hmac_key(
    id: Option<&str>,
    algorithm: Algorithm,
    secret: &[u8],
) -> Result<VerificationKey, KeyError> {
    hmac_key_with(&AwsLc, id, algorithm, secret)
}

/// Creates a key for HMAC like [`hmac_key`], with a chosen [crypto provider](crate::crypto):
/// **every service that can verify with it can also sign**.
///
/// # Errors
///
/// Returns an error if the algorithm is not an HMAC algorithm, if the provider does not support it,
/// or if the secret is too short.
pub fn hmac_key_with(
    provider: &'static dyn CryptoProvider,
    id: Option<&str>,
    algorithm: Algorithm,
    secret: &[u8],
) -> Result<VerificationKey, KeyError> {
    VerificationKey::hmac(Provider::new(provider), id.map(str::to_owned), algorithm, secret)
}

/// Reads the token from a query parameter ([RFC 6750 §2.3]): **URLs, and the tokens in them, end up
/// in logs, histories and `Referer` headers**.
///
/// Use it for clients that cannot send a header, such as `EventSource` or a link. A cookie is
/// nearly always better. List this place only for the gate that needs it. The query is not
/// percent-decoded. No environment variable can list this place.
///
/// ```
/// use portcullis::{Authenticator, ConfigError, Gate, dangerous, token::TokenPlace};
///
/// // Both gates share the keys; only the second one reads the query.
/// fn gates(auth: Authenticator) -> Result<(Gate, Gate), ConfigError> {
///     let places = [TokenPlace::authorization(), dangerous::token_in_query("access_token")];
///     Ok((Gate::new(auth.clone()), Gate::new(auth).token_places(places)?))
/// }
/// ```
///
/// [RFC 6750 §2.3]: https://www.rfc-editor.org/rfc/rfc6750#section-2.3
pub fn token_in_query(parameter: impl Into<String>) -> TokenPlace {
    TokenPlace::query(parameter.into())
}

/// Accepts ID tokens as well as access tokens: **an ID token that a user's browser or another
/// service obtained grants access to this API**, and its `aud` is a client, not an API.
///
/// Use it for an issuer whose access tokens cannot be distinguished from its ID tokens, such as
/// [Dex](Profile::dex). It is also for an issuer without a profile whose access tokens have the
/// form of ID tokens. Logout tokens, refresh tokens and proofs are still rejected. No environment
/// variable makes ID tokens accepted.
///
/// ```
/// use portcullis::{Authenticator, Profile, dangerous};
///
/// let profile = dangerous::accept_id_tokens(Profile::dex());
/// assert!(profile.accepts_id_tokens() && !Profile::dex().accepts_id_tokens());
/// let builder = Authenticator::builder("https://dex.example", "client-id").profile(profile);
/// ```
#[must_use]
pub fn accept_id_tokens(mut profile: Profile) -> Profile {
    profile.accepts_id_tokens = true;
    profile
}

/// Creates settings for an issuer whose tokens are accepted with any `aud`, or without one: **every
/// API that gets a token of this issuer can use it here, and every client of the issuer can log in
/// here**.
///
/// The audience keeps a token for one API, such as a weather service, from being accepted by
/// another, such as a bank ([RFC 7519 §4.1.3], [RFC 9700 §2.3]). Without it, require something else
/// that the issuer sets for this service only, such as a scope or a `client_id`, in a
/// [`Policy`](crate::Policy) on every route. The ID tokens of many issuers differ from access
/// tokens only in `aud`, so do not use the default profile: choose the issuer's [`Profile`], or
/// [`rfc9068`](Profile::rfc9068). Use these settings only for an issuer that sets no `aud`, or that
/// issues tokens for this service only.
///
/// Everything else is still required: `iss`, `exp`, the signature and the type of the token are
/// checked. A claim that the profile reads instead of `aud` must be present (Cognito's `client_id`,
/// Clerk's `azp`). A token whose `aud` is neither a string nor an array of strings is rejected,
/// because policies may read it. The build fails if an audience is also named
/// ([`also_audience`](IssuerSettings::also_audience)), or if the profile accepts ID tokens.
///
/// The start, or the first accepted token of a resolved issuer, logs a warning, and
/// [`status`](crate::Authenticator::status) sets
/// [`accepts_any_audience`](crate::status::IssuerStatus::accepts_any_audience). No environment
/// variable makes an issuer's tokens accepted with any `aud`.
///
/// ```
/// use portcullis::keys::{KeySet, SharedKeySet};
/// use portcullis::{AuthenticatorBuilder, Profile, dangerous};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = SharedKeySet::new(KeySet::from_json(br#"{"keys":[]}"#)?);
/// let issuer = || dangerous::any_audience("https://auth.example").profile(Profile::rfc9068());
/// let auth = AuthenticatorBuilder::new(issuer().key_source(keys)).build().await?;
/// assert!(auth.status()[0].accepts_any_audience);
///
/// let both = AuthenticatorBuilder::new(issuer().also_audience("https://api.example"));
/// assert!(both.build().await.is_err());
/// # Ok(()) }
/// ```
///
/// [RFC 7519 §4.1.3]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3
/// [RFC 9700 §2.3]: https://www.rfc-editor.org/rfc/rfc9700#section-2.3
#[doc(alias("validate_aud", "insecure_disable_aud_validation", "verify_aud"))]
pub fn any_audience(issuer: impl Into<String>) -> IssuerSettings {
    IssuerSettings::for_any_audience(issuer)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::key::KeySet;
    use crate::signature;
    use crate::testing::TestKey;

    fn sign(hash: hmac::Algorithm, alg: &str, secret: &[u8]) -> String {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
        let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode("{}"));
        let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    #[test]
    fn secret_verifies_only_its_own_allowed_algorithm() {
        let secret = [7; 64];
        for (algorithm, hash) in [
            (Algorithm::Hs256, hmac::HMAC_SHA256),
            (Algorithm::Hs384, hmac::HMAC_SHA384),
            (Algorithm::Hs512, hmac::HMAC_SHA512),
        ] {
            let keys = KeySet::from_iter([hmac_key(None, algorithm, &secret).unwrap()]);
            let rule = |token: &str, allowed: &[Algorithm]| {
                signature::verify(token, &keys, allowed).err().map(|error| error.rule())
            };
            let token = sign(hash, algorithm.as_str(), &secret);
            assert_eq!(rule(&token, &[algorithm]), None);
            assert_eq!(rule(&token, Algorithm::ALL), Some("alg"));
            assert_eq!(
                rule(&sign(hash, algorithm.as_str(), &[8; 64]), &[algorithm]),
                Some("signature")
            );
            // The tag is truncated to 32 characters, which decode to whole bytes.
            let cut = token.rsplit_once('.').unwrap().0.len() + 1 + 32;
            assert_eq!(rule(token.get(..cut).unwrap(), &[algorithm]), Some("signature"));
            let other = sign(hash, "HS999", &secret);
            assert_eq!(rule(&other, &[algorithm]), Some("alg"));
        }
    }

    /// The migration from HS256: both keys in one set, until the old tokens have expired.
    #[test]
    fn secret_and_key_pair_in_one_set_do_not_verify_for_each_other() {
        let pair = TestKey::generate("new", Algorithm::Es256);
        let secret = [7; 32];
        let old = hmac_key(None, Algorithm::Hs256, &secret).unwrap();
        let keys = TestKey::key_set([&pair]).and(KeySet::from_iter([old]));
        let allowed = [Algorithm::Hs256, Algorithm::Es256];
        let rule = |token: &str| signature::verify(token, &keys, &allowed).err().map(|e| e.rule());
        assert_eq!(rule(&sign(hmac::HMAC_SHA256, "HS256", &secret)), None);
        assert_eq!(rule(&pair.sign(r#"{"alg":"ES256","kid":"new"}"#, "{}")), None);
        // The public key is not used as an HMAC secret, whatever the token's header claims.
        let jwk = pair.jwk();
        let public = [jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap()].concat();
        let forged = sign(hmac::HMAC_SHA256, "HS256", public.as_bytes());
        assert_eq!(rule(&forged), Some("signature"));
        let named = pair.sign(r#"{"alg":"HS256","kid":"new"}"#, "{}");
        assert_eq!(rule(&named), Some("alg_of_key"));
    }

    #[test]
    fn short_secret_or_asymmetric_algorithm_is_rejected() {
        for (algorithm, min) in
            [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)]
        {
            assert!(hmac_key(None, algorithm, &vec![7; min]).is_ok());
            let error = hmac_key(None, algorithm, &vec![7; min - 1]).unwrap_err();
            assert_eq!(error, KeyError::ShortSecret { bytes: min - 1, min });
        }
        for &algorithm in Algorithm::ALL {
            assert!(hmac_key(None, algorithm, &[7; 64]).is_err(), "{algorithm}");
        }
    }
}
