//! What weakens a service, in one place and by name. Nothing here is needed with an issuer that
//! publishes a JWKS and names this API in `aud`.

use crate::algorithm::Algorithm;
use crate::authenticator::IssuerSettings;
use crate::key::{KeyError, VerificationKey};
use crate::profile::Profile;
use crate::token::TokenPlace;

/// A key for HMAC ([RFC 7518 §3.2]): **every service that can verify with it can also sign**.
///
/// Whoever reads the secret in one of the services that share it can be any user to all of them,
/// and no log tells who did. For an issuer that offers nothing else, and to migrate away from it.
///
/// `algorithm` is one of [`Hs256`](Algorithm::Hs256), [`Hs384`](Algorithm::Hs384) and
/// [`Hs512`](Algorithm::Hs512), and must be allowed by name as well; `secret` is at least as long
/// as the hash (32, 48 or 64 bytes), from a random generator: a word that people chose is found from one token.
/// A key without `id` is for tokens without `kid` alone. [The guide](crate::guide::local_keys) has more, and the way
/// out.
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
/// When the algorithm is another one, or the secret is too short.
///
/// [RFC 7518 §3.2]: https://www.rfc-editor.org/rfc/rfc7518#section-3.2
pub fn hmac_key(
    id: Option<&str>,
    algorithm: Algorithm,
    secret: &[u8],
) -> Result<VerificationKey, KeyError> {
    VerificationKey::hmac(id.map(str::to_owned), algorithm, secret)
}

/// A parameter of the query that holds the token ([RFC 6750 §2.3]): **URLs end up in logs, histories
/// and `Referer` headers, and the tokens with them**.
///
/// For what can send nothing else, such as `EventSource` or a link; a cookie is nearly always the
/// better way. List it for the one gate that needs it. Nothing of the query is decoded. No variable
/// of the environment sets it.
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

/// Accepts ID tokens as well as access tokens: **an ID token that a user's browser or another service
/// got hold of opens this API**, and its `aud` is a client, not an API.
///
/// For an issuer whose access tokens nothing tells from its ID tokens, such as [Dex](Profile::dex), or
/// whose access tokens are made like ID tokens and which has no profile. Logout tokens, refresh tokens
/// and proofs are refused all the same. No variable of the environment sets it.
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

/// Settings for an issuer whose tokens are accepted whatever their `aud` says, or without one: **every API
/// that gets a token of this issuer can use it here, and every client of the issuer can log in here**.
///
/// The audience is what keeps a token that was sent to a weather service from opening a bank ([RFC 7519
/// §4.1.3], [RFC 9700 §2.3]). Without it, hold callers to something else that the issuer writes for this
/// service alone, such as a scope or `client_id`, by a [`Policy`](crate::Policy) on every route. Many
/// issuers' ID tokens are told from access tokens by their `aud` alone: choose the issuer's
/// [`Profile`], or [`rfc9068`](Profile::rfc9068), not the default. For an issuer that
/// writes no `aud`, or one for this service alone.
///
/// Nothing else becomes optional: `iss`, `exp`, the signature and the kind of the token are checked as ever,
/// and so is a claim that the profile reads in the place of `aud`, which must be there (Cognito's
/// `client_id`, Clerk's `azp`). An `aud` that is neither a string nor an array of strings refuses the token,
/// since policies may read it. An audience that is named as well
/// ([`also_audience`](IssuerSettings::also_audience)), and a profile that accepts ID tokens, are refused at
/// the start. The start, or the first accepted token of a resolved issuer, is logged as a warning, and [`status`](crate::Authenticator::status) says
/// [`accepts_any_audience`](crate::status::IssuerStatus::accepts_any_audience). No variable of the
/// environment sets it.
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
    fn a_secret_verifies_only_its_own_algorithm_and_only_when_that_is_allowed() {
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
            // A tag that is cut short by a third, to whole characters.
            let cut = token.rsplit_once('.').unwrap().0.len() + 1 + 32;
            assert_eq!(rule(token.get(..cut).unwrap(), &[algorithm]), Some("signature"));
            let other = sign(hash, "HS999", &secret);
            assert_eq!(rule(&other, &[algorithm]), Some("alg"));
        }
    }

    /// The way out of HS256: both keys in one set, as long as old tokens live.
    #[test]
    fn secret_and_key_pair_stand_in_one_set_and_neither_verifies_for_the_other() {
        let pair = TestKey::generate("new", Algorithm::Es256);
        let secret = [7; 32];
        let old = hmac_key(None, Algorithm::Hs256, &secret).unwrap();
        let keys = TestKey::key_set([&pair]).and(KeySet::from_iter([old]));
        let allowed = [Algorithm::Hs256, Algorithm::Es256];
        let rule = |token: &str| signature::verify(token, &keys, &allowed).err().map(|e| e.rule());
        assert_eq!(rule(&sign(hmac::HMAC_SHA256, "HS256", &secret)), None);
        assert_eq!(rule(&pair.sign(r#"{"alg":"ES256","kid":"new"}"#, "{}")), None);
        // The public key is no secret, whatever the token's header says.
        let jwk = pair.jwk();
        let public = [jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap()].concat();
        let forged = sign(hmac::HMAC_SHA256, "HS256", public.as_bytes());
        assert_eq!(rule(&forged), Some("signature"));
        let named = pair.sign(r#"{"alg":"HS256","kid":"new"}"#, "{}");
        assert_eq!(rule(&named), Some("alg_of_key"));
    }

    #[test]
    fn short_secrets_and_other_algorithms_are_no_keys() {
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
