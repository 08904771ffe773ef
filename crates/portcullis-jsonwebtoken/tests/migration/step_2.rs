use portcullis_jsonwebtoken::issuer_settings;
use portcullis_jsonwebtoken::portcullis::keys::RemoteKeySet;
use portcullis_jsonwebtoken::portcullis::{
    Authenticator, AuthenticatorBuilder, Refusal, RequestView,
};

use super::before::{Claims, validation};

pub struct App {
    auth: Authenticator,
}

impl App {
    pub async fn new(keys: RemoteKeySet) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let settings = issuer_settings(&validation())?.key_source(keys);
        Ok(Self { auth: AuthenticatorBuilder::new(settings).build().await? })
    }

    /// `request` is the request, or its headers.
    pub async fn claims<R: RequestView + ?Sized>(&self, request: &R) -> Result<Claims, Refusal> {
        self.auth.authenticate(request).await?.claims::<Claims>()
    }
}
