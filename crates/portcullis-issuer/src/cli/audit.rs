//! `audit`: prints the audit log.

use portcullis_issuer::{Issuer, IssuerConfig};

use super::{Outcome, require_database, with_issuer};

const PAGE: u16 = 1000;

/// Prints every event after this serial number, each as a line of JSON.
pub(super) async fn run(after: i64, config: IssuerConfig) -> Outcome {
    require_database(&config)?;
    with_issuer(config, async |issuer| print(issuer, after).await).await
}

async fn print(issuer: &Issuer, mut after: i64) -> Outcome {
    loop {
        let events = issuer.events(after, PAGE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.serial;
        for event in &events {
            println!("{}", serde_json::to_string(event)?);
        }
    }
}
