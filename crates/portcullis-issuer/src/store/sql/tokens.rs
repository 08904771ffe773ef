//! Places in status lists, and JWTs that were used or revoked.

pub(in crate::store) mod places;
mod spent;

use super::{audit, retried, timed};
use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::tokens::{Place, Revoked, TokenStore, Until};
use crate::error::StoreError;
use crate::store::dialect::{Change, Database, Dialect, query};

impl<D: Database> TokenStore for D {
    fn take_place<'a>(&'a self, owner: &'a str, until: Until) -> Answer<'a, Place> {
        timed("take_place", async move {
            let owner = owner.to_owned();
            self.change(TakePlace { owner, until }).await
        })
    }

    fn place_of<'a>(&'a self, owner: &'a str) -> Answer<'a, Option<Place>> {
        timed("place_of", async move { places::of(&mut *self.reader().await?, owner).await })
    }

    fn status_version(&self) -> Answer<'_, i64> {
        timed("status_version", async { places::version(&mut *self.reader().await?).await })
    }

    fn revoked_places(&self, list: i64, epoch: i64) -> Answer<'_, Option<Revoked>> {
        timed("revoked_places", async move {
            places::revoked(&mut *self.reader().await?, list, epoch).await
        })
    }

    fn start_new_lists<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()> {
        retried("start_new_lists", move || async move {
            let mut tx = self.begin().await?;
            places::start_new_lists(&mut *tx).await?;
            query("DELETE FROM user_tokens").execute(&mut *tx).await?;
            audit::insert(&mut *tx, event).await?;
            Ok(tx.commit().await?)
        })
    }

    fn spend_jwt<'a>(
        &'a self,
        jwt: &'a TokenHash,
        expires_at: i64,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool> {
        retried("spend_jwt", move || async move {
            let mut tx = self.begin().await?;
            let first = spent::spend(&mut *tx, jwt, expires_at, event).await?;
            tx.commit().await?;
            Ok(first)
        })
    }

    fn is_spent<'a>(&'a self, jwt: &'a TokenHash) -> Answer<'a, bool> {
        timed("is_spent", async move { spent::has(&mut *self.reader().await?, jwt).await })
    }
}

struct TakePlace {
    owner: String,
    until: Until,
}

impl Change for TakePlace {
    type Outcome = Place;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<Place, StoreError> {
        places::take(connection, &self.owner, self.until).await
    }
}
