use actix_web::dev::HttpServiceFactory;
use actix_web::web;
use portcullis_actix::portcullis::Authenticator;
use portcullis_actix::{Auth, Claims};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
pub struct User {
    pub sub: String,
}

async fn greet(Claims(user): Claims<User>) -> String {
    format!("hello {}", user.sub)
}

pub fn routes(auth: Authenticator) -> impl HttpServiceFactory {
    web::resource("/").wrap(Auth::new(auth)).route(web::get().to(greet))
}
