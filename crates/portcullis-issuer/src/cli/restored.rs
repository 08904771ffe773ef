//! `restored`: makes a database safe that was restored from a backup.

use portcullis_issuer::{Issuer, IssuerConfig};

use super::{Outcome, database, require_database, sessions_in_words, with_issuer};

pub(super) async fn run(config: IssuerConfig) -> Outcome {
    require_database(&config)?;
    with_issuer(config, restored).await
}

async fn restored(issuer: &Issuer) -> Outcome {
    let done = issuer.restored().await?;
    let max_age = issuer.config().jwks_max_age.as_secs();
    println!(
        "{}: ended {}, began new status lists, and signs with the new key {}. Apps accept \
         older tokens for up to {max_age} s more, until their cached key sets expire",
        database(issuer.config()),
        sessions_in_words(done.ended_sessions),
        done.kid
    );
    Ok(())
}
