//! Honest callers: each has a token of the issuer, new or some seconds old, and calls one of the
//! instances repeatedly.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::{Failure, Outcome};
use crate::http;
use crate::instances::{Instance, Refused};
use crate::issuers::Issuer;

/// The number of tokens in use: the newest, and some that may be signed with the previous key.
const IN_USE: usize = 8;

const CALLERS_OF_EACH_INSTANCE: usize = 2;

/// The pause between two requests of a caller, because other processes share the machine.
const PAUSE: Duration = Duration::from_millis(10);

/// The interval between two new tokens.
const NEW_TOKEN_EVERY: Duration = Duration::from_millis(300);

/// The time before its expiry during which a token is not used.
const MARGIN: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Pool {
    tokens: Mutex<VecDeque<(String, Instant)>>,
    key_ids: Mutex<BTreeSet<String>>,
    stop: AtomicBool,
}

/// The callers, which send requests until they are stopped.
pub(crate) struct Load {
    pool: Arc<Pool>,
    callers: JoinSet<Outcome<Tally>>,
}

/// The outcome of all requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) requests: usize,
    pub(crate) refused: Vec<Refused>,
    /// The number of keys that signed the tokens.
    pub(crate) keys: usize,
}

impl Load {
    pub(crate) async fn start<I: Issuer>(issuer: &I, instances: &[Instance]) -> Outcome<Self> {
        let pool = Arc::new(Pool::default());
        pool.add(issuer.access_token().await?)?;
        let mut callers = JoinSet::new();
        for instance in instances {
            for number in 0..CALLERS_OF_EACH_INSTANCE {
                callers.spawn(call(instance.clone(), pool.clone(), number));
            }
        }
        let (issuer, renewed) = (issuer.clone(), pool.clone());
        callers.spawn(async move {
            while !renewed.stop.load(Ordering::Relaxed) {
                // While the issuer is unreachable, the existing tokens are used.
                if let Ok(token) = issuer.access_token().await {
                    renewed.add(token)?;
                }
                sleep(NEW_TOKEN_EVERY).await;
            }
            Ok(Tally::default())
        });
        Ok(Self { pool, callers })
    }

    /// Waits until another key has signed a token.
    pub(crate) async fn another_key(&self, within: Duration) -> Outcome<()> {
        let begin = Instant::now();
        let keys = || self.pool.key_ids.lock().map(|ids| ids.len()).unwrap_or_default();
        let before = keys();
        while keys() == before {
            if begin.elapsed() > within {
                return Err(Failure::new(format!("no new key signed within {within:?}")));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> Outcome<Tally> {
        self.pool.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        while let Some(tally) = self.callers.join_next().await {
            let tally = tally??;
            all.requests += tally.requests;
            all.refused.extend(tally.refused);
        }
        all.keys = self.pool.key_ids.lock().map(|ids| ids.len()).unwrap_or_default();
        Ok(all)
    }
}

impl Pool {
    fn add(&self, token: String) -> Outcome<()> {
        let key_id = http::header(&token)?.get("kid").and_then(Value::as_str).map(str::to_owned);
        let claims = http::claims(&token)?;
        let time = |name| claims.get(name).and_then(Value::as_u64);
        let lifetime = time("exp").zip(time("iat")).map(|(exp, iat)| exp.saturating_sub(iat));
        let lifetime =
            lifetime.ok_or_else(|| Failure::new("an access token without `exp` and `iat`"))?;
        let expires = Instant::now() + Duration::from_secs(lifetime).saturating_sub(MARGIN);
        if let (Ok(mut tokens), Ok(mut key_ids)) = (self.tokens.lock(), self.key_ids.lock()) {
            key_ids.extend(key_id);
            tokens.push_front((token, expires));
            tokens.truncate(IN_USE);
        }
        Ok(())
    }

    fn pick(&self, number: usize) -> Option<String> {
        let now = Instant::now();
        let tokens = self.tokens.lock().ok()?;
        let valid: Vec<_> = tokens.iter().filter(|(_, expires)| *expires > now).collect();
        // Every second request has the newest token.
        let index = if number.is_multiple_of(2) { 0 } else { number / 2 };
        valid.get(index % valid.len().max(1)).map(|(token, _)| token.clone())
    }
}

async fn call(instance: Instance, pool: Arc<Pool>, first: usize) -> Outcome<Tally> {
    let mut tally = Tally::default();
    let mut number = first;
    while !pool.stop.load(Ordering::Relaxed) {
        let token = pool.pick(number).ok_or_else(|| Failure::new("all tokens have expired"))?;
        if let Err(refused) = instance.accepts(&token).await? {
            tally.refused.push(refused);
        }
        tally.requests += 1;
        number += 1;
        sleep(PAUSE).await;
    }
    Ok(tally)
}
