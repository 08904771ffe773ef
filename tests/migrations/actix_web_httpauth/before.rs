use actix_web::dev::{HttpServiceFactory, ServiceRequest};
use actix_web::error::ErrorUnauthorized;
use actix_web::{HttpMessage as _, web};
use actix_web_httpauth::extractors::bearer::BearerAuth;
use actix_web_httpauth::middleware::HttpAuthentication;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
pub struct User {
    pub sub: String,
}

async fn greet(user: web::ReqData<User>) -> String {
    format!("hello {}", user.sub)
}

pub fn routes(key: DecodingKey, validation: Validation) -> impl HttpServiceFactory {
    let check = move |request: ServiceRequest, bearer: BearerAuth| {
        let data = decode::<User>(bearer.token(), &key, &validation);
        async move {
            match data {
                Ok(data) => {
                    request.extensions_mut().insert(data.claims);
                    Ok(request)
                }
                Err(_) => Err((ErrorUnauthorized("bad token"), request)),
            }
        }
    };
    web::resource("/").wrap(HttpAuthentication::bearer(check)).route(web::get().to(greet))
}
