//! The rights of machine clients over the tokens of others, and the state after a client was
//! removed.

use std::time::Duration;

use portcullis_issuer::{ClientRight, ClientUpdate, Error, Issuer, NewClient};
use serde_json::json;

use crate::clients::{INTROSPECT, TOKEN, active, basic, form, good, refused, token};
use crate::common::{API, Home, login, on_every_store, part};
use crate::status_lists::revoked;

on_every_store!(
    client_introspects_tokens_for_its_own_apis_only,
    refresh_tokens_need_the_right_to_continue_sessions,
    tokens_of_a_removed_client_stay_revoked_if_it_is_added_again,
    updated_client_has_its_new_attributes_and_keeps_the_others,
    old_secret_is_accepted_until_it_expires,
    update_keeps_what_it_does_not_name,
    client_without_an_audience_gets_no_token,
    revoked_token_stays_known_while_another_clock_may_accept_it,
);

const OTHER_API: &str = "https://other.example.com";

async fn add(issuer: &Issuer, client: NewClient, id: &str) -> String {
    basic(id, &issuer.add_client(client).await.unwrap().unwrap())
}

async fn client_introspects_tokens_for_its_own_apis_only(home: Home) {
    let issuer = home.open_with_alice().await;
    let inactive = json!({ "active": false });
    let api = add(&issuer, NewClient::new("api").resource_servers([API]), "api").await;
    // The APIs for which a client requests tokens do not matter for introspection.
    let client = NewClient::new("asks").audiences([API]).resource_servers([OTHER_API]);
    let asks = add(&issuer, client, "asks").await;
    let all = NewClient::new("all").rights([ClientRight::IntrospectAll]);
    let all = add(&issuer, all, "all").await;
    let none = add(&issuer, NewClient::new("none").audiences([OTHER_API]), "none").await;

    let grant = login(&issuer).await.expect(200);
    let for_api = [grant.text("access_token"), token(&issuer, &asks).await];
    for token in &for_api {
        for (client, sees) in [(&api, true), (&asks, false), (&all, true), (&none, false)] {
            let said = active(&issuer, client, token).await;
            assert_eq!(said["active"], sees, "{said}");
            assert!(sees || said == inactive, "the response has a reason: {said}");
        }
    }
    let elsewhere = token(&issuer, &none).await;
    assert_eq!(active(&issuer, &api, &elsewhere).await, inactive);
    assert_eq!(active(&issuer, &asks, &elsewhere).await["active"], true);
    assert_eq!(active(&issuer, &none, &elsewhere).await, inactive, "not a resource server");
}

async fn refresh_tokens_need_the_right_to_continue_sessions(home: Home) {
    let issuer = home.open_with_alice().await;
    let everything = [ClientRight::IntrospectAll, ClientRight::ExchangeTokens];
    let client = NewClient::new("api").resource_servers([API]).rights(everything);
    let api = add(&issuer, client, "api").await;
    let backend = NewClient::new("backend").rights([ClientRight::ContinueSessions]);
    let backend = add(&issuer, backend, "backend").await;
    let stolen = login(&issuer).await.expect(200).text("refresh_token");
    let go_on = format!("grant_type=refresh_token&refresh_token={stolen}");
    assert_eq!(active(&issuer, &api, &stolen).await, json!({ "active": false }));
    refused(&form(&issuer, TOKEN, &api, &go_on).await, 400, "unauthorized_client");
    assert_eq!(active(&issuer, &backend, &stolen).await["active"], true);
    good(form(&issuer, TOKEN, &backend, &go_on).await);
}

async fn tokens_of_a_removed_client_stay_revoked_if_it_is_added_again(home: Home) {
    let issuer = home.open().await;
    let all = NewClient::new("all").rights([ClientRight::IntrospectAll]);
    let all = add(&issuer, all, "all").await;
    let billing = || NewClient::new("billing");
    let first = token(&issuer, &add(&issuer, billing(), "billing").await).await;
    issuer.remove_client("billing").await.unwrap();
    assert!(revoked(&issuer, &first).await);
    // The client is added again within the same second.
    let billing = add(&issuer, billing(), "billing").await;
    let second = token(&issuer, &billing).await;
    assert!(revoked(&issuer, &first).await);
    assert!(!revoked(&issuer, &second).await, "the new client's token");
    assert_eq!(active(&issuer, &all, &first).await["active"], false);
    assert_eq!(active(&issuer, &all, &second).await["active"], true);

    issuer.disable_client("billing").await.unwrap();
    assert!(revoked(&issuer, &second).await);
    issuer.enable_client("billing").await.unwrap();
    // The tokens stay revoked: the client may have been disabled because another party has them.
    assert!(revoked(&issuer, &first).await && revoked(&issuer, &second).await);
    assert_eq!(active(&issuer, &all, &second).await["active"], false);
    let third = token(&issuer, &billing).await;
    assert!(!revoked(&issuer, &third).await);
    assert_eq!(active(&issuer, &all, &third).await["active"], true);
}

async fn updated_client_has_its_new_attributes_and_keeps_the_others(home: Home) {
    let issuer = home.open().await;
    let client = NewClient::new("billing").scopes(["a"]).audiences([API]);
    let billing = add(&issuer, client, "billing").await;
    let old = token(&issuer, &billing).await;
    issuer.update_client("billing", ClientUpdate::new().scopes(["b", "c"])).await.unwrap();
    let new = part(&token(&issuer, &billing).await, 1);
    assert_eq!((&new["scope"], &new["aud"]), (&json!("b c"), &json!([API])));
    assert!(!revoked(&issuer, &old).await, "it keeps its scopes until it expires");
    let update = ClientUpdate::new()
        .audiences([OTHER_API])
        .resource_servers([API])
        .rights([ClientRight::ExchangeTokens]);
    issuer.update_client("billing", update).await.unwrap();
    let client = issuer.clients().await.unwrap().remove(0);
    assert_eq!(
        (client.scopes, client.audiences),
        (vec!["b".into(), "c".into()], vec![OTHER_API.into()])
    );
    assert_eq!(client.resource_servers, [API]);
    assert_eq!(client.rights, [ClientRight::ExchangeTokens]);
    assert_eq!(part(&token(&issuer, &billing).await, 1)["aud"], json!([OTHER_API]));

    let wrong = issuer.update_client("billing", ClientUpdate::new().scopes(["two scopes"])).await;
    assert!(matches!(wrong.unwrap_err(), Error::InvalidClient(_)));
    let issuers_own = ClientUpdate::new().resource_servers([crate::common::ISSUER]);
    let wrong = issuer.update_client("billing", issuers_own).await;
    assert!(matches!(wrong.unwrap_err(), Error::InvalidClient(_)));
    let missing = issuer.update_client("unknown", ClientUpdate::new()).await;
    assert!(matches!(missing.unwrap_err(), Error::NoSuchClient { .. }));
    let kinds = issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind);
    assert_eq!(kinds.filter(|kind| kind == "client_updated").count(), 2);
}

async fn old_secret_is_accepted_until_it_expires(home: Home) {
    let issuer = home.open().await;
    let first = add(&issuer, NewClient::new("billing"), "billing").await;
    let hour = Duration::from_secs(3600);
    let rotate = async |overlap| {
        let secret = issuer.rotate_client_secret_with_overlap("billing", overlap).await;
        basic("billing", &secret.unwrap())
    };
    let second = rotate(hour).await;
    for secret in [&first, &second] {
        good(form(&issuer, TOKEN, secret, "grant_type=client_credentials").await);
    }
    home.advance(3599);
    token(&issuer, &first).await;
    home.advance(1);
    let rejected = async |secret: &str| {
        refused(&form(&issuer, INTROSPECT, secret, "token=x").await, 401, "invalid_client");
    };
    rejected(&first).await;
    // After a rotation without an overlap, all earlier secrets are rejected.
    let third = rotate(hour).await;
    let fourth = rotate(Duration::ZERO).await;
    for secret in [&second, &third] {
        rejected(secret).await;
    }
    token(&issuer, &fourth).await;
    let too_long = hour * 24 * 31;
    let error = issuer.rotate_client_secret_with_overlap("billing", too_long).await.unwrap_err();
    assert!(matches!(error, Error::InvalidClient(_)));
}

async fn update_keeps_what_it_does_not_name(home: Home) {
    let issuer = home.open().await;
    let client = NewClient::new("billing")
        .scopes(["a"])
        .audiences([API])
        .resource_servers([OTHER_API])
        .rights([ClientRight::ExchangeTokens]);
    issuer.add_client(client).await.unwrap();
    issuer.update_client("billing", ClientUpdate::new()).await.unwrap();
    let client = issuer.clients().await.unwrap().remove(0);
    assert_eq!((client.scopes, client.audiences), (vec!["a".into()], vec![API.into()]));
    assert_eq!(client.resource_servers, [OTHER_API]);
    assert_eq!(client.rights, [ClientRight::ExchangeTokens]);
}

async fn client_without_an_audience_gets_no_token(home: Home) {
    let mut config = home.config();
    config.audiences.clear();
    let issuer = Issuer::open(config).await.unwrap();
    let billing = add(&issuer, NewClient::new("billing"), "billing").await;
    let answer = form(&issuer, TOKEN, &billing, "grant_type=client_credentials").await;
    refused(&answer, 400, "invalid_target");
}

async fn revoked_token_stays_known_while_another_clock_may_accept_it(home: Home) {
    let issuer = home.open().await;
    let billing = add(&issuer, NewClient::new("billing").audiences([API]), "billing").await;
    let token = token(&issuer, &billing).await;
    good(form(&issuer, "/oauth/revoke", &billing, &format!("token={token}")).await);
    let exp = part(&token, 1)["exp"].as_i64().unwrap();
    let known_until = home.count("SELECT max(expires_at) FROM spent_jwts").await;
    let skew = i64::try_from(home.config().clock_skew.as_secs()).unwrap();
    assert_eq!(known_until, exp + skew);
}
