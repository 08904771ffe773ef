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
    /// Stop every issuer process first, and keep a backup of the database and the old key: a process
    /// that runs has the old key, and answers logins and refreshes with 503 from then on. After
    /// this command, start the processes with the new key: set IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE
    /// to the new file, or replace the old file with it. Sessions and refresh tokens stay valid.
    Rekey {
        /// File with the base64 of the new key's 32 bytes; created if it is absent
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
        /// Confirm: no issuer process runs on this database
        #[arg(long, required = true)]
        stopped: bool,
    },
    /// List all keys with their states, the newest first
    List,
    /// Publish a new key now; it signs as soon as every verifier can have fetched it
    ///
    /// A running issuer signs with the new key as soon as every cached key set without it has
    /// expired, so no verifier rejects a token. The old key stays published until the last token
    /// that it signed has expired.
    Rotate {
        /// ES256, EdDSA or RS256; default: IDENTSPHERE_SIGNING_ALGORITHM, or else the current
        /// key's algorithm
        #[arg(long)]
        algorithm: Option<SigningAlgorithm>,
        /// Sign with the new key at once. Verifiers that refetch the keys on an unknown kid, as
        /// Portcullis does, accept its tokens. Others reject its tokens until their cached key set
        /// expires
        #[arg(long)]
        now: bool,
    },
    /// Withdraw a compromised key: all of its tokens are rejected, legitimate ones too
    ///
    /// Each verifier rejects the tokens once its cached key set has expired. If the key is the
    /// signing key, another key signs from now on.
    // One `kid` in 64 begins with a hyphen. A few begin with `-h`, which must not print the help.
    #[command(disable_help_flag = true)]
    Withdraw {
        /// The key's kid, as `keys list` shows it
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Confirm: every client with a token of this key must refresh it
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
        Keys::Rekey { new_key_file, stopped: _ } => {
            with_issuer(config, async |issuer| rekey(issuer, &new_key_file).await).await
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
    // If another process rotated at the same moment, that process prints this line.
    if let Some(old) = before.iter().find(|key| key.state == KeyState::Active)
        && let Some(old) = after.iter().find(|key| key.kid == old.kid)
    {
        println!("{} ({}): {}", old.kid, old.algorithm, state(old));
    }
    Ok(())
}

async fn rekey(issuer: &Issuer, file: &Path) -> Outcome {
    // The file is created only after the old key was checked. So if the old key is wrong, no file of a
    // new key is left behind.
    let new = KeyEncryptionKey::read_or_create(file)?;
    issuer.rekey(&new).await?;
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
    fn kid_with_any_first_character_is_withdrawn() {
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
