use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Deserialize)]
pub struct Claims {
    pub sub: String,
    pub scope: Option<String>,
}

pub fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&["https://issuer.example"]);
    validation.set_audience(&["https://api.example"]);
    validation
}

pub struct App {
    keys: JwkSet,
    validation: Validation,
}

impl App {
    /// `jwks` is what the issuer published when the service started.
    pub fn new(jwks: &str) -> Result<Self, Error> {
        Ok(Self { keys: serde_json::from_str(jwks)?, validation: validation() })
    }

    pub fn claims(&self, token: &str) -> Result<Claims, Error> {
        let header = decode_header(token)?;
        let kid = header.kid.ok_or("no kid")?;
        let key = DecodingKey::from_jwk(self.keys.find(&kid).ok_or("unknown kid")?)?;
        Ok(decode::<Claims>(token, &key, &self.validation)?.claims)
    }
}
