//! `keys`: what tokens are signed with.

use clap::Subcommand;
use tollgate_issuer::{Issuer, IssuerConfig, SigningAlgorithm};

use super::time::rfc_3339;
use super::{Outcome, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// List the published keys
    List,
    /// Sign with a new key from now on; a running issuer follows at its next request
    ///
    /// The old key stays published until the last token that it signed has expired. Verifiers
    /// must fetch the key set again when they meet an unknown kid, as Tollgate does.
    Rotate {
        /// ES256, EdDSA or RS256; otherwise as IDENTSPHERE_SIGNING_ALGORITHM says, or as it was
        #[arg(long)]
        algorithm: Option<SigningAlgorithm>,
    },
}

pub(super) async fn run(command: Keys, mut config: IssuerConfig) -> Outcome {
    require_database(&config)?;
    match command {
        Keys::List => with_issuer(config, list).await,
        Keys::Rotate { algorithm } => {
            config.signing_algorithm = algorithm.or(config.signing_algorithm);
            with_issuer(config, rotate).await
        }
    }
}

async fn list(issuer: &Issuer) -> Outcome {
    for key in issuer.published_keys().await? {
        let state = match key.published_until {
            None if key.signs => "signs".to_owned(),
            None => "published".to_owned(),
            Some(end) => format!("retired, published until {}", rfc_3339(end)),
        };
        let made = rfc_3339(key.created_at);
        println!("{}\t{}\tmade {made}\t{state}", key.kid, key.algorithm);
    }
    Ok(())
}

async fn rotate(issuer: &Issuer) -> Outcome {
    let before = issuer.published_keys().await?;
    let kid = issuer.rotate_keys().await?;
    let after = issuer.published_keys().await?;
    if let Some(new) = after.iter().find(|key| key.kid == kid) {
        print!("signing with {kid} ({})", new.algorithm);
    }
    // Another process may have rotated at the same moment; then this is told where it happened.
    if let Some(old) = before.iter().find(|key| key.signs)
        && let Some(end) = after.iter().find(|key| key.kid == old.kid)
        && let Some(end) = end.published_until
    {
        print!("; the old key {} stays published until {}", old.kid, rfc_3339(end));
    }
    println!();
    Ok(())
}
