//! What an issuer answers when it is asked about one token ([RFC 7662]), as one of the documents
//! that are fetched and kept: so that requests with one token ask once, and a route may be content
//! with an answer of a moment ago.
//!
//! [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662

use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::de::MapAccess;
use tokio::sync::Semaphore;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use super::budget::Budget;
use super::caching::Headers;
use super::freshness::{Lifetime, Limits};
use super::standing::{Ages, Judge};
use super::{Document, Remote, Snapshot};
use crate::claims::NumericDate;
use crate::clock::{Clock, Timestamp};
use crate::error::TokenError;
use crate::fetch::{Client, FetchError};
use crate::json::{self, FromMembers, Member};
use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;
use crate::metrics;

/// The longest answer that is read, in bytes: an issuer may put all claims into it.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The most questions at once. An issuer that does not answer shall not make every request of a
/// service wait for it, nor come back to all of them.
const MAX_AT_ONCE: usize = 256;

/// The longest that a token is not asked about after failures.
const MAX_BACK_OFF: Duration = Duration::from_secs(5);

/// Whom to ask about the tokens of an issuer, and as who.
pub(crate) struct Introspector {
    /// The issuer, as the tokens spell it.
    issuer: String,
    url: Url,
    client_id: String,
    secret_file: PathBuf,
    client: Client,
    fetch_timeout: Duration,
    clock: Arc<dyn Clock>,
    at_once: Semaphore,
    /// Whether the last question that ended has failed.
    failing: AtomicBool,
}

/// What an introspector is told at its making.
pub(crate) struct Config {
    pub(crate) issuer: String,
    pub(crate) url: Url,
    pub(crate) client_id: String,
    pub(crate) secret_file: PathBuf,
    pub(crate) client: Client,
    pub(crate) fetch_timeout: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Introspector {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            issuer: config.issuer,
            url: config.url,
            client_id: config.client_id,
            secret_file: config.secret_file,
            client: Client { max_body: MAX_ANSWER_BYTES, token: None, ..config.client },
            fetch_timeout: config.fetch_timeout,
            clock: config.clock,
            at_once: Semaphore::new(MAX_AT_ONCE),
            failing: AtomicBool::new(false),
        }
    }

    /// Asks about `token`.
    async fn ask(&self, token: &str) -> Result<Answer, FetchError> {
        let url = &self.url;
        // A crowd is no outage: only where questions fail may older answers count.
        let _place = self.at_once.try_acquire().map_err(|_| {
            let url = url.to_string();
            if self.failing.load(Ordering::Relaxed) {
                let reason =
                    format!("{MAX_AT_ONCE} questions are under way, and the last one failed");
                FetchError::Transport { url, reason }
            } else {
                FetchError::TooManyQuestions { url, limit: MAX_AT_ONCE }
            }
        })?;
        let asking = Asking { failing: &self.failing };
        let form = Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let answer = self.client.post(url, self.authorization().await?, Bytes::from(form)).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.refused(url, self.clock.now()));
        }
        let answer: AnswerMembers =
            json::from_slice(&answer.body).map_err(|error| self.no_answer(error.to_string()))?;
        let active = answer.active.ok_or_else(|| self.no_answer("`active` is absent"))?;
        asking.answered();
        Ok(Answer { active, expires_at: answer.exp })
    }

    fn no_answer(&self, problem: impl Into<String>) -> FetchError {
        FetchError::NotAnIntrospection { url: self.url.to_string(), problem: problem.into() }
    }

    /// `client_secret_basic` ([RFC 6749 §2.3.1]). The file is read each time: secrets rotate.
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    async fn authorization(&self) -> Result<HeaderValue, FetchError> {
        let unreadable = |reason| FetchError::File { path: self.secret_file.clone(), reason };
        let secret = tokio::fs::read_to_string(&self.secret_file).await.map(Zeroizing::new);
        let secret = secret.map_err(|error| unreadable(error.to_string()))?;
        if secret.trim().is_empty() {
            return Err(unreadable("it holds no secret".to_owned()));
        }
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret.trim()));
        let pair = format!("Basic {}", STANDARD.encode(Zeroizing::new(pair).as_bytes()));
        // Base64 is nothing but what a header may hold.
        let mut header = HeaderValue::try_from(pair)
            .map_err(|_| unreadable("it can not be sent in a header".to_owned()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// A question under way. It has failed unless it is answered: its deadline drops it.
struct Asking<'f> {
    failing: &'f AtomicBool,
}

impl Asking<'_> {
    fn answered(self) {
        self.failing.store(false, Ordering::Relaxed);
        std::mem::forget(self);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.failing.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// A token that is asked about, wiped when nobody asks any more.
#[derive(Clone)]
pub(crate) struct AskedToken(Arc<Zeroizing<String>>);

impl AskedToken {
    pub(crate) fn new(token: &str) -> Self {
        Self(Arc::new(Zeroizing::new(token.to_owned())))
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for AskedToken {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for AskedToken {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for AskedToken {}

/// As that of the text, which a table of them is asked for.
impl Hash for AskedToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// What the issuer says of one token, and how it is asked again. Clones share it.
#[derive(Clone)]
pub(crate) struct RemoteIntrospection(Arc<Remote<Introspection>>);

pub(crate) struct Introspection {
    token: AskedToken,
    introspector: Arc<Introspector>,
}

/// What was answered.
pub(crate) struct Answer {
    active: bool,
    /// When the token expires, if the issuer says so.
    expires_at: Option<NumericDate>,
}

impl RemoteIntrospection {
    pub(crate) fn new(token: AskedToken, introspector: &Arc<Introspector>) -> Self {
        let limits = Limits {
            ttl: Duration::MAX,
            min_ttl: Duration::ZERO,
            // Nobody is asked for the sake of requests that may not come.
            refresh_ahead: Duration::ZERO,
            max_stale: Duration::ZERO,
            ignore_must_revalidate: true,
            cooldown: Duration::ZERO,
            fetch_timeout: introspector.fetch_timeout,
            // What was asked for is an answer, as soon as the issuer can give one again.
            stale_while_retrying: false,
        };
        let (client, clock) = (introspector.client.clone(), introspector.clock.clone());
        let introspection = Introspection { token, introspector: introspector.clone() };
        Self(Arc::new(Remote::new(introspection, limits, client, clock, Budget::default())))
    }

    /// Whether the token stands, by an answer that is not older than that.
    pub(crate) fn standing(&self, ages: Ages) -> MaybeReady<Result<(), ResolveError>> {
        self.0.standing((), ages)
    }
}

impl Document for Introspection {
    type Kept = Answer;

    async fn fetch(
        remote: &Remote<Self>,
        at_hand: Option<Arc<Snapshot<Answer>>>,
        began: Timestamp,
        _: Duration,
    ) -> Result<Snapshot<Answer>, FetchError> {
        let Self { token, introspector } = &remote.document;
        let kept = introspector.ask(token.as_str()).await?;
        let lifetime = Lifetime { ageing: Duration::MAX, ttl: Duration::MAX, end: Duration::MAX };
        let headers = Headers::new(introspector.url.clone(), http::HeaderMap::new());
        let generation = at_hand.map_or(0, |before| before.generation + 1);
        Ok(Snapshot { kept, fetched_at: began, lifetime, headers, generation })
    }

    fn max_back_off(&self) -> Duration {
        MAX_BACK_OFF
    }

    fn kept(remote: &Remote<Self>, snapshot: &Snapshot<Answer>, _: Option<&Snapshot<Answer>>) {
        let outcome = if snapshot.kept.active { "active" } else { "inactive" };
        metrics::introspected(&remote.document.introspector.issuer, outcome);
    }

    fn failed(remote: &Remote<Self>, failures: u32, back_off: Duration, error: &FetchError) {
        let Introspector { issuer, url, .. } = &*remote.document.introspector;
        metrics::introspected(issuer, "failed");
        tracing::warn!(
            target: "portcullis::introspection",
            issuer, url = url.as_str(), failures, ?back_off, error = error as &dyn Error,
            "the issuer could not be asked about a token",
        );
    }
}

impl Judge for Introspection {
    type Place = ();

    fn holds(_: &Remote<Self>, _: &Answer) -> bool {
        true
    }

    /// What the issuer says is over is over, within the leeway too: it would not answer otherwise if
    /// it were asked again.
    fn judge(answer: &Answer, (): (), now: Timestamp) -> Result<(), TokenError> {
        if !answer.active {
            return Err(TokenError::Revoked);
        }
        let now = NumericDate::from(now.wall()).as_duration();
        match answer.expires_at.map(NumericDate::as_duration).filter(|&expiry| expiry <= now) {
            Some(expiry) => Err(TokenError::Expired { ago: now - expiry }),
            None => Ok(()),
        }
    }
}

/// RFC 7662 §2.2.
#[derive(Default)]
struct AnswerMembers {
    active: Option<bool>,
    exp: Option<NumericDate>,
}

impl<'de> FromMembers<'de> for AnswerMembers {
    fn take<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        member: Member<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "active" => self.active = Some(member.read("active")?),
            "exp" => self.exp = Some(member.read("exp")?),
            _ => member.skip()?,
        }
        Ok(())
    }
}
