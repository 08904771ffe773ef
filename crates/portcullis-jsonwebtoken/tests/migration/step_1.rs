use jsonwebtoken::{Validation, decode, decode_header};
use portcullis_jsonwebtoken::portcullis::keys::RemoteKeySet;
use portcullis_jsonwebtoken::{DecodeError, DecodingKeySource};

use super::before::{Claims, validation};

pub struct App {
    keys: RemoteKeySet,
    validation: Validation,
}

impl App {
    /// `keys` is `RemoteKeySet::at("https://issuer.example/keys").build().await?`.
    pub fn new(keys: RemoteKeySet) -> Self {
        Self { keys, validation: validation() }
    }

    pub async fn claims(&self, token: &str) -> Result<Claims, DecodeError> {
        let header = decode_header(token)?;
        let key = self.keys.decoding_key(&header).await?;
        Ok(decode::<Claims>(token, &key, &self.validation)?.claims)
    }
}
