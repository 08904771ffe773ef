//! Tokens with their keys, generated or given.

use std::fs;
use std::sync::Arc;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use portcullis::{
    Algorithm, Authenticator, Profile,
    adapter::MaybeReady,
    claims::NumericDate,
    clock::{Clock, SystemClock},
    keys::{KeySet, SharedKeySet},
};
use portcullis_testing::TestKey;
use serde_json::{Map, Value, json};

use super::arguments::BenchArguments;
use crate::check::{StoppedClock, tokens};
use crate::exit::Failure;
use crate::jwks;

/// The default size of a service's token cache, in bytes.
pub(super) const CACHE: usize = 32 * 1024 * 1024;

pub(super) struct Material {
    pub(super) algorithm: Algorithm,
    pub(super) issuer: String,
    pub(super) audience: String,
    /// The tokens. Measurements with one token use the first.
    pub(super) tokens: Vec<String>,
    pub(super) generated: bool,
    /// Whether the given token has expired. It is then validated as of the time of its issue.
    pub(super) expired: bool,
    /// The key of the first token.
    pub(super) jwk: Value,
    jwks: String,
    profile: Profile,
    clock: Arc<dyn Clock>,
    key: Option<TestKey>,
}

impl Material {
    /// Generates a key, and a token with the claims of the project's benchmarks.
    pub(super) fn generate(algorithm: Algorithm) -> Self {
        let key = TestKey::generate("2026-10-a", algorithm);
        let mut material = Self {
            algorithm,
            issuer: "https://issuer.example".to_owned(),
            audience: "https://api.example".to_owned(),
            tokens: Vec::new(),
            generated: true,
            expired: false,
            jwk: key.jwk(),
            jwks: TestKey::jwks([&key]).to_string(),
            profile: Profile::default(),
            clock: Arc::new(SystemClock::new()),
            key: Some(key),
        };
        material.distinct(1);
        material
    }

    /// Reads the given tokens, and finds their keys.
    pub(super) async fn given(arguments: &BenchArguments) -> Result<Self, Failure> {
        let mut tokens = Vec::new();
        for token in tokens::tokens(&arguments.tokens)? {
            let text = String::from_utf8(token?.text);
            tokens.push(text.map_err(|_| Failure::wrong("a token is not UTF-8"))?);
        }
        let token = tokens.first().ok_or_else(|| Failure::wrong("no token on standard input"))?;
        let (header, claims) = decode(token)?;
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let algorithm: Algorithm = algorithm
            .parse()
            .map_err(|error| Failure::wrong(format!("`alg` of the token: {error}")))?;
        let said = |name: &str| match claims.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Array(texts)) if texts.first().is_some_and(Value::is_string) => {
                Ok(texts.first().and_then(Value::as_str).unwrap_or_default().to_owned())
            }
            _ => Err(Failure::wrong(format!(
                "the token has no `{name}`; set --issuer or --audience"
            ))),
        };
        let issuer = arguments.issuer.clone().map_or_else(|| said("iss"), Ok)?;
        let audience = arguments.audience.clone().map_or_else(|| said("aud"), Ok)?;
        let jwks = match &arguments.jwks {
            Some(file) if !file.contains("://") => fs::read_to_string(file)
                .map_err(|error| Failure::no_keys(format!("--jwks: {file}: {error}")))?,
            url => jwks::document(&issuer, url.as_deref()).await?,
        };
        let (expired, clock) = clock(&claims);
        let jwk = signer(&jwks, &header, algorithm, token)?;
        Ok(Self {
            algorithm,
            issuer,
            audience,
            tokens,
            generated: false,
            expired,
            jwk,
            jwks,
            profile: arguments.profile.clone(),
            clock,
            key: None,
        })
    }

    /// Generates tokens until there are `number` of them. Does nothing if the tokens were given.
    pub(super) fn distinct(&mut self, number: usize) {
        let Some(key) = &self.key else { return };
        let now = NumericDate::from(self.clock.now()).as_duration().as_secs();
        for number in self.tokens.len()..number {
            self.tokens.push(key.token(&json!({
                "iss": self.issuer, "sub": "8f3a1f6e-6c1b-4f0e-9d0a-0e5c2b7d9a11",
                "aud": [self.issuer, self.audience], "exp": now + 86_400, "iat": now, "nbf": now,
                "jti": format!("{number:032x}"), "client_id": "identsphere-first-party",
                "scope": "orders:read orders:write profile",
                "sid": "b1946ac92492d2347c6235b4d2611184",
                "roles": ["customer", "clerk", "auditor"],
            })));
        }
    }

    pub(super) fn token(&self) -> &str {
        self.tokens.first().map_or("", String::as_str)
    }

    /// Returns a request's headers for each token.
    pub(super) fn headers(&self) -> Result<Vec<HeaderMap>, Failure> {
        self.tokens.iter().map(|token| bearer(token)).collect()
    }

    /// Builds the authenticator of a service, with a token cache of `token_cache` bytes.
    ///
    /// # Errors
    /// If the authenticator rejects one of the tokens, because the measured time would be that of a
    /// rejection.
    pub(super) async fn authenticator(&self, token_cache: usize) -> Result<Authenticator, Failure> {
        let keys = KeySet::from_json(self.jwks.as_bytes())
            .map_err(|error| Failure::no_keys(format!("--jwks: {error}")))?;
        let auth = Authenticator::builder(&self.issuer, &self.audience)
            .key_source(SharedKeySet::new(keys))
            .profile(self.profile.clone())
            .clock(self.clock.clone())
            .token_cache_bytes(token_cache)
            .build()
            .await
            .map_err(|error| Failure::wrong(error.to_string()))?;
        for (number, headers) in self.headers()?.iter().enumerate() {
            if let MaybeReady::Ready(Err(refusal)) = auth.attempt(headers) {
                let rule = refusal.rule();
                return Err(Failure::refused(format!(
                    "token {} is rejected by the rule {rule}; see `portcullis check`",
                    number + 1
                )));
            }
        }
        Ok(auth)
    }
}

/// Returns a request's headers with this token.
pub(super) fn bearer(token: &str) -> Result<HeaderMap, Failure> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let value = value
        .map_err(|_| Failure::wrong("a token has characters that are not valid in a header"))?;
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

type Object = Map<String, Value>;

fn decode(token: &str) -> Result<(Object, Object), Failure> {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Object>(&bytes).ok()
    });
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(header), Some(claims)) => Ok((header, claims)),
        _ => Err(Failure::wrong("the token is not a signed JWT; see `portcullis inspect`")),
    }
}

/// Returns whether the token has expired, and the clock to validate it with. An expired token is
/// validated as of the time of its issue.
fn clock(claims: &Object) -> (bool, Arc<dyn Clock>) {
    let secs = |name: &str| claims.get(name).and_then(Value::as_u64);
    let clock = SystemClock::new();
    let now = NumericDate::from(clock.now()).as_duration().as_secs();
    match secs("exp") {
        Some(exp) if exp <= now => {
            let issued = secs("iat").or(secs("nbf")).unwrap_or(exp.saturating_sub(1));
            (true, Arc::new(StoppedClock::at(issued)))
        }
        _ => (false, Arc::new(clock)),
    }
}

/// Returns the key that verifies the token.
fn signer(
    jwks: &str,
    header: &Object,
    algorithm: Algorithm,
    token: &str,
) -> Result<Value, Failure> {
    let set: Value = serde_json::from_str(jwks)
        .map_err(|error| Failure::no_keys(format!("--jwks: not a key set: {error}")))?;
    let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    let kid = header.get("kid").filter(|kid| kid.is_string());
    let mut named = keys.filter(|jwk| kid.is_none() || jwk.get("kid") == kid);
    let found = named.find(|jwk| {
        bare(jwk, algorithm).zip(split(token)).is_some_and(|(key, (message, signature))| {
            key.verify_sig(message.as_bytes(), &signature).is_ok()
        })
    });
    found.cloned().ok_or_else(|| {
        Failure::refused("no key of the set verifies the token; see `portcullis check`")
    })
}

/// Splits a token into its signing input and its signature.
pub(super) fn split(token: &str) -> Option<(&str, Vec<u8>)> {
    let (message, signature) = token.rsplit_once('.')?;
    Some((message, URL_SAFE_NO_PAD.decode(signature).ok()?))
}

/// Parses the key with aws-lc-rs once, so that verifying a signature includes no other work.
pub(super) fn bare(jwk: &Value, algorithm: Algorithm) -> Option<ParsedPublicKey> {
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
    let rsa = |parameters: &'static RsaParameters| {
        PublicKeyComponents { n: bytes("n")?, e: bytes("e")? }.to_parsed_public_key(parameters).ok()
    };
    let key = |algorithm: &'static dyn VerificationAlgorithm, material: Vec<u8>| {
        ParsedPublicKey::new(algorithm, material).ok()
    };
    let point = || Some([vec![4], bytes("x")?, bytes("y")?].concat());
    match algorithm {
        Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 => key(&signature::ECDSA_P256_SHA256_FIXED, point()?),
        Algorithm::Es384 => key(&signature::ECDSA_P384_SHA384_FIXED, point()?),
        Algorithm::Es512 => key(&signature::ECDSA_P521_SHA512_FIXED, point()?),
        Algorithm::Ed25519 => key(&signature::ED25519, bytes("x")?),
        Algorithm::MlDsa44 => key(&signature::ML_DSA_44, bytes("pub")?),
        Algorithm::MlDsa65 => key(&signature::ML_DSA_65, bytes("pub")?),
        Algorithm::MlDsa87 => key(&signature::ML_DSA_87, bytes("pub")?),
        _ => None,
    }
}
