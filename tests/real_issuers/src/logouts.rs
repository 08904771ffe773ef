//! The row of back-channel logout: a user's session ends at the issuer, and a service that received the
//! logout token refuses the session's access token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::http::request::Parts;
use axum::routing::{get, post};
use portcullis::feed::{LogoutMatch, LogoutReceiver, Revocations};
use portcullis::{Authenticator, Gate, Profile, Revocation};
use portcullis_axum::{logout_route, protect};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower::ServiceExt as _;

use crate::failure::{Failure, Outcome};
use crate::http;
use crate::instances::API;
use crate::issuers::{Issuer, LOGOUT, LOGOUT_PATH, Login, Logouts};

/// The maximum lifetime of the issuers' access tokens: Hydra's live for an hour.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The maximum age of this instance's knowledge of revocations.
const MAX_AGE: Duration = Duration::from_secs(5);

/// The maximum time from the end of a session until its token is refused.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);

/// A service at the address that the issuer sends logout tokens to.
struct Service {
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    client: reqwest::Client,
    /// The body of the last request with a logout token, and the status of the response.
    received: Arc<Mutex<Option<(Bytes, u16)>>>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Ends a session in each way that the issuer has.
pub(crate) async fn ended_sessions<I: Issuer>(
    issuer: &I,
    name: &str,
    logouts: &Logouts,
    profile: Profile,
) -> Outcome<String> {
    let service = Service::start(name, logouts, profile).await?;
    let mut words = Vec::new();
    for way in logouts.ways {
        let ended = ended_session(issuer, logouts, &service, way).await;
        words.push(ended.map_err(|failure| Failure::new(format!("{way}: {failure}")))?);
    }
    Ok(words.join("; "))
}

async fn ended_session<I: Issuer>(
    issuer: &I,
    logouts: &Logouts,
    service: &Service,
    way: &str,
) -> Outcome<String> {
    let (login, other) = (issuer.log_in().await?, issuer.log_in().await?);
    for login in [&login, &other] {
        service.expect(login, 200).await?;
    }
    let began = Instant::now();
    issuer.end_session(&login, way).await?;
    while service.orders(&login).await? != 401 {
        if began.elapsed() > REFUSED_WITHIN {
            let received = lock(&service.received).as_ref().map(|(_, status)| *status);
            let words = format!("not refused; the status of its logout token is {received:?}");
            return Err(Failure::new(words));
        }
        sleep(Duration::from_millis(2)).await;
    }
    let lag = began.elapsed();
    let by_session = logouts.matches == LogoutMatch::Session;
    service.expect(&other, if by_session { 200 } else { 401 }).await?;
    let token = service.logout_token()?;
    let about = checked(&token, &login, logouts)?;
    if service.receives(&token).await? != 400 {
        return Err(Failure::new("a replayed logout token should get 400"));
    }
    let (text, _) = token.rsplit_once('.').unwrap_or_default();
    let (_, signature) = login.id_token.rsplit_once('.').unwrap_or_default();
    if service.receives(&format!("{text}.{signature}")).await? != 400 {
        return Err(Failure::new("a logout token with another signature should get 400"));
    }
    let others = if by_session { "the user's other session accepted" } else { "matched by `sub`" };
    Ok(format!("{way}: refused {} ms after it began, {others}, {about}", lag.as_millis()))
}

/// Checks that the logout token is as the issuer's page states, and describes it.
fn checked(token: &str, login: &Login, logouts: &Logouts) -> Outcome<String> {
    let (header, claims) = (http::header(token)?, http::claims(token)?);
    let kind = header.get("typ").and_then(Value::as_str).unwrap_or("none").to_owned();
    if (kind == "logout+jwt") == logouts.untyped {
        return Err(Failure::new(format!("the `typ` of its logout token is {kind}")));
    }
    let omitted = |name: &&str| claims.get(*name).is_none();
    let omits: Vec<&str> = ["sid", "sub", "exp"].into_iter().filter(omitted).collect();
    if omits != logouts.omitted {
        return Err(Failure::new(format!("its logout token omits {omits:?}")));
    }
    let same_key = header.get("kid") == http::header(&login.access_token)?.get("kid");
    let key = if same_key { "the access token's key" } else { "another key than the access token" };
    let mut words = format!("logout token with `typ` `{kind}`, signed with {key}");
    if !omits.is_empty() {
        words += &format!(", without `{}`", omits.join("`, `"));
    }
    Ok(words)
}

impl Service {
    async fn start(issuer: &str, logouts: &Logouts, profile: Profile) -> Outcome<Self> {
        let mut builder = Authenticator::builder(issuer, API)
            .profile(profile)
            .max_token_lifetime(LIFETIME)
            .session_at(logouts.session_at.iter().copied())
            // The client id is the API's audience.
            .logout_clients([API])
            .logout_match(logouts.matches)
            .revocations(Revocations::in_memory());
        if logouts.untyped {
            builder = builder.untyped_logout_tokens();
        }
        let auth = builder.build().await?;
        let route: Router = logout_route(LOGOUT_PATH, LogoutReceiver::new(&auth)?);
        let received = Arc::default();
        let recorded = Arc::clone(&received);
        let record = async move |parts: Parts, body: Bytes| {
            let request = Request::from_parts(parts, Body::from(body.clone()));
            let response = route.oneshot(request).await;
            let status = response.as_ref().map_or(500, |response| response.status().as_u16());
            *lock(&recorded) = Some((body, status));
            response
        };
        let gate = Gate::new(auth).revocation(Revocation::feed(MAX_AGE))?;
        let orders = Router::new().route("/orders", get(async || ""));
        let app = Router::new().route(LOGOUT_PATH, post(record)).merge(protect(gate, orders));
        let listener = TcpListener::bind(LOGOUT).await?;
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { server, client: http::client()?, received })
    }

    async fn orders(&self, login: &Login) -> Outcome<u16> {
        let request = self.client.get(format!("http://{LOGOUT}/orders"));
        let response = request.bearer_auth(&login.access_token).send().await?;
        Ok(response.status().as_u16())
    }

    async fn expect(&self, login: &Login, status: u16) -> Outcome<()> {
        match self.orders(login).await? {
            found if found == status => Ok(()),
            found => Err(Failure::new(format!("{found} instead of {status}"))),
        }
    }

    async fn receives(&self, token: &str) -> Outcome<u16> {
        let url = format!("http://{LOGOUT}{LOGOUT_PATH}");
        let request = http::post_form(&self.client, &url, &[("logout_token", token)]);
        Ok(request.send().await?.status().as_u16())
    }

    /// The last logout token that was received.
    fn logout_token(&self) -> Outcome<String> {
        let body = lock(&self.received).as_ref().map(|(body, _)| body.clone());
        let body = body.unwrap_or_default();
        let mut fields = url::form_urlencoded::parse(&body);
        let token = fields.find(|(name, _)| name == "logout_token");
        let token = token.map(|(_, token)| token.into_owned());
        token.ok_or_else(|| Failure::new("no logout token was received"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
