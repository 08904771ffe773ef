//! Token introspection at one issuer.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, mem};

use arc_swap::ArcSwapOption;
use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::duration::InSeconds;
use crate::fetch::FetchError;
use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;
use crate::metrics;
use crate::remote::freshness::Ages;
use crate::remote::history::Record;
use crate::remote::introspection::{Answer, AskedToken, Introspector, Life};
use crate::remote::single_flight::{self, PATIENCE, Place, SingleFlight, bounded, waited};
use crate::remote::wait::{CROWDED, crowded};

/// The maximum number of tokens with cached introspection responses.
const MAX_TOKENS: u64 = 10_000;

/// The time for which an unused response is cached. An outage can be bridged for no longer than this.
const IDLE: Duration = Duration::from_secs(3600);

/// The maximum number of concurrent introspection requests. Without this limit, an unresponsive issuer
/// would make every request of a service wait. When it recovers, it would receive an introspection
/// request for each of them.
const MAX_AT_ONCE: usize = 256;

/// The maximum back-off after failures, per token.
const MAX_BACK_OFF: Duration = Duration::from_secs(5);

/// The minimum time between two log lines about new tokens that the issuer reports as inactive.
const BETWEEN_REPORTS: Duration = Duration::from_secs(60);

type Standing = Result<(), ResolveError>;
type Line = single_flight::Line<Arc<Answer>>;
type Flight = single_flight::Flight<Arc<Answer>>;

/// The introspection requests for an issuer's tokens; `None` if introspection is not configured.
pub(crate) struct Introspections(Option<Arc<Live>>);

struct Live {
    introspector: Introspector,
    /// Whether the last completed introspection request failed.
    is_failing: AtomicBool,
    /// Whether the issuer has ever reported a token as active, which shows that this client may introspect.
    may_ask: AtomicBool,
    /// The number of new tokens that the issuer reported as inactive since the last log line, and the
    /// time of that line.
    denied: Mutex<(u64, Option<Duration>)>,
    known: Cache<AskedToken, Arc<Known>>,
    flights: SingleFlight<AskedToken, Arc<Answer>>,
}

/// The state of one token: the last response, and the history of its introspection requests.
#[derive(Default)]
struct Known {
    answer: ArcSwapOption<Answer>,
    record: Record,
}

/// A request for which no cached response is recent enough.
#[derive(Clone)]
struct Request {
    live: Arc<Live>,
    token: AskedToken,
    life: Life,
    known: Arc<Known>,
    ages: Ages,
}

impl Introspections {
    pub(crate) fn new(introspector: Option<Introspector>) -> Self {
        Self(introspector.map(|introspector| {
            let known = Cache::builder().max_capacity(MAX_TOKENS).time_to_idle(IDLE).build();
            let (is_failing, flights) = (AtomicBool::new(false), SingleFlight::new(MAX_AT_ONCE));
            let (may_ask, denied) = (AtomicBool::new(false), Mutex::default());
            Arc::new(Live { introspector, is_failing, may_ask, denied, known, flights })
        }))
    }

    pub(crate) fn are_possible(&self) -> bool {
        self.0.is_some()
    }

    /// Returns when the last response about `token` was requested, if it is still known.
    pub(crate) fn asked_at(&self, token: &str) -> Option<Timestamp> {
        let known = self.0.as_ref()?.known.get(token)?;
        known.answer.load().as_ref().map(|answer| answer.asked_at)
    }

    /// Returns the status of a verified `token`; `None` if introspection is not configured.
    pub(crate) fn standing(
        &self,
        token: &str,
        life: Life,
        ages: Ages,
    ) -> Option<MaybeReady<Standing>> {
        let live = self.0.as_ref()?;
        let now = live.now();
        if let Some(standing) = live.known.get(token).and_then(|known| known.look(ages, now)) {
            return Some(MaybeReady::Ready(standing));
        }
        let token = AskedToken::new(token);
        let known = live.known.get_with_by_ref(&token, Arc::default);
        let request = Request { live: live.clone(), token, life, known, ages };
        let line = live.flights.line(&request.token);
        Some(match line.map(|line| (line.place(), line)) {
            Some((Some(place), line)) => MaybeReady::pending(request.wait(line, place)),
            crowded => MaybeReady::Ready(request.crowded_out(crowded.is_none(), now)),
        })
    }
}

impl Request {
    /// Waits for a response, within one deadline in total.
    async fn wait(self, line: Arc<Line>, place: Place) -> Standing {
        let answer = self.wait_for_answer(&line, &place);
        let answer = waited(&self.live.introspector.deadline(), answer).await;
        answer.unwrap_or_else(|error| self.settle(error))
    }

    async fn wait_for_answer(&self, line: &Arc<Line>, place: &Place) -> Standing {
        let Introspector { fetch_timeout, .. } = self.live.introspector;
        // The introspection request in flight may have been sent before this request arrived. The next
        // one was sent later.
        loop {
            let flight = match self.join(line) {
                Ok(flight) => flight,
                Err(standing) => return standing,
            };
            // Bound the age of the response even if this task was scheduled late.
            let late = self.ages.in_outage.max(fetch_timeout.saturating_add(PATIENCE));
            let age = if place.precedes(&flight) { late } else { self.ages.usual };
            match flight.landed().await.map(|answer| answer.within(age, self.live.now())) {
                Ok(Some(standing)) => return standing,
                Ok(None) => {}
                Err(error) => return self.settle(error),
            }
        }
    }

    /// Joins the introspection request in flight, or starts one. Does neither if another one has
    /// completed in the meantime.
    fn join(&self, line: &Arc<Line>) -> Result<Flight, Standing> {
        let now = self.live.now();
        let mut flights = line.lock();
        if let Ok(Some(flight)) = flights.under_way(now.monotonic()) {
            return Ok(flight);
        }
        if let Some(standing) = self.known.look(self.ages, now) {
            return Err(standing);
        }
        let ask = |number| self.clone().ask(line.clone(), number, now);
        let flight = flights.start(now.monotonic(), self.live.introspector.deadline(), ask);
        flight.map_err(|error| self.settle(error))
    }

    /// Sends an introspection request and records the result.
    async fn ask(
        self,
        line: Arc<Line>,
        number: u64,
        asked_at: Timestamp,
    ) -> Result<Arc<Answer>, FetchError> {
        let Introspector { issuer, url, .. } = &self.live.introspector;
        let asked = self.live.introspector.ask(&self.token, self.life, asked_at);
        let answer = bounded(&self.live.introspector.deadline(), asked).await.map(Arc::new);
        self.live.is_failing.store(answer.is_err(), Ordering::Relaxed);
        let Some(flights) = line.land(number) else { return answer };
        match &answer {
            Ok(answer) => {
                self.known.answer.store(Some(answer.clone()));
                self.known.record.succeeded();
                drop(flights);
                metrics::introspected(issuer, if answer.active { "active" } else { "inactive" });
                if answer.active {
                    self.live.may_ask.store(true, Ordering::Relaxed);
                } else if answer.denies_a_new_token() && !self.live.may_ask.load(Ordering::Relaxed)
                {
                    self.live.report_denied();
                }
            }
            Err(error) => {
                let now = self.live.now().monotonic();
                let (failures, back_off) = self.known.record.failed(error, now, MAX_BACK_OFF);
                drop(flights);
                metrics::introspected(issuer, "failed");
                tracing::warn!(
                    target: "portcullis::introspection",
                    issuer, url = url.as_str(), failures, back_off = %InSeconds(back_off), error = error as &dyn Error,
                    "introspection failed",
                );
            }
        }
        answer
    }

    /// The result if too many requests wait. With `by_others`, they have other tokens; otherwise, they
    /// have this token. Overload alone does not count as an outage, because any client can cause it.
    /// Only a failed introspection request counts.
    fn crowded_out(&self, by_others: bool, now: Timestamp) -> Standing {
        let source = self.known.record.last_error();
        if by_others && self.live.is_failing.load(Ordering::Relaxed) {
            self.in_outage(ResolveError::Unavailable { retry_after: CROWDED, source })
        } else if !by_others && self.known.record.history(now.monotonic()).failure.is_some() {
            self.in_outage(crowded())
        } else {
            Err(crowded())
        }
    }

    /// The result after a failure.
    fn settle(&self, error: FetchError) -> Standing {
        let failure = self.known.record.history(self.live.now().monotonic()).failure;
        let retry_after = failure.unwrap_or_default().retry_on_demand();
        self.in_outage(ResolveError::Unavailable { retry_after, source: Some(error) })
    }

    fn in_outage(&self, error: ResolveError) -> Standing {
        self.known.in_outage(self.ages, self.live.now()).unwrap_or(Err(error))
    }
}

impl Live {
    fn now(&self) -> Timestamp {
        Timestamp::now(&*self.introspector.clock)
    }

    /// Logs, at most once a minute, that the issuer reports newly issued tokens as inactive.
    fn report_denied(&self) {
        let now = self.now().monotonic();
        let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        denied.0 += 1;
        if denied.1.is_some_and(|last| now.saturating_sub(last) < BETWEEN_REPORTS) {
            return;
        }
        let (tokens, _) = mem::replace(&mut *denied, (0, Some(now)));
        drop(denied);
        let Introspector { issuer, url, asking_as, .. } = &self.introspector;
        let client_id = asking_as.as_ref().map(|client| client.id.as_str());
        tracing::warn!(
            target: "portcullis::introspection",
            issuer, url = url.as_str(), client_id, tokens,
            remedy = "unless these sessions have ended, allow the client to introspect these tokens. \
                Keycloak: the token's `aud` must contain this client. Spring Authorization Server: \
                register the client. Hydra: use the admin port",
            "issuer reports tokens as inactive less than a minute after issuing them",
        );
    }
}

impl Known {
    /// Returns the result if no introspection request is needed: from a response that is recent enough
    /// or, during the back-off after a failure, from a response that is recent enough for an outage.
    fn look(&self, ages: Ages, now: Timestamp) -> Option<Standing> {
        self.within(ages.usual, now).or_else(|| {
            let failure = self.record.history(now.monotonic()).failure?;
            if let Some(standing) = self.in_outage(ages, now) {
                return (!failure.back_off_in.is_zero()).then_some(standing);
            }
            let (retry_after, source) = (failure.retry_on_demand(), self.record.last_error());
            let unavailable = ResolveError::Unavailable { retry_after, source };
            (!retry_after.is_zero()).then_some(Err(unavailable))
        })
    }

    fn in_outage(&self, ages: Ages, now: Timestamp) -> Option<Standing> {
        self.within(ages.in_outage, now)
    }

    fn within(&self, age: Duration, now: Timestamp) -> Option<Standing> {
        self.answer.load().as_ref()?.within(age, now)
    }
}

impl fmt::Debug for Introspections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0.as_ref().map(|live| live.introspector.url.as_str());
        f.debug_tuple("Introspections").field(&url).finish()
    }
}
