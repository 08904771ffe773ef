//! The turn of a writer: one writer of this process at a time.

use std::ops::{Deref, DerefMut};

use tokio::sync::OwnedSemaphorePermit;

/// A connection or a transaction for writing, with its turn among the writers of this process.
pub(in crate::store) struct Turn<W> {
    // Fields are dropped in order: the turn ends after the connection is released.
    pub(in crate::store) inner: W,
    pub(in crate::store) turn: Option<OwnedSemaphorePermit>,
}

impl<W: Deref> Deref for Turn<W> {
    type Target = W::Target;

    fn deref(&self) -> &W::Target {
        &self.inner
    }
}

impl<W: DerefMut> DerefMut for Turn<W> {
    fn deref_mut(&mut self) -> &mut W::Target {
        &mut self.inner
    }
}

impl<DB: sqlx::Database> Turn<sqlx::Transaction<'static, DB>> {
    pub(in crate::store) async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { inner, turn } = self;
        let committed = inner.commit().await;
        drop(turn);
        committed
    }
}
