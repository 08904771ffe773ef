//! The issuer on a loopback socket, and the instances, which fetch their keys from it.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};
use portcullis::Authenticator;
use portcullis_issuer::{Issuer, IssuerConfig, NewUser};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::clock::EventClock;
use crate::exit::Failure;
use crate::tune::scenario::Scenario;

const AUDIENCE: &str = "https://api.example";
const PASSWORD: &str = "correct horse battery staple";

/// Stays below 100 sessions, beyond which the issuer ends a user's least recently used one.
const SESSIONS_PER_USER: u64 = 50;

/// Further instances would add fetches, but nothing else to measure.
const MAX_INSTANCES: u64 = 20;

pub(super) struct World {
    pub(super) clock: EventClock,
    issuer: Issuer,
    url: String,
    http: reqwest::Client,
    instances: Vec<Authenticator>,
    users: u64,
    logins: AtomicU64,
    _folder: TempDir,
}

/// The fields of the issuer's response that the client uses.
#[derive(Debug, Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    pub(super) expires_in: u64,
}

#[derive(Serialize)]
struct Login<'a> {
    username: &'a str,
    password: &'static str,
}

#[derive(Serialize)]
struct Refresh<'a> {
    refresh_token: &'a str,
}

fn name_of(number: u64) -> String {
    format!("user{number}")
}

impl World {
    pub(super) async fn start(scenario: &Scenario) -> Result<Self, Failure> {
        let clock = EventClock::default();
        let folder = tempfile::tempdir().map_err(|error| failed("creating a folder", error))?;
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|error| failed("binding a socket", error))?;
        let address = listener.local_addr().map_err(|error| failed("binding a socket", error))?;
        let url = format!("http://{address}");

        let mut config = IssuerConfig::new(&url, folder.path().join("identsphere.db"));
        config.audiences = vec![AUDIENCE.to_owned()];
        config.access_expiry = Duration::from_secs(scenario.access_expiry as u64);
        // The scenario determines how often sessions refresh.
        config.refreshes_per_session = 0;
        config.clock = std::sync::Arc::new(clock.clone());
        let issuer =
            Issuer::open(config).await.map_err(|error| failed("opening the issuer", error))?;
        let users = scenario.sessions.div_ceil(SESSIONS_PER_USER).max(1);
        for number in 0..users {
            let user = NewUser::new(name_of(number), PASSWORD);
            issuer.add_user(user).await.map_err(|error| failed("adding a user", error))?;
        }
        let served = issuer.clone();
        tokio::spawn(async move { served.serve(listener, pending()).await });

        let secs = Duration::from_secs_f64;
        let mut instances = Vec::new();
        for _ in 0..scenario.instances.min(MAX_INSTANCES) {
            let instance = Authenticator::builder(&url, AUDIENCE)
                .leeway(secs(scenario.verifier.leeway))
                .jwks_ttl(secs(scenario.verifier.jwks_ttl))
                // A background task would sleep on the real clock. Without it, the first request after
                // the TTL fetches.
                .without_background_refresh()
                .clock(clock.clone());
            let instance =
                instance.build().await.map_err(|error| failed("building an instance", error))?;
            instances.push(instance);
        }
        let http = reqwest::Client::new();
        let logins = AtomicU64::new(0);
        Ok(Self { clock, issuer, url, http, instances, users, logins, _folder: folder })
    }

    pub(super) async fn login(&self) -> Result<Tokens, Failure> {
        let number = self.logins.fetch_add(1, Ordering::Relaxed) % self.users;
        let login = Login { username: &name_of(number), password: PASSWORD };
        self.post("login", &login)
            .await?
            .ok_or_else(|| Failure::wrong("--live: the issuer rejected the login"))
    }

    /// Returns the next tokens; `None` if the session has ended.
    pub(super) async fn refresh(&self, refresh_token: &str) -> Result<Option<Tokens>, Failure> {
        self.post("refresh", &Refresh { refresh_token }).await
    }

    pub(super) async fn logout(&self, refresh_token: &str) -> Result<(), Failure> {
        let url = format!("{}/v1/auth/logout", self.url);
        let sent = self.http.post(url).json(&Refresh { refresh_token }).send().await;
        let answer = sent.and_then(reqwest::Response::error_for_status);
        answer.map(drop).map_err(|error| failed("logout", error))
    }

    /// Returns whether the instance accepts the token. Numbers beyond the last instance wrap around.
    pub(super) async fn accepts(&self, instance: u64, token: &str) -> Result<bool, Failure> {
        let value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|error| failed("sending a token", error))?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        match self.instances.get(instance as usize % self.instances.len()) {
            Some(instance) => Ok(instance.authenticate(&headers).await.is_ok()),
            None => Err(Failure::wrong("--live: no instance runs; raise --instances")),
        }
    }

    pub(super) async fn rotate(&self) -> Result<(), Failure> {
        self.issuer.rotate_keys().await.map(drop).map_err(|error| failed("key rotation", error))
    }

    pub(super) async fn close(&self) {
        self.issuer.close().await;
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<Option<Tokens>, Failure> {
        let url = format!("{}/v1/auth/{path}", self.url);
        let sent = self.http.post(url).json(body).send().await;
        let answer = sent.map_err(|error| failed(path, error))?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(|error| failed(path, error))?;
        answer.json().await.map(Some).map_err(|error| failed(path, error))
    }
}

fn failed(what: &str, error: impl std::error::Error) -> Failure {
    Failure::wrong(format!("--live: {what} failed: {error}"))
}
