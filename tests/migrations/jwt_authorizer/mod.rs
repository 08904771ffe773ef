//! Migration from jwt-authorizer, which needs axum 0.7; portcullis-tower's layer works with it, too.

mod after;
mod before;
mod both;

use axum_07::Router;
use axum_07::body::Body;
use http::{Request, StatusCode};
use portcullis::testing::AUDIENCE;
use tower::ServiceExt as _;

use crate::requests::{authenticator, hold, old_jwks, rows};

async fn send(app: Router, request: Request<()>) -> StatusCode {
    app.oneshot(request.map(|()| Body::empty())).await.unwrap().status()
}

#[tokio::test]
async fn requests_get_the_expected_status_before_during_and_after() {
    let auth = authenticator().await;
    let before = before::app(&old_jwks(), AUDIENCE).await;
    let both = both::app(auth.clone(), &old_jwks(), AUDIENCE).await;
    let after = after::app(auth);
    hold(
        &rows(),
        [
            &|request| send(before.clone(), request),
            &|request| send(both.clone(), request),
            &|request| send(after.clone(), request),
        ],
    )
    .await;
}
