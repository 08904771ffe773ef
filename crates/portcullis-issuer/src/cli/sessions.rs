//! `sessions`: lists and ends users' sessions.

use clap::Subcommand;
use portcullis_issuer::{Issuer, IssuerConfig};

use super::time::rfc_3339;
use super::{Outcome, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Sessions {
    /// List a user's live sessions, latest first
    List {
        /// The name with which the user logs in
        user: String,
    },
    /// End all sessions of a user, or of all users
    ///
    /// The refresh tokens are rejected at once. Apps that introspect, or to which the status lists
    /// are pushed, reject the access tokens at once. Apps that fetch the lists reject them after
    /// the next fetch. Apps that validate by expiry alone accept them until they expire
    /// (IDENTSPHERE_ACCESS_EXPIRY_SECS).
    #[command(override_usage = "portcullis-issuer sessions end <USER>\n       \
                                portcullis-issuer sessions end --all")]
    End {
        /// The name with which the user logs in
        #[arg(required_unless_present = "all")]
        user: Option<String>,
        /// End the sessions of all users
        #[arg(long, conflicts_with = "user")]
        all: bool,
    },
}

pub(super) async fn run(command: Sessions, config: IssuerConfig) -> Outcome {
    require_database(&config)?;
    match command {
        Sessions::List { user } => {
            with_issuer(config, async |issuer| list(issuer, &user).await).await
        }
        Sessions::End { user: Some(user), .. } => {
            with_issuer(config, async |issuer| end(issuer, &user).await).await
        }
        Sessions::End { user: None, .. } => with_issuer(config, end_all).await,
    }
}

async fn list(issuer: &Issuer, user: &str) -> Outcome {
    for session in issuer.sessions_of(user).await?.ok_or_else(|| no_such_user(user))? {
        println!(
            "{}\tsince {}\tused {}\tuntil {}\t{}",
            session.id,
            rfc_3339(session.created_at),
            rfc_3339(session.last_used_at),
            rfc_3339(session.expires_at),
            // A client's user agent may contain control characters.
            session.user_agent.unwrap_or_default().escape_debug()
        );
    }
    Ok(())
}

async fn end(issuer: &Issuer, user: &str) -> Outcome {
    let ended = issuer.end_sessions_of(user).await?.ok_or_else(|| no_such_user(user))?;
    let expiry = issuer.config().access_expiry.as_secs();
    match ended {
        0 => println!("{user} had no live session"),
        _ => println!(
            "ended the sessions of {user} ({ended}); their access tokens expire within {expiry} s"
        ),
    }
    Ok(())
}

async fn end_all(issuer: &Issuer) -> Outcome {
    let ended = issuer.end_all_sessions().await?;
    let expiry = issuer.config().access_expiry.as_secs();
    match ended {
        0 => println!("there was no live session"),
        _ => println!("ended all sessions ({ended}); their access tokens expire within {expiry} s"),
    }
    Ok(())
}

fn no_such_user(user: &str) -> String {
    format!("there is no user {user:?}; `portcullis-issuer users list` shows all users")
}
