//! What is kept of tokens: places in status lists, and JWTs that are good no more.

pub(in crate::store) mod places;
mod spent;

use super::timed;
use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::tokens::{Place, TokenStore, Until};
use crate::store::dialect::Database;

impl<D: Database> TokenStore for D {
    fn take_place<'a>(&'a self, owner: &'a str, until: Until) -> Answer<'a, Place> {
        timed("take_place", async move {
            let mut tx = self.begin().await?;
            let place = places::take(&mut *tx, owner, until).await?;
            tx.commit().await?;
            Ok(place)
        })
    }

    fn place_of<'a>(&'a self, owner: &'a str) -> Answer<'a, Option<Place>> {
        timed("place_of", async move { places::of(&mut *self.reader().await?, owner).await })
    }

    fn status_version(&self) -> Answer<'_, i64> {
        timed("status_version", async { places::version(&mut *self.reader().await?).await })
    }

    fn revoked_places(&self, list: i64, epoch: i64) -> Answer<'_, Option<Vec<i64>>> {
        timed("revoked_places", async move {
            places::revoked(&mut *self.reader().await?, list, epoch).await
        })
    }

    fn spend_jwt<'a>(
        &'a self,
        jwt: &'a TokenHash,
        expires_at: i64,
        now: i64,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool> {
        timed("spend_jwt", async move {
            let mut tx = self.begin().await?;
            let first = spent::spend(&mut *tx, jwt, expires_at, now, event).await?;
            tx.commit().await?;
            Ok(first)
        })
    }

    fn is_spent<'a>(&'a self, jwt: &'a TokenHash) -> Answer<'a, bool> {
        timed("is_spent", async move { spent::has(&mut *self.reader().await?, jwt).await })
    }
}
