//! The thirteenth class with the feed, with random faults. Several instances share a store that fails,
//! reorders or repeats its entries, returns them in small pages, and loses cursors. The clocks of the
//! instances and of the issuer differ, instances restart, sessions end and subjects log in again. At
//! each request, a model that does not read the store states which outcomes are forbidden, both for
//! revoked and for honest tokens.
//!
//! `PORTCULLIS_SOAK_SEEDS` sets the number of seeds, which is 12 by default.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use portcullis::feed::{
    Appended, Changes, Cursor, Entry, LogoutReceiver, MemoryStore, RevocationStore, Revocations,
    StoreError, Storing,
};
use portcullis::keys::SharedKeySet;
use portcullis::testing::{AUDIENCE, ISSUER, ManualClock, NOW, TestKey, TestToken, gate_rule};
use portcullis::{Algorithm, Authenticator, Gate, Revocation};

const PLACES: usize = 8;
const INSTANCES: usize = 3;

/// After this time without a failed read, no back-off is left.
const RECOVERED: u64 = 1_000;

/// The maximum lifetime of tokens, in seconds.
const LIFETIME: u64 = 900;

/// A token that was issued this many seconds after an event is certainly accepted: twice the leeway
/// of 10 s, and the difference of the clocks.
const HEALED: u64 = 30;

/// xorshift64*: the same seed gives the same order.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// A correct store, as seen over a bad network.
#[derive(Debug, Clone)]
struct Distant {
    store: MemoryStore,
    chance: Arc<Mutex<Chance>>,
    /// How many of 10 operations fail.
    failing: Arc<AtomicU64>,
}

impl Distant {
    fn below(&self, bound: u64) -> u64 {
        self.chance.lock().unwrap().below(bound)
    }

    fn may_fail(&self) -> Result<(), StoreError> {
        if self.below(10) < self.failing.load(Ordering::SeqCst) {
            Err(StoreError::unavailable("the network"))
        } else {
            Ok(())
        }
    }

    async fn page(&self, after: Option<&Cursor>) -> Result<Changes, StoreError> {
        self.may_fail()?;
        if after.is_some() && self.below(20) == 0 {
            return Err(StoreError::cursor_lost());
        }
        let mut changes = self.store.changes(after).await?;
        let most = 1 + self.below(20) as usize;
        if changes.entries.len() > most {
            // The store's numbers have no gaps as long as nothing is deleted.
            let start: usize = after.map_or(0, |after| after.as_str().parse().unwrap());
            changes.entries.truncate(most);
            changes.cursor = Cursor::new((start + most).to_string());
            changes.has_more = true;
        }
        if self.below(3) == 0 {
            changes.entries.extend(self.store.changes(None).await?.entries.into_iter().take(5));
        }
        for at in (1..changes.entries.len()).rev() {
            let other = self.below(at as u64 + 1) as usize;
            changes.entries.swap(at, other);
        }
        Ok(changes)
    }
}

impl RevocationStore for Distant {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        Box::pin(async {
            self.may_fail()?;
            let appended = self.store.append(entry).await?;
            // The entry is stored, but the response may be lost.
            self.may_fail()?;
            Ok(appended)
        })
    }

    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
        Box::pin(self.page(after))
    }

    fn prune(&self, _: u64) -> Storing<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A session and its current token.
#[derive(Debug, Clone)]
struct Place {
    session: String,
    subject: String,
    /// By the issuer's clock, in seconds.
    issued_at: u64,
    /// When the revocation was acknowledged, in milliseconds.
    revoked: Option<u64>,
    /// Whether a revocation was reported and not acknowledged, or is close to the token's `iat`.
    is_unclear: bool,
}

struct Instance {
    auth: Authenticator,
    revocations: Revocations,
    receiver: LogoutReceiver,
    clock: ManualClock,
    skew: i64,
    /// When this instance last certainly knew all entries.
    knew_at: Option<u64>,
}

struct World {
    chance: Chance,
    store: Distant,
    key: Arc<TestKey>,
    issuer_skew: i64,
    instances: Vec<Instance>,
    places: Vec<Place>,
    /// The last event of each subject, by the issuer's clock.
    events: BTreeMap<String, u64>,
    names: u64,
    /// Milliseconds since the start.
    now: u64,
    good_since: u64,
}

/// The ages that a route allows, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Policy {
    usual: u64,
    in_outage: u64,
}

const STRICT: Policy = Policy { usual: 5_000, in_outage: 5_000 };
const BRAVE: Policy = Policy { usual: 5_000, in_outage: 60_000 };

impl World {
    async fn new(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let store = Distant {
            store: MemoryStore::new(),
            chance: Arc::new(Mutex::new(Chance::of(seed + 1_000))),
            failing: Arc::default(),
        };
        let issuer_skew = chance.below(9) as i64 - 4;
        let key = Arc::new(TestKey::generate("k", Algorithm::Ed25519));
        let mut world = Self {
            chance,
            store,
            key,
            issuer_skew,
            instances: Vec::new(),
            places: Vec::new(),
            events: BTreeMap::new(),
            names: 0,
            now: 0,
            good_since: 0,
        };
        for _ in 0..INSTANCES {
            let skew = world.chance.below(9) as i64 - 4;
            let instance = world.start(skew).await;
            world.instances.push(instance);
        }
        for _ in 0..PLACES {
            let place = world.log_in();
            world.places.push(place);
        }
        world
    }

    async fn start(&self, skew: i64) -> Instance {
        let clock = ManualClock::at(NOW.checked_add_signed(skew).unwrap());
        clock.advance(Duration::from_millis(self.now));
        let store = self.store.clone();
        let revocations = Revocations::builder(store).without_background_refresh().build();
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .key_source(SharedKeySet::new(TestKey::key_set([&*self.key])))
            .clock(clock.clone())
            .max_token_lifetime(Duration::from_secs(LIFETIME))
            .logout_clients(["web"])
            .event_audiences(["events"])
            .revocations(revocations.clone())
            .build()
            .await
            .unwrap();
        let receiver = LogoutReceiver::new(&auth).unwrap();
        let knew_at = auth.ready().then_some(self.now);
        Instance { auth, revocations, receiver, clock, skew, knew_at }
    }

    /// The time of the issuer, in seconds.
    fn issuer_time(&self) -> u64 {
        (NOW + self.now / 1000).checked_add_signed(self.issuer_skew).unwrap()
    }

    fn log_in(&mut self) -> Place {
        self.names += 1;
        let subject = format!("user-{}", self.chance.below(4));
        Place {
            session: format!("s-{}", self.names),
            issued_at: self.issuer_time(),
            revoked: None,
            is_unclear: self.is_near_event(&subject),
            subject,
        }
    }

    /// Whether a token that is issued now could count as issued before an event of its subject.
    fn is_near_event(&self, subject: &str) -> bool {
        self.events.get(subject).is_some_and(|event| self.issuer_time() < event + HEALED)
    }

    fn token(&self, place: &Place) -> TestToken {
        let Place { session, subject, issued_at, .. } = place;
        TestToken::new(self.key.clone(), ISSUER, subject, *issued_at).claim("sid", session.as_str())
    }

    fn advance(&mut self, millis: u64) {
        self.now += millis;
        for instance in &self.instances {
            instance.clock.advance(Duration::from_millis(millis));
        }
    }

    /// Causes one random event.
    async fn happen(&mut self) {
        let at = self.chance.below(PLACES as u64) as usize;
        let some = self.chance.below(INSTANCES as u64) as usize;
        match self.chance.below(20) {
            0..7 => {
                let millis = 50 + self.chance.below(2_000);
                self.advance(millis);
            }
            7 => {
                let millis = 5_000 + self.chance.below(80_000);
                self.advance(millis);
            }
            8..10 => self.end_session(at, some).await,
            10 => self.end_subject(at, some).await,
            11..13 => {
                let instance = &mut self.instances[some];
                if instance.revocations.refresh().await.is_ok() {
                    instance.knew_at = Some(self.now);
                }
            }
            13 => self.instances[some] = self.start(self.instances[some].skew).await,
            14 => self.places[at] = self.log_in(),
            15 => {
                // The session gets a refreshed token.
                let issued_at = self.issuer_time();
                let is_unclear = self.is_near_event(&self.places[at].subject);
                let place = &mut self.places[at];
                if place.revoked.is_none() && !place.is_unclear {
                    (place.issued_at, place.is_unclear) = (issued_at, is_unclear);
                }
            }
            16 | 17 => self.fail(0),
            18 => {
                let of_ten = self.chance.below(8);
                self.fail(of_ten);
            }
            _ => self.fail(10),
        }
        for at in 0..PLACES {
            // A token that expires soon is replaced, because differing clocks would judge it differently.
            if self.places[at].issued_at + LIFETIME < self.issuer_time() + 100 {
                self.places[at] = self.log_in();
            }
        }
    }

    fn fail(&mut self, of_ten: u64) {
        let before = self.store.failing.swap(of_ten, Ordering::SeqCst);
        if before > 0 {
            self.good_since = self.now;
        }
    }

    /// Ends a session by a call, a logout token or a security event token.
    async fn end_session(&mut self, at: usize, some: usize) {
        let (place, now) = (self.places[at].clone(), self.now);
        let instance = &self.instances[some];
        let time = self.issuer_time();
        let session = place.session.as_str();
        let post = async |content_type: &str, body: String| {
            let request = http::Request::post("/").header("content-type", content_type);
            let request = request.body(()).unwrap();
            instance.receiver.receive(&request, body.as_bytes()).await.status()
        };
        let is_stored = match self.chance.below(3) {
            0 => instance.revocations.revoke_session(ISSUER, session).await.is_ok(),
            1 => {
                let logout = TestToken::logout(self.key.clone(), ISSUER, "web", time);
                let logout = logout.claim("sid", session).sign();
                let form = "application/x-www-form-urlencoded";
                post(form, format!("logout_token={logout}")).await == 200
            }
            _ => {
                let key = self.key.clone();
                let event = TestToken::session_revoked(key, ISSUER, "events", session, time);
                post("application/secevent+jwt", event.sign()).await == 202
            }
        };
        let place = &mut self.places[at];
        if is_stored {
            place.revoked.get_or_insert(now);
        } else {
            place.is_unclear = true;
        }
    }

    /// Revokes all tokens that the subject was issued until now.
    async fn end_subject(&mut self, at: usize, some: usize) {
        let (subject, time, now) = (self.places[at].subject.clone(), self.issuer_time(), self.now);
        let is_told = self.chance.below(2) == 0;
        let told = is_told.then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(time));
        let report = self.instances[some].revocations.revoke_subject(ISSUER, &subject, told);
        let is_stored = report.await.is_ok();
        // Tokens that were issued shortly after the event may also be refused. So the sessions log in
        // again, with an `iat` that is certainly later.
        self.events.insert(subject.clone(), time);
        for place in self.places.iter_mut().filter(|place| place.subject == subject) {
            if is_stored && place.issued_at <= time {
                place.revoked.get_or_insert(now);
            } else if place.issued_at < time + HEALED {
                place.is_unclear = true;
            }
        }
        for _ in 0..2 {
            self.names += 1;
            let healed = Place {
                session: format!("s-{}", self.names),
                subject: subject.clone(),
                issued_at: time + HEALED,
                revoked: None,
                is_unclear: false,
            };
            let free = self.chance.below(PLACES as u64) as usize;
            if self.places[free].revoked.is_none() {
                self.places[free] = healed;
            }
        }
    }

    /// Sends one request, and returns whether its outcome is allowed.
    async fn check(
        &mut self,
        policy: Policy,
        at: usize,
        some: usize,
    ) -> Result<&'static str, String> {
        let revocation = Revocation::feed(Duration::from_millis(policy.usual))
            .in_outage(Duration::from_millis(policy.in_outage));
        let place = self.places[at].clone();
        // A login after an event is used only when the issuer's clock reaches its `iat`.
        if place.issued_at > self.issuer_time() {
            return Ok("later");
        }
        let headers = self.token(&place).headers();
        let now = self.now;
        let recovered =
            self.store.failing.load(Ordering::SeqCst) == 0 && now - self.good_since >= RECOVERED;
        let instance = &mut self.instances[some];
        let gate = Gate::new(instance.auth.clone()).revocation(revocation).unwrap();
        let answer = gate_rule(&gate, &headers).await;
        let longest = policy.usual.max(policy.in_outage);
        let bound = if recovered { policy.usual } else { longest };
        let wrong = match (answer, place.revoked, place.is_unclear) {
            ("accepted", Some(since), _) => now - since > bound,
            ("accepted", None, _) | ("revoked", Some(_), _) | ("revoked", None, true) => false,
            ("revoked", None, false) => true,
            ("revocation_unavailable", ..) => {
                let known = instance.knew_at.is_some_and(|at| now - at <= policy.usual);
                recovered || known
            }
            _ => true,
        };
        if recovered && answer != "revocation_unavailable" {
            // The instance knows all entries that were stored before the allowed age.
            let knew_at = now.saturating_sub(policy.usual);
            instance.knew_at = Some(instance.knew_at.map_or(knew_at, |before| before.max(knew_at)));
        }
        let age = instance.auth.status()[0].feed.as_ref().unwrap().age;
        if wrong {
            Err(format!("{place:?}, instance {some}, {policy:?}, age {age:?}: {answer}"))
        } else {
            Ok(answer)
        }
    }
}

#[tokio::test]
async fn random_faults_accept_no_revoked_token_past_its_bound_and_reject_no_honest_one() {
    let seeds = std::env::var("PORTCULLIS_SOAK_SEEDS").map_or(12, |seeds| seeds.parse().unwrap());
    let mut answers = BTreeMap::<&str, u32>::new();
    for seed in 1..=seeds {
        let mut world = World::new(seed).await;
        for step in 0..300 {
            world.happen().await;
            let at = world.chance.below(PLACES as u64) as usize;
            let some = world.chance.below(INSTANCES as u64) as usize;
            for policy in [STRICT, BRAVE] {
                match world.check(policy, at, some).await {
                    Ok(answer) => *answers.entry(answer).or_default() += 1,
                    Err(wrong) => {
                        let state = (world.now, world.good_since, &world.store.failing);
                        unreachable!("seed {seed}, step {step}, {state:?}: {wrong}");
                    }
                }
            }
        }
    }
    println!("{answers:?}");
    // A run without events would prove nothing.
    for answer in ["accepted", "revoked", "revocation_unavailable"] {
        assert!(answers.get(answer).is_some_and(|count| *count > 100), "{answers:?}");
    }
}
