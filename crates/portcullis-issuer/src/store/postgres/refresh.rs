//! Batches of refreshes: in one round trip, one statement rotates the current tokens of all waiting
//! requests, with one commit. A request whose token it does not rotate gets its own transaction.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use sqlx::postgres::PgRow;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::domain::sessions::{Budget, Refreshed, Rotation, Session};
use crate::domain::tokens::Place;
use crate::domain::users::User;
use crate::error::StoreError;
use crate::metrics;
use crate::store::dialect::Row as _;
use crate::store::sql::rows::{self, session_and_user};

/// The maximum number of requests in a batch. It bounds how long the rows are locked.
const MAX_BATCH: usize = 128;

/// The number of concurrent batches: while one waits for the disk, the next one is collected.
const WORKERS: usize = 2;

/// Rotates current tokens of live sessions whose budget allows it and whose place in a status list
/// need not be extended. All other cases are left to
/// [`RotateRefresh`](crate::store::sql::sessions::refresh::RotateRefresh). The rows are locked in
/// the order of their ids, so that two processes cannot deadlock. The MAC of each presented token
/// was verified before.
const ROTATE: &str = concat!(
    "WITH asked AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[], \
        $5::bytea[]) AS asked (session_id, generation, presented, successor, sealed)), \
     locked AS (SELECT id FROM sessions WHERE id = ANY($1) ORDER BY id FOR UPDATE) \
     UPDATE sessions SET generation = sessions.generation + 1, token_hash = asked.successor, \
        previous_hash = asked.presented, sealed_successor = asked.sealed, rotated_at = $6, \
        refresh_budget_until = GREATEST(sessions.refresh_budget_until, $7) + $8, \
        last_used_at = CASE WHEN $6 - sessions.last_used_at < $9 THEN sessions.last_used_at \
            ELSE $6 END, \
        expires_at = CASE WHEN $6 - sessions.last_used_at < $9 THEN sessions.expires_at \
            ELSE LEAST($6 + $10, sessions.created_at + $11) END \
     FROM asked JOIN locked ON locked.id = asked.session_id \
        JOIN status_places ON status_places.owner = asked.session_id, users \
     WHERE sessions.id = asked.session_id AND users.id = sessions.user_id \
        AND sessions.generation = asked.generation AND sessions.token_hash = asked.presented \
        AND sessions.ended_at IS NULL AND sessions.expires_at > $6 \
        AND sessions.created_at + $11 > $6 AND status_places.taken_until >= $12 \
        AND ($8 = 0 OR GREATEST(sessions.refresh_budget_until, $7) + $8 <= $7 + $13) \
     RETURNING ",
    session_and_user!(),
    ", status_places.list, status_places.place"
);

/// The queue of refreshes, from which tasks take batches.
#[derive(Debug)]
pub(super) struct Batches(Mutex<Option<UnboundedSender<Waiting>>>);

#[derive(Debug)]
struct Waiting {
    rotation: Rotation,
    rotated: oneshot::Sender<Option<Refreshed>>,
}

impl Batches {
    pub(super) fn start(pool: &PgPool) -> Self {
        let (queue, waiting) = unbounded_channel();
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        for _ in 0..WORKERS {
            drop(tokio::spawn(work(pool.clone(), Arc::clone(&waiting))));
        }
        Self(Mutex::new(Some(queue)))
    }

    /// Rotates a token with the next batch. Returns `None` if the refresh needs its own
    /// transaction.
    pub(super) async fn rotate(&self, rotation: &Rotation) -> Option<Refreshed> {
        // The batch's statement cannot rotate a token of the former format, and cannot check the
        // version of the keys.
        if rotation.generation == 0 || rotation.key_version.is_some() {
            return None;
        }
        let (rotated, answered) = oneshot::channel();
        {
            let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            queue.as_ref()?.send(Waiting { rotation: rotation.clone(), rotated }).ok()?;
        }
        answered.await.ok().flatten()
    }

    /// Closes the queue. The tasks end after their current batches.
    pub(super) fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Takes batches from the queue, and rotates them, until the queue is closed.
async fn work(pool: PgPool, waiting: Arc<tokio::sync::Mutex<UnboundedReceiver<Waiting>>>) {
    loop {
        let mut batch = Vec::new();
        if waiting.lock().await.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        batch.retain(|waiting| !waiting.rotated.is_closed());
        // A statement changes a row only once, so a second request for the same session gets its
        // own transaction.
        let mut sessions = HashSet::new();
        let (batch, others): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|waiting| sessions.insert(waiting.rotation.session_id.clone()));
        for waiting in others {
            let _ = waiting.rotated.send(None);
        }
        let rotations: Vec<_> = batch.iter().map(|waiting| &waiting.rotation).collect();
        let mut rotated = match rotate(&pool, &rotations).await {
            Ok(rotated) => rotated,
            Err(error) => {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::debug!(error, "batch of refreshes failed, retrying one by one");
                HashMap::new()
            }
        };
        for Waiting { rotation, rotated: answer } in batch {
            let rotated = rotated.remove(&rotation.session_id);
            let _ = answer.send(rotated.map(|(session, user)| Refreshed::Rotated(session, user)));
        }
    }
}

/// Rotates the tokens of a batch, and returns the sessions that it has rotated, by their ids.
async fn rotate(
    pool: &PgPool,
    rotations: &[&Rotation],
) -> Result<HashMap<String, (Session, User)>, StoreError> {
    let Some(latest) = rotations.iter().max_by_key(|rotation| rotation.now_millis) else {
        return Ok(HashMap::new());
    };
    let rules = latest.rules;
    let of = |bytes: fn(&Rotation) -> &[u8]| -> Vec<&[u8]> {
        rotations.iter().map(|rotation| bytes(rotation)).collect()
    };
    let ids: Vec<_> = rotations.iter().map(|rotation| rotation.session_id.as_str()).collect();
    let generations: Vec<_> = rotations.iter().map(|rotation| rotation.generation).collect();
    let rows = sqlx::query(ROTATE)
        .bind(ids)
        .bind(generations)
        .bind(of(|rotation| &rotation.presented))
        .bind(of(|rotation| &rotation.successor))
        .bind(of(|rotation| &rotation.sealed))
        .bind(latest.now)
        .bind(latest.now_millis)
        .bind(rules.budget.interval)
        .bind(rules.coarse())
        .bind(rules.idle_secs)
        .bind(rules.max_secs)
        .bind(latest.until.expiry)
        .bind(Budget::WINDOW)
        .fetch_all(pool)
        .await?;
    metrics::group_committed();
    rows.iter().map(session_from).collect()
}

fn session_from(row: &PgRow) -> Result<(String, (Session, User)), StoreError> {
    let (session, user) = rows::session_and_user_from(row)?;
    let place = Some(Place { list: row.column("list")?, index: row.column("place")? });
    Ok((session.id.clone(), (Session { place, ..session }, user)))
}
