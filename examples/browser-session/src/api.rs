//! The API. It validates tokens locally, from the cookie that the issuer sets for the domain.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use portcullis_axum::portcullis::{Authenticator, Policy, token::ACCESS_COOKIE};
use portcullis_axum::{Caller, RequireLayer, protect};
use serde::Serialize;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How recent the second factor must be for a payment.
const STEPPED_UP_WITHIN: Duration = Duration::from_secs(300);

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<Order>,
}

#[derive(Serialize, Clone, Copy)]
struct Order {
    number: u32,
    paid: bool,
}

type Book = Arc<Mutex<Vec<Order>>>;

async fn list(State(book): State<Book>, Caller(who): Caller) -> Json<Orders> {
    let orders = book.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Json(Orders { owner: who.subject().unwrap_or_default().to_owned(), orders })
}

async fn order(State(book): State<Book>) -> StatusCode {
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    let number = book.last().map_or(1, |last| last.number + 1);
    book.push(Order { number, paid: false });
    StatusCode::CREATED
}

async fn pay(State(book): State<Book>, Path(number): Path<u32>) -> StatusCode {
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(order) = book.iter_mut().find(|order| order.number == number) else {
        return StatusCode::NOT_FOUND;
    };
    order.paid = true;
    StatusCode::NO_CONTENT
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
        .allow_methods([Method::GET, Method::POST])
        // Without these, the page detects neither a required step-up nor when to try again.
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER]);
    let stepped_up = Policy::acr(["aal2"]).and(Policy::max_auth_age(STEPPED_UP_WITHIN));
    let routes = Router::new()
        .route("/orders/{number}/pay", post(pay).route_layer(RequireLayer::new(stepped_up)))
        .route("/orders", get(list).post(order));
    let book = [17, 18].map(|number| Order { number, paid: false });
    let book = Book::new(Mutex::new(book.into()));
    Ok(protect(auth, routes).into_router().layer(cors).with_state(book))
}
