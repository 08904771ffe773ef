//! Migration from actix-web-httpauth with jsonwebtoken and the key of the old issuer.

mod after;
mod before;
mod both;

use actix_web::App;
use actix_web::dev::HttpServiceFactory;
use actix_web::test::{TestRequest, init_service, try_call_service};
use http::{Request, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portcullis::testing::AUDIENCE;

use crate::requests::{OLD_KEY, authenticator, hold, rows};

async fn send(routes: impl HttpServiceFactory + 'static, request: Request<()>) -> StatusCode {
    let app = init_service(App::new().service(routes)).await;
    let mut sent = TestRequest::get().uri("/");
    for (name, value) in request.headers() {
        sent = sent.insert_header((name.as_str(), value.as_bytes()));
    }
    // The middleware of actix-web-httpauth rejects with an error.
    let status = match try_call_service(&app, sent.to_request()).await {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    StatusCode::from_u16(status.as_u16()).unwrap()
}

#[actix_web::test]
async fn requests_get_the_expected_status_before_during_and_after() {
    let jwk = serde_json::from_value(OLD_KEY.jwk()).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[AUDIENCE]);
    let auth = authenticator().await;
    let old = both::Old { key: key.clone(), validation: validation.clone() };
    hold(
        &rows(),
        [
            &|request| boxed(send(before::routes(key.clone(), validation.clone()), request)),
            &|request| boxed(send(both::routes(auth.clone(), old.clone()), request)),
            &|request| boxed(send(after::routes(auth.clone()), request)),
        ],
    )
    .await;
}

type Sent = std::pin::Pin<Box<dyn Future<Output = StatusCode>>>;

fn boxed(sent: impl Future<Output = StatusCode> + 'static) -> Sent {
    Box::pin(sent)
}
