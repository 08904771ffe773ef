//! Formats an error and its causes in one line.

use std::error::Error;

/// Returns the error and its causes: the reason of a failed connection is often only in the last
/// cause.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

/// Implements `Debug` like `Display`, with the causes, for a `main` that returns the error.
macro_rules! debug_with_causes {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::causes::with_causes(self))
            }
        }
    };
}

pub(crate) use debug_with_causes;

#[cfg(test)]
mod tests {
    use std::error::Error;

    use http::{HeaderMap, StatusCode};

    use crate::authenticator::ConfigError;
    use crate::credentials::CredentialsError;
    use crate::dangerous;
    use crate::error::UnreadableClaim;
    use crate::fetch::{BodyTooLong, FetchError};
    use crate::key::{KeySet, KeySetError};
    use crate::key_source::SharedKeySet;
    use crate::refusal::Denial;
    use crate::{Algorithm, Authenticator, Profile, signature};

    /// Returns what `fn main() -> Result<(), Box<dyn Error>>` prints after `Error: `.
    fn printed(error: impl Into<Box<dyn Error>>) -> String {
        format!("{:?}", error.into())
    }

    async fn auth_of_nothing() -> Authenticator {
        let builder = Authenticator::builder("https://auth.example", "https://api.example");
        builder.key_source(SharedKeySet::new(KeySet::default())).build().await.unwrap()
    }

    #[tokio::test]
    async fn debug_of_an_error_shows_its_message_and_causes() {
        let url = "https://auth.example/keys";
        let source = FetchError::NotAKeySet {
            url: url.to_owned(),
            source: KeySet::from_json(b"[]").unwrap_err(),
        };
        let no_key_set =
            "https://auth.example/keys is not a key set: it is an array, not a JSON object";
        assert_eq!(printed(source.clone()), no_key_set);
        let issuer = "https://auth.example".to_owned();
        assert_eq!(
            printed(ConfigError::KeysUnavailable { issuer, source }),
            format!("the keys of https://auth.example could not be fetched: {no_key_set}")
        );
        let unset = Authenticator::builder("", "https://api.example").build().await.unwrap_err();
        assert_eq!(
            printed(unset),
            "issuer (PORTCULLIS_ISSUER) is not set: the issuer's URL, exactly as in `iss`; keys are \
             discovered from it"
        );
        let status = StatusCode::BAD_GATEWAY;
        let bad = FetchError::Status { url: url.to_owned(), status, retry_after: None };
        assert_eq!(printed(bad), "https://auth.example/keys responded with 502 Bad Gateway");
        let too_many = KeySetError::TooManyKeys { limit: 200, setting: None };
        assert_eq!(printed(too_many), "more than 200 keys");

        let short = dangerous::hmac_key(Some("a"), Algorithm::Hs256, b"secret").unwrap_err();
        assert_eq!(printed(short), "a secret of 6 bytes; this algorithm needs 32 or more");
        let opaque = signature::verify("opaque", &KeySet::default(), Algorithm::ALL).unwrap_err();
        assert_eq!(printed(opaque), "the token is not a JWS in compact form");
        let algorithm = "none".parse::<Algorithm>().unwrap_err();
        assert!(printed(algorithm).starts_with("`none` is not one of RS256, "));
        let profile = "other".parse::<Profile>().unwrap_err();
        assert!(printed(profile).starts_with("it must be one of jwt, "));

        assert_eq!(printed(BodyTooLong), "the body exceeds the size limit");
        let twice = printed(CredentialsError::Repeated);
        assert_eq!(twice, "the request has more than one token");
        let refusal = auth_of_nothing().await.authenticate(&HeaderMap::new()).await.unwrap_err();
        assert_eq!(printed(refusal), "refused: missing_token: the request has no bearer token");
        let claim = UnreadableClaim::repeated("roles");
        assert_eq!(printed(claim.clone()), claim.to_string());
        let denial = Denial::UnreadableClaim(claim);
        assert_eq!(printed(denial.clone()), denial.to_string());
    }
}
