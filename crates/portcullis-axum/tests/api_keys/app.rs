use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::{Router, routing::get};
use http::request::Parts;
use portcullis_axum::portcullis::{Authenticated, Authenticator, Gate, token::Foreign};
use portcullis_axum::{Caller, Rejection, protect};

/// The API keys that were issued, by the part of each that is not secret. A key is `ak_ID_SECRET`; the
/// secret is 256 random bits, so a plain SHA-256 is enough to keep it.
#[derive(Clone, Default)]
pub struct ApiKeys(Arc<HashMap<String, ApiKey>>);

pub struct ApiKey {
    pub sha256: [u8; 32],
    pub owner: String,
}

impl ApiKeys {
    pub fn new(keys: HashMap<String, ApiKey>) -> Self {
        Self(Arc::new(keys))
    }

    fn owner(&self, key: &str) -> Option<&str> {
        let (id, _) = key.strip_prefix("ak_")?.split_once('_')?;
        let issued = self.0.get(id)?;
        // In constant time, so the duration does not reveal how much of the key is correct.
        verify_slices_are_equal(digest(&SHA256, key.as_bytes()).as_ref(), &issued.sha256).ok()?;
        Some(&issued.owner)
    }
}

/// A user with a token, or a machine with an API key.
pub enum Principal {
    User(Authenticated),
    Machine { owner: String },
}

impl FromRequestParts<ApiKeys> for Principal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, keys: &ApiKeys) -> Result<Self, Rejection> {
        let foreign = parts.extensions.get::<Foreign>().and_then(Foreign::credential);
        if let Some(owner) = foreign.and_then(|key| keys.owner(key)) {
            return Ok(Self::Machine { owner: owner.to_owned() });
        }
        // Rejects everything except a valid token or a known key.
        let Caller(who) = Caller::from_request_parts(parts, keys).await?;
        Ok(Self::User(who))
    }
}

/// Accepts both.
async fn orders(who: Principal) -> String {
    match who {
        Principal::User(who) => format!("the orders of {}", who.subject().unwrap_or_default()),
        Principal::Machine { owner } => format!("the orders of {owner}, by API key"),
    }
}

/// Accepts only tokens: an API key gets a 401.
async fn account(Caller(who): Caller) -> String {
    format!("the account of {}", who.subject().unwrap_or_default())
}

pub fn app(auth: Authenticator, keys: ApiKeys) -> Router {
    let api = Router::new().route("/orders", get(orders)).route("/account", get(account));
    protect(Gate::new(auth).pass_foreign(), api).into_router().with_state(keys)
}
