//! `clock`: resumes housekeeping and key rotation after the machine's clock was far ahead.

use clap::Subcommand;
use portcullis_issuer::{Issuer, IssuerConfig};

use super::time::rfc_3339;
use super::{Outcome, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Clock {
    /// Accept the clock as correct: delete data and rotate keys that are due by this clock
    ///
    /// The issuer deletes nothing and rotates no key while the clock is more than 7 days ahead of
    /// the last run of these tasks, since the clock may be wrong.
    Accept,
}

pub(super) async fn run(Clock::Accept: Clock, config: IssuerConfig) -> Outcome {
    require_database(&config)?;
    with_issuer(config, accept).await
}

async fn accept(issuer: &Issuer) -> Outcome {
    let last = issuer.accept_clock().await?;
    let last = last.map_or_else(|| "never".to_owned(), rfc_3339);
    println!("last run of housekeeping: {last}; housekeeping continues by this machine's clock");
    Ok(())
}
