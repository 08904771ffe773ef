//! Tries settings: an [`Authenticator`](portcullis::Authenticator) with these settings validates a
//! copy of the token that is signed with a temporary key.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use portcullis::AuthenticatorBuilder;
use portcullis::fetch::{Fetch, FetchRequest, Fetching};
use serde_json::{Map, Value, json};

use super::nothing::Nothing;
use crate::check::{Request, StoppedClock};
use crate::exit::Failure;

/// A temporary signing key, and a runtime to validate on.
pub(super) struct Trial {
    runtime: tokio::runtime::Runtime,
    key: Ed25519KeyPair,
}

impl Trial {
    pub(super) fn new() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Failure::wrong(format!("cannot start a runtime: {error}")))?;
        let key = Ed25519KeyPair::generate();
        let key = key.map_err(|_| {
            Failure::wrong("cannot generate a key: the system's random generator failed")
        })?;
        Ok(Self { runtime, key })
    }

    /// Checks that a service with these variables accepts the token at the time of its issue.
    ///
    /// # Errors
    ///
    /// The service's rejection or configuration error.
    pub(super) fn accepts(
        &self,
        token: &[u8],
        variables: &[(&'static str, String)],
    ) -> Result<(), Nothing> {
        let copy =
            self.copy(token).ok_or_else(|| Nothing::because("the token cannot be decoded"))?;
        let issuer = variables.iter().find(|(name, _)| *name == "PORTCULLIS_ISSUER");
        let published = Published {
            issuer: issuer.map(|(_, value)| value.clone()).unwrap_or_default(),
            keys: json!({"keys": [self.jwk()]}),
        };
        self.runtime.block_on(async {
            let auth = AuthenticatorBuilder::from_lookup(|wanted| {
                let variable = variables.iter().find(|(name, _)| *name == wanted);
                variable.map(|(_, value)| value.clone())
            })
            .map_err(|error| Nothing::of_settings(&error))?
            .fetch(published)
            .without_background_refresh()
            .clock(Arc::new(StoppedClock::at(copy.at)) as Arc<dyn portcullis::clock::Clock>)
            .build()
            .await
            .map_err(|error| Nothing::of_settings(&error))?;
            let judged = auth.authenticate(&Request::with(copy.text.as_bytes())).await;
            judged.map(drop).map_err(|refusal| Nothing::of_refusal(&refusal))
        })
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": KID, "x": x})
    }

    /// Returns the token with `alg` and `kid` replaced and a new signature. The payload is unchanged.
    fn copy(&self, token: &[u8]) -> Option<Copy> {
        let mut parts = token.split(|&byte| byte == b'.');
        let (header, payload) = (parts.next()?, parts.next()?);
        let object = |part: &[u8]| -> Option<Map<String, Value>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (mut header, claims) = (object(header)?, object(payload)?);
        header.insert("alg".to_owned(), "EdDSA".into());
        header.insert("kid".to_owned(), KID.into());
        let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        let signed = format!("{header}.{}", std::str::from_utf8(payload).ok()?);
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).as_ref());
        let secs = |name: &str| claims.get(name).and_then(Value::as_f64).map(|secs| secs as u64);
        // The first second at which all time claims are valid, if such a second exists.
        let from = secs("iat").into_iter().chain(secs("nbf")).max();
        let at = from.or_else(|| Some(secs("exp")?.saturating_sub(1))).unwrap_or_default();
        Some(Copy { text: format!("{signed}.{signature}"), at: at.min(LAST_SECOND) })
    }
}

const KID: &str = "trial";

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

struct Copy {
    text: String,
    at: u64,
}

/// Serves the issuer's metadata and keys at any URL.
#[derive(Debug)]
struct Published {
    issuer: String,
    keys: Value,
}

impl Fetch for Published {
    fn get(&self, request: FetchRequest) -> Fetching<'_> {
        let url = request.url;
        let body = if url.contains("/.well-known/") {
            let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
            json!({"issuer": self.issuer, "jwks_uri": format!("{origin}/keys")})
        } else {
            self.keys.clone()
        };
        let answer = Response::new(Bytes::from(body.to_string()));
        Box::pin(std::future::ready(Ok(answer)))
    }
}
