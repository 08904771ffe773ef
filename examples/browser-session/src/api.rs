//! The API. It validates tokens locally, from the cookie that the issuer sets for the domain.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use portcullis_axum::portcullis::{Authenticator, token::ACCESS_COOKIE};
use portcullis_axum::{Caller, protect};
use serde::Serialize;
use tower_http::cors::{AllowOrigin, CorsLayer};

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

type Book = Arc<Mutex<Vec<u32>>>;

async fn list(State(book): State<Book>, Caller(who): Caller) -> Json<Orders> {
    let orders = book.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Json(Orders { owner: who.subject().unwrap_or_default().to_owned(), orders })
}

async fn order(State(book): State<Book>) -> StatusCode {
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    let next = book.last().map_or(1, |last| last + 1);
    book.push(next);
    StatusCode::CREATED
}

/// Creates the API for pages of the origin `app`, with tokens of `issuer` and its keys at the URL `keys`.
pub(crate) async fn router(
    app: &str,
    api: &str,
    issuer: &str,
    keys: &str,
) -> Result<Router, Box<dyn Error>> {
    let auth = Authenticator::builder(issuer, api)
        .jwks_url(keys)
        .cookie(format!("__Secure-{ACCESS_COOKIE}"))
        // The origin whose unsafe requests may use the cookie.
        .also_trusted_origin(app)
        .build()
        .await?;
    // The origin whose pages may read responses. A preflight has no token, so this is the outer layer.
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::exact(HeaderValue::from_str(app)?))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST]);
    let routes = Router::new().route("/orders", get(list).post(order));
    let book = Book::new(Mutex::new(vec![17, 18]));
    Ok(protect(auth, routes).into_router().layer(cors).with_state(book))
}
