//! Signing keys.

pub(super) mod table;

use super::{retried, timed};
use crate::domain::keys::{KeyChange, KeyStore, KeyTable, NewKey, Promises};
use crate::domain::{Answer, Member};
use crate::store::dialect::{Database, query};

impl<D: Database> Member for D {
    fn leads(&self) -> bool {
        self.is_leader()
    }

    fn heartbeat(&self) -> Answer<'_, Option<i64>> {
        timed("heartbeat", async {
            query("SELECT at FROM heartbeat").scalar_optional(&mut *self.reader().await?).await
        })
    }
}

impl<D: Database> KeyStore for D {
    fn key_version(&self) -> Answer<'_, i64> {
        timed("key_version", async {
            match self.told_version() {
                Some(version) => Ok(version),
                None => table::version(&mut *self.reader().await?).await,
            }
        })
    }

    fn told_key_version(&self) -> Option<i64> {
        self.told_version()
    }

    fn keys(&self) -> Answer<'_, KeyTable> {
        timed("keys", async {
            // One snapshot: the version must belong to the rows.
            let mut tx = self.begin_snapshot().await?;
            let table = table::table(&mut *tx).await?;
            self.learn_version(table.version);
            Ok(table)
        })
    }

    fn add_first_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()> {
        retried("add_first_key", move || async move {
            let mut tx = self.begin().await?;
            table::add_first(&mut *tx, key).await?;
            Ok(tx.commit().await?)
        })
    }

    fn publish_next_key<'a>(&'a self, key: &'a NewKey, change: KeyChange) -> Answer<'a, ()> {
        retried("publish_next_key", move || async move {
            let mut tx = self.begin().await?;
            table::publish_next(&mut *tx, key, change).await?;
            Ok(tx.commit().await?)
        })
    }

    fn promote_key<'a>(&'a self, kid: &'a str, change: KeyChange, margin: i64) -> Answer<'a, ()> {
        retried("promote_key", move || async move {
            let mut tx = self.begin().await?;
            table::promote(&mut *tx, kid, change, margin).await?;
            Ok(tx.commit().await?)
        })
    }

    fn rotate_key<'a>(&'a self, key: &'a NewKey, change: KeyChange, margin: i64) -> Answer<'a, ()> {
        retried("rotate_key", move || async move {
            let mut tx = self.begin().await?;
            table::rotate(&mut *tx, key, change, margin).await?;
            Ok(tx.commit().await?)
        })
    }

    fn note_promises<'a>(&'a self, kid: &'a str, promised: Promises) -> Answer<'a, bool> {
        timed("note_promises", async move {
            table::note_promises(&mut *self.writer().await?, kid, promised).await
        })
    }

    fn withdraw_due_keys(&self, now: i64) -> Answer<'_, ()> {
        retried("withdraw_due_keys", move || async move {
            let mut tx = self.begin().await?;
            table::withdraw_due(&mut *tx, now).await?;
            Ok(tx.commit().await?)
        })
    }

    fn withdraw_key<'a>(&'a self, kid: &'a str, change: KeyChange) -> Answer<'a, bool> {
        retried("withdraw_key", move || async move {
            let mut tx = self.begin().await?;
            let found = table::withdraw(&mut *tx, kid, change).await?;
            tx.commit().await?;
            Ok(found)
        })
    }
}
