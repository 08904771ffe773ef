use std::future::{Ready, ready};

use actix_web::dev::{HttpServiceFactory, Payload};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use jsonwebtoken::{DecodingKey, Validation, decode};
use portcullis_actix::portcullis::{Authenticator, Gate, token::Foreign};
use portcullis_actix::{Auth, Claims, Rejection};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
pub struct User {
    pub sub: String,
}

#[derive(Clone)]
pub struct Old {
    pub key: DecodingKey,
    pub validation: Validation,
}

impl FromRequest for User {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // Tokens of other issuers are validated by the old code.
        let foreign = request.extensions().get::<Foreign>().cloned();
        let token = foreign.as_ref().and_then(Foreign::credential);
        let old = token.zip(request.app_data::<web::Data<Old>>());
        let data = old.and_then(|(token, old)| decode(token, &old.key, &old.validation).ok());
        if let Some(data) = data {
            return ready(Ok(data.claims));
        }
        // A token of the new issuer; every other token is rejected here.
        let new = Claims::from_request(request, payload).into_inner();
        ready(new.map(|Claims(user)| user))
    }
}

async fn greet(user: User) -> String {
    format!("hello {}", user.sub)
}

pub fn routes(auth: Authenticator, old: Old) -> impl HttpServiceFactory {
    web::resource("/")
        .app_data(web::Data::new(old))
        .wrap(Auth::new(Gate::new(auth).pass_foreign()))
        .route(web::get().to(greet))
}
