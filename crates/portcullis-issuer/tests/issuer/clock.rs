//! A clock that is months ahead: nothing is deleted and no key is rotated until an operator accepts
//! the clock.

use crate::common::{Home, login, on_every_store, refresh};

on_every_store!(clock_that_is_months_ahead_deletes_nothing_until_it_is_accepted);

const SESSIONS: &str = "SELECT count(*) FROM sessions";
const EVENTS: &str = "SELECT count(*) FROM events WHERE kind = 'login'";

async fn clock_that_is_months_ahead_deletes_nothing_until_it_is_accepted(home: Home) {
    let issuer = home.open_with_alice().await;
    let token = login(&issuer).await.expect(200).text("refresh_token");
    issuer.tidy().await.unwrap();
    // An outage of some days is usual.
    home.advance(6 * 24 * 60 * 60);
    issuer.tidy().await.unwrap();
    issuer.close().await;

    home.advance(91 * 24 * 60 * 60);
    let issuer = home.open().await;
    issuer.tidy().await.unwrap();
    refresh(&issuer, &token).await.expect(401);
    assert_eq!((home.count(SESSIONS).await, home.count(EVENTS).await), (1, 1));
    assert_eq!(issuer.keys().await.unwrap().len(), 1, "a key was made by that clock");

    assert!(issuer.accept_clock().await.unwrap().is_some());
    issuer.tidy().await.unwrap();
    assert_eq!((home.count(SESSIONS).await, home.count(EVENTS).await), (0, 0));
    issuer.close().await;
    let issuer = home.open().await;
    // On PostgreSQL the issuer may not know yet that it leads.
    for _ in 0..500 {
        if issuer.keys().await.unwrap().len() == 2 {
            return;
        }
        login(&issuer).await.expect(200);
    }
    panic!("the next key is not published");
}
