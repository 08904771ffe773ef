//! jwt-authorizer, which is for axum 0.7, as is portcullis-tower's layer.

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
async fn all_three_apps_match_the_migration_table() {
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
