//! Cookies that another host of the domain has planted: they are rejected and cleared.

use portcullis_issuer::{Issuer, NewUser};
use serde_json::json;

use crate::common::{Answer, Home, ISSUER, PASSWORD, call, login, on_every_store, post};

on_every_store!(
    planted_refresh_cookie_is_400_and_cleared,
    planted_access_cookie_of_the_domain_is_400_and_cleared,
    repeated_cookies_are_400_and_cleared,
);

const ACCESS: &str = "__Secure-portcullis-access";
const REFRESH: &str = "__Secure-portcullis-refresh";
const HOST: &str = "__Host-portcullis-session";

/// Opens an issuer whose access cookie is for all hosts of the domain, and logs in alice and
/// mallory.
async fn shared(home: &Home) -> (Issuer, Answer, Answer) {
    let mut config = home.config();
    config.cookie_domain = Some("example.com".to_owned());
    let issuer = Issuer::open(config).await.unwrap();
    for name in ["alice", "mallory"] {
        issuer.add_user(NewUser::new(name, PASSWORD)).await.unwrap();
    }
    let alice = login(&issuer).await.expect(200);
    let body = json!({ "username": "mallory", "password": PASSWORD });
    let mallory = post(&issuer, "/v1/auth/login", &body).await.expect(200);
    (issuer, alice, mallory)
}

fn cookie(answer: &Answer, name: &str) -> String {
    format!("{name}={}", answer.cookie(name).unwrap())
}

async fn with(issuer: &Issuer, line: &str, cookies: &[String]) -> Answer {
    let cookies = cookies.join("; ");
    let here = [("cookie", &*cookies), ("origin", ISSUER), ("sec-fetch-site", "same-origin")];
    call(issuer, line, &here).await
}

/// Checks that the response is this problem, and clears every cookie that the browser may have.
#[track_caller]
fn taken_back(answer: Answer, problem: &str, planted: &str) {
    let answer = answer.expect(400);
    assert_eq!(answer.json["type"], format!("urn:portcullis:problem:{problem}"), "{answer:?}");
    for name in [ACCESS, REFRESH, HOST] {
        assert_eq!(answer.cookie(name).as_deref(), Some(""), "{name}");
    }
    let cookies: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect();
    for path in ["/", "/v1", "/v1/"] {
        let cookie = format!("{planted}=; Path={path}; Domain=example.com; Max-Age=0; Secure");
        assert!(cookies.contains(&&*cookie), "no {cookie} in {cookies:?}");
    }
}

async fn planted_refresh_cookie_is_400_and_cleared(home: Home) {
    let (issuer, alice, mallory) = shared(&home).await;
    let planted = cookie(&mallory, REFRESH);
    for line in ["POST /v1/auth/refresh", "POST /v1/auth/logout"] {
        for others in [vec![], vec![cookie(&alice, HOST)]] {
            let cookies = [vec![planted.clone()], others].concat();
            taken_back(with(&issuer, line, &cookies).await, "unmatched-cookie", REFRESH);
        }
    }
    // Neither session has changed.
    for session in [&alice, &mallory] {
        let own = [cookie(session, REFRESH), cookie(session, HOST)];
        let next = with(&issuer, "POST /v1/auth/refresh", &own).await.expect(200);
        assert_eq!(next.json["session_id"], session.json["session_id"]);
        let own = [cookie(&next, REFRESH), cookie(&next, HOST)];
        with(&issuer, "POST /v1/auth/logout", &own).await.expect(204);
    }
}

async fn planted_access_cookie_of_the_domain_is_400_and_cleared(home: Home) {
    let (issuer, alice, mallory) = shared(&home).await;
    let planted = cookie(&mallory, ACCESS);
    for line in [
        "GET /v1/users/me",
        "GET /v1/auth/sessions",
        "POST /v1/auth/step-up",
        "POST /v1/auth/logout",
    ] {
        for others in [vec![], vec![cookie(&alice, HOST)]] {
            let cookies = [vec![planted.clone()], others].concat();
            taken_back(with(&issuer, line, &cookies).await, "unmatched-cookie", ACCESS);
        }
    }
    let own = [cookie(&alice, ACCESS), cookie(&alice, HOST)];
    let me = with(&issuer, "GET /v1/users/me", &own).await.expect(200);
    assert_eq!(me.json["name"], "alice");
    with(&issuer, "POST /v1/auth/logout", &own).await.expect(204);
}

async fn repeated_cookies_are_400_and_cleared(home: Home) {
    let (issuer, alice, mallory) = shared(&home).await;
    for (line, name) in [
        ("POST /v1/auth/refresh", REFRESH),
        ("POST /v1/auth/logout", REFRESH),
        ("POST /v1/auth/logout", ACCESS),
        ("GET /v1/users/me", ACCESS),
    ] {
        let both = [cookie(&alice, name), cookie(&mallory, name), cookie(&alice, HOST)];
        taken_back(with(&issuer, line, &both).await, "ambiguous-cookie", name);
    }
    // After the cookies are cleared, the victim can log in again.
    login(&issuer).await.expect(200);
}
