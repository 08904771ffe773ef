//! The limit of requests that wait for a status list.

use std::time::Duration;

use portcullis_issuer::{Issuer, NewClient};
use tokio::time::timeout;

use crate::clients::basic;
use crate::common::{Home, call, login, on_every_store, part};

on_every_store!(
    waits_of_one_address_are_limited_and_clients_still_wait,
    limited_wrong_secret_still_gets_the_list,
);

/// Returns the path of the list, and its `ETag`.
async fn list(issuer: &Issuer) -> (String, String) {
    let token = login(issuer).await.expect(200).text("access_token");
    let uri = part(&token, 1)["status"]["status_list"]["uri"].as_str().unwrap().to_owned();
    let path = format!("/v1/{}", uri.split_once("/v1/").unwrap().1);
    let etag = call(issuer, &format!("GET {path}"), &[]).await.header("etag").to_owned();
    (path, etag)
}

async fn waits_of_one_address_are_limited_and_clients_still_wait(home: Home) {
    let issuer = home.open_with_alice().await;
    let secret = issuer.add_client(NewClient::new("api")).await.unwrap().unwrap();
    let (path, etag) = list(&issuer).await;
    let line = format!("GET {path}");
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..65 {
        let (issuer, line, etag) = (issuer.clone(), line.clone(), etag.clone());
        waiting.spawn(async move {
            call(&issuer, &line, &[("if-none-match", &etag), ("prefer", "wait=60")]).await
        });
    }
    let refused = timeout(Duration::from_secs(20), waiting.join_next()).await;
    let refused = refused.expect("one request is answered at once").unwrap().unwrap().expect(304);
    assert_eq!(refused.header("preference-applied"), "");
    let client = basic("api", &secret);
    let headers = [("if-none-match", &*etag), ("prefer", "wait=1"), ("authorization", &*client)];
    let answer = call(&issuer, &line, &headers).await.expect(304);
    assert_eq!(answer.header("preference-applied"), "wait=1");
}

async fn limited_wrong_secret_still_gets_the_list(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.attempts_per_account = 1;
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_client(NewClient::new("api")).await.unwrap();
    let (path, _) = list(&issuer).await;
    let wrong = basic("api", "wrong");
    for _ in 0..3 {
        let headers = [("prefer", "wait=1"), ("authorization", wrong.as_str())];
        call(&issuer, &format!("GET {path}"), &headers).await.expect(200);
    }
}
