//! `keys`: manages signing keys.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use portcullis_issuer::{
    Issuer, IssuerConfig, KeyEncryptionKey, KeyInfo, KeyState, SigningAlgorithm,
};

use super::time::rfc_3339;
use super::{Outcome, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Re-encrypt all data that is encrypted at rest, with a new key-encryption key
    ///
    /// Stop every issuer process first, and keep a backup of database and old key. Then start them
    /// with the new key, in IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE or in place of the old file. Sessions
    /// and refresh tokens go on.
    Rekey {
        /// File with the base64 of the new key's 32 bytes; created if it is absent
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
    },
    /// List all keys with their states, the newest first
    List,
    /// Publish a new key now; it signs once every verifier can have it
    ///
    /// A running issuer signs with the new key once every cached key set without it has expired, so
    /// no verifier rejects a token. The old key stays published until the last token that it signed
    /// has expired.
    Rotate {
        /// ES256, EdDSA or RS256; default: IDENTSPHERE_SIGNING_ALGORITHM, or else the current
        /// key's algorithm
        #[arg(long)]
        algorithm: Option<SigningAlgorithm>,
        /// Sign with it at once. Verifiers that refetch the keys on an unknown kid, as Portcullis
        /// does, accept its tokens; others reject them until their cached key set expires
        #[arg(long)]
        now: bool,
    },
    /// Withdraw a key that is in the wrong hands: its tokens are rejected, honest ones too
    ///
    /// Each verifier rejects them once its cached key set has expired. If it is the signing key,
    /// another key signs from now on.
    // One kid of 64 begins with a hyphen, and some of them as `-h` does.
    #[command(disable_help_flag = true)]
    Withdraw {
        /// The key's kid, as `keys list` shows it
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Confirm: every client with a token of this key has to refresh it
        #[arg(long, required = true)]
        now: bool,
        /// Print help
        #[arg(long, action = clap::ArgAction::Help)]
        help: Option<bool>,
    },
}

pub(super) async fn run(command: Keys, mut config: IssuerConfig) -> Outcome {
    require_database(&config)?;
    match command {
        Keys::List => with_issuer(config, list).await,
        Keys::Rekey { new_key_file } => {
            let new = KeyEncryptionKey::read_or_create(&new_key_file)?;
            with_issuer(config, async |issuer| rekey(issuer, &new, &new_key_file).await).await
        }
        Keys::Rotate { algorithm, now } => {
            config.signing_algorithm = algorithm.or(config.signing_algorithm);
            let rotate = async |issuer: &Issuer| rotate(issuer, now).await;
            with_issuer(config, rotate).await
        }
        Keys::Withdraw { kid, now: _, help: _ } => {
            with_issuer(config, async |issuer| withdraw(issuer, &kid).await).await
        }
    }
}

async fn list(issuer: &Issuer) -> Outcome {
    for key in issuer.keys().await? {
        let made = rfc_3339(key.created_at);
        println!("{}\t{}\tmade {made}\t{}", key.kid, key.algorithm, state(&key));
    }
    Ok(())
}

fn state(key: &KeyInfo) -> String {
    let signs_from = rfc_3339(key.signs_from);
    let until = key.published_until.map(rfc_3339).unwrap_or_default();
    match key.state {
        KeyState::Next => format!("next, signs from {signs_from}"),
        KeyState::Active => format!("active, signs since {signs_from}"),
        KeyState::Retired => format!("retired, published until {until}"),
        KeyState::Withdrawn => format!("withdrawn at {until}"),
    }
}

async fn rotate(issuer: &Issuer, now: bool) -> Outcome {
    let before = issuer.keys().await?;
    let kid = if now { issuer.rotate_keys_now().await? } else { issuer.rotate_keys().await? };
    let after = issuer.keys().await?;
    if let Some(new) = after.iter().find(|key| key.kid == kid) {
        println!("{kid} ({}): {}", new.algorithm, state(new));
    }
    // Another process may have rotated at the same moment; then that process prints this line.
    if let Some(old) = before.iter().find(|key| key.state == KeyState::Active)
        && let Some(old) = after.iter().find(|key| key.kid == old.kid)
    {
        println!("{} ({}): {}", old.kid, old.algorithm, state(old));
    }
    Ok(())
}

async fn rekey(issuer: &Issuer, new: &KeyEncryptionKey, file: &Path) -> Outcome {
    issuer.rekey(new).await?;
    println!("everything is encrypted under the key in {}", file.display());
    println!("start the issuer with it: the old key decrypts backups only");
    Ok(())
}

async fn withdraw(issuer: &Issuer, kid: &str) -> Outcome {
    issuer.withdraw_key_now(kid).await?;
    let max_age = issuer.config().jwks_max_age.as_secs();
    println!(
        "withdrew {kid}: verifiers reject its tokens within {max_age} s if they follow \
         `Cache-Control`;"
    );
    println!(
        "services with Portcullis reject them within the `withdrawal_bound` in their `status()`, \
         or in an outage within `withdrawal_bound_in_outage`"
    );
    for key in issuer.keys().await?.iter().filter(|key| key.state == KeyState::Active) {
        println!("{} ({}): {}", key.kid, key.algorithm, state(key));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: Keys,
    }

    #[test]
    fn a_key_is_withdrawn_whatever_its_name_begins_with() {
        for named in ["Rnc8", "-g8x", "-hB7", "--x1", "--help-me", "_k", "-"] {
            for line in [["keys", "withdraw", "--now", named], ["keys", "withdraw", named, "--now"]]
            {
                let line = Line::try_parse_from(line).unwrap();
                let Keys::Withdraw { kid, now: true, .. } = line.command else {
                    panic!("{line:?}")
                };
                assert_eq!(kid, named);
            }
        }
        for line in [&["keys", "withdraw", "k"][..], &["keys", "withdraw", "--now"]] {
            assert!(Line::try_parse_from(line).is_err(), "{line:?}");
        }
        let help = Line::try_parse_from(["keys", "withdraw", "--help"]).unwrap_err();
        assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
    }
}
