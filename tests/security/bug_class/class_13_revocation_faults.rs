//! The thirteenth class with random faults. The server fails, or returns damaged, foreign or old
//! lists, or lists that are signed with a withdrawn key. Clocks differ, keys are rotated, sessions
//! end, and indexes are assigned again. At each request, a model that does not fetch lists states
//! which outcomes are forbidden, both for valid and for revoked tokens.
//!
//! `PORTCULLIS_SOAK_SEEDS` sets the number of seeds, which is 12 by default.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;

use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::{Algorithm, Authenticator, Gate, Revocation, keys::SharedKeySet};

use super::support::{AUDIENCE, ISSUER, NOW, bearer, verdict};

const LIST: &str = "https://issuer.example/lists/1";

/// The lifetime of a list, in milliseconds.
const LIFETIME: u64 = 120_000;

/// After this time with valid responses, no back-off of an earlier failure is left.
const RECOVERED: u64 = 6_000;

const PLACES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Good,
    NoConnection,
    Status(u16),
    Truncated,
    Damaged,
    /// Another list of the same issuer.
    Foreign,
    /// Signed with a withdrawn key.
    Withdrawn,
    /// A list that was valid earlier.
    Replayed,
}

/// The state of an index.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Honest,
    /// The published list has the revocation since this time.
    Revoked(u64),
    /// The published list has had no entry for the former session since this time, and the index is
    /// free.
    Freed(u64),
}

/// The ages that a route allows, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Policy {
    usual: u64,
    in_outage: u64,
}

impl Policy {
    fn revocation(self) -> Revocation {
        Revocation::status_list(Duration::from_millis(self.usual))
            .in_outage(Duration::from_millis(self.in_outage))
    }
}

const STRICT: Policy = Policy { usual: 10_000, in_outage: 10_000 };
const BRAVE: Policy = Policy { usual: 10_000, in_outage: 60_000 };
const EASY: Policy = Policy { usual: 30_000, in_outage: 30_000 };

/// xorshift64*: the same seed gives the same order.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

struct World {
    chance: Chance,
    /// The seconds by which the issuer's clock is ahead of the verifier's or behind it: less than
    /// the leeway.
    skew: i64,
    auth: Authenticator,
    keys: SharedKeySet,
    fetch: ScriptedFetch,
    clock: ManualClock,
    /// The key that signs the tokens. It is never rotated.
    of_tokens: TestKey,
    of_lists: TestKey,
    /// The previous key, which no longer signs, and whether it is still in the key set.
    before: (TestKey, bool),
    names: u64,
    /// Milliseconds since the start.
    now: u64,
    mode: Mode,
    good_since: u64,
    /// When the server last returned an old list.
    replayed_at: Option<u64>,
    /// The time of the last request that passed on a route that accepts no list older than 10
    /// seconds.
    passed_at: Option<u64>,
    places: [Place; PLACES],
    /// Each list with the number of the key that signed it.
    published: Vec<(u64, String)>,
    /// When the server last returned a list of each key.
    served: BTreeMap<u64, u64>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let key = |name: &str| TestKey::generate(name, Algorithm::Ed25519);
        let (of_tokens, of_lists, before) = (key("tokens"), key("lists-1"), key("lists-0"));
        let keys = SharedKeySet::new(TestKey::key_set([&of_tokens, &of_lists]));
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .key_source(keys.clone())
            .fetch(fetch.clone())
            .clock(clock.clone())
            .build()
            .await
            .unwrap();
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let skew = chance.below(19) as i64 - 9;
        Self {
            chance,
            skew,
            auth,
            keys,
            fetch,
            clock,
            of_tokens,
            of_lists,
            before: (before, false),
            names: 1,
            now: 0,
            mode: Mode::Good,
            good_since: 0,
            replayed_at: None,
            passed_at: None,
            places: [Place::Honest; PLACES],
            published: Vec::new(),
            served: BTreeMap::new(),
        }
    }

    fn list(&self, key: &TestKey, uri: &str) -> String {
        let revoked =
            |(index, place): (usize, &Place)| u8::from(matches!(place, Place::Revoked(_))) << index;
        let bits = self.places.iter().enumerate().map(revoked).sum::<u8>();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&[bits]).unwrap();
        let packed = URL_SAFE_NO_PAD.encode(encoder.finish().unwrap());
        let iat = (NOW + self.now / 1000).checked_add_signed(self.skew).unwrap();
        let kid = key.jwk()["kid"].as_str().unwrap().to_owned();
        key.sign(
            &format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"statuslist+jwt"}}"#),
            &json!({
                "sub": uri, "iat": iat, "exp": iat + LIFETIME / 1000, "ttl": 5,
                "status_list": {"bits": 1, "lst": packed},
            })
            .to_string(),
        )
    }

    /// Makes the server respond according to the current mode.
    fn serve(&mut self) {
        let good = self.list(&self.of_lists, LIST);
        let answer = match self.mode {
            Mode::Good => {
                self.published.push((self.names, good.clone()));
                self.served.insert(self.names, self.now);
                Answer::ok(good)
            }
            Mode::NoConnection => Answer::Fails,
            Mode::Status(status) => Answer::status(status, good).with("retry-after", "1"),
            Mode::Truncated => Answer::ok(&good[..good.len() / 2]),
            Mode::Damaged => {
                let at = self.chance.below(good.len() as u64) as usize;
                let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
                let mut damaged = good;
                damaged.replace_range(at..=at, other);
                // The last character of a signature has unused bits.
                if at + 2 > damaged.len() { Answer::Fails } else { Answer::ok(damaged) }
            }
            Mode::Foreign => {
                Answer::ok(self.list(&self.of_lists, "https://issuer.example/lists/2"))
            }
            Mode::Withdrawn if self.before.1 => Answer::Fails,
            Mode::Withdrawn => Answer::ok(self.list(&self.before.0, LIST)),
            Mode::Replayed => {
                self.replayed_at = Some(self.now);
                let some = self.chance.below(self.published.len().max(1) as u64) as usize;
                self.published.get(some).map_or(Answer::Fails, |(key, list)| {
                    self.served.insert(*key, self.now);
                    Answer::ok(list)
                })
            }
        };
        self.fetch.set(LIST, answer);
    }

    fn advance(&mut self, millis: u64) {
        self.now += millis;
        self.clock.advance(Duration::from_millis(millis));
    }

    /// Causes one random event.
    fn happen(&mut self) {
        let at = self.chance.below(PLACES as u64) as usize;
        match self.chance.below(20) {
            0..8 => {
                let millis = 100 + self.chance.below(3_000);
                self.advance(millis);
            }
            8 => {
                let millis = 5_000 + self.chance.below(80_000);
                self.advance(millis);
            }
            9..12 => {
                // A revocation counts once a responding server publishes it.
                if self.places[at] == Place::Honest {
                    self.places[at] = Place::Revoked(self.now);
                }
            }
            12 => match self.places[at] {
                Place::Revoked(_) => self.places[at] = Place::Freed(self.now),
                // No list with the former session is accepted any more.
                Place::Freed(since) if self.now - since > LIFETIME + 10_000 => {
                    self.places[at] = Place::Honest;
                }
                _ => {}
            },
            13 => self.rotate(),
            14 => {
                // The signatures of the previous key are invalid from now on.
                if self.before.1 {
                    self.before.1 = false;
                    self.passed_at = None;
                    self.keys.replace(TestKey::key_set([&self.of_tokens, &self.of_lists]));
                }
            }
            15..17 => self.be(Mode::Good),
            _ => {
                let mode = match self.chance.below(8) {
                    0 => Mode::NoConnection,
                    1 => Mode::Status(500),
                    2 => Mode::Status(404),
                    3 => Mode::Truncated,
                    4 => Mode::Damaged,
                    5 => Mode::Foreign,
                    6 => Mode::Withdrawn,
                    _ => Mode::Replayed,
                };
                self.be(mode);
            }
        }
    }

    fn be(&mut self, mode: Mode) {
        if mode == Mode::Good && self.mode != Mode::Good {
            self.good_since = self.now;
        }
        self.mode = mode;
    }

    fn rotate(&mut self) {
        self.names += 1;
        let new = TestKey::generate(&format!("lists-{}", self.names), Algorithm::Ed25519);
        // The rotation also withdraws the key that was the previous key until now.
        self.passed_at = self.passed_at.filter(|_| !self.before.1);
        self.before = (std::mem::replace(&mut self.of_lists, new), true);
        let all = [&self.of_tokens, &self.of_lists, &self.before.0];
        self.keys.replace(TestKey::key_set(all));
    }

    async fn ask(&self, policy: Policy, place: usize) -> &'static str {
        let token = self.of_tokens.token(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": NOW + 864_000,
            "status": {"status_list": {"idx": place, "uri": LIST}},
        }));
        let gate = Gate::new(self.auth.clone()).revocation(policy.revocation()).unwrap();
        let verdict = verdict(&gate, &bearer(&token)).await;
        verdict.map_or_else(|refusal| refusal.rule(), |_| "passes")
    }

    /// Whether the server recently returned a list whose key has not been withdrawn since.
    fn can_be_known(&self, longest: u64) -> bool {
        let oldest = if self.before.1 { self.names - 1 } else { self.names };
        self.served.range(oldest..).any(|(_, at)| self.now - at <= longest)
    }

    /// Sends one request, and returns whether its outcome is allowed.
    async fn check(&mut self, policy: Policy, place: usize) -> Result<&'static str, String> {
        self.serve();
        let answer = self.ask(policy, place).await;
        // Background refreshes complete during these yields.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let recovered = self.mode == Mode::Good && self.now - self.good_since >= RECOVERED;
        let longest = policy.usual.max(policy.in_outage);
        // A replayed list is accepted until it expires. Its statuses are then used for as long as
        // the list is recent enough.
        let replayed = self.replayed_at.is_some_and(|at| self.now - at <= longest);
        let within = |since: u64, bound: u64| self.now - since < bound;
        let wrong = match (self.places[place], answer) {
            // The server returned no list from which the service could get this outcome.
            (_, answer) if answer != "status" && !self.can_be_known(longest) => true,
            (Place::Honest, "passes") | (Place::Revoked(_), "revoked") => false,
            (Place::Revoked(since), "passes") => {
                let bound = if recovered { policy.usual } else { longest };
                !within(since, if replayed { LIFETIME + 10_000 + longest } else { bound })
            }
            (_, "status") => {
                let known = self.passed_at.is_some_and(|at| {
                    within(at, policy.in_outage.saturating_sub(STRICT.usual)) && !replayed
                });
                recovered || known
            }
            // An old list may still give the status of the former or of the current session.
            (Place::Freed(_), _) => false,
            _ => true,
        };
        if answer == "passes" && policy.in_outage == STRICT.in_outage {
            self.passed_at = Some(self.now);
        }
        if wrong { Err(format!("place {place}, {policy:?}: {answer}")) } else { Ok(answer) }
    }
}

#[tokio::test]
async fn random_faults_reject_no_valid_token_and_accept_no_revoked_one_past_its_bound() {
    let seeds = std::env::var("PORTCULLIS_SOAK_SEEDS").map_or(12, |seeds| seeds.parse().unwrap());
    let mut answers = BTreeMap::<&str, u32>::new();
    for seed in 1..=seeds {
        let mut world = World::new(seed).await;
        for step in 0..300 {
            world.happen();
            let place = world.chance.below(PLACES as u64) as usize;
            for policy in [STRICT, BRAVE, EASY] {
                match world.check(policy, place).await {
                    Ok(answer) => *answers.entry(answer).or_default() += 1,
                    Err(wrong) => {
                        let (now, mode) = (world.now, world.mode);
                        let state = (world.good_since, world.replayed_at, world.passed_at);
                        let places = world.places;
                        unreachable!(
                            "seed {seed}, step {step}, at {now} ms, {mode:?}, {state:?}: {wrong}; \
                             {places:?}"
                        );
                    }
                }
            }
        }
    }
    println!("{answers:?}");
    // A run without events would prove nothing.
    for answer in ["passes", "revoked", "status"] {
        assert!(answers.get(answer).is_some_and(|count| *count > 100), "{answers:?}");
    }
}
