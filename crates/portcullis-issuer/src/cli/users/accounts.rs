//! The commands that change a user.

use clap::Args;
use portcullis_issuer::{AccountInfo, Error, Issuer};

use super::{Outcome, read_password};
use crate::cli::sessions_in_words;

#[derive(Debug, Args)]
pub(in crate::cli) struct Name {
    /// The name with which the user logs in
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Names {
    /// The name with which the user logs in
    name: String,
    /// The complete new list; without any value, the user has none
    values: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SetPassword {
    /// The name with which the user logs in
    name: String,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Invite {
    /// User name: visible ASCII characters, case-insensitive
    name: String,
    /// The address for the user's messages, such as an email address
    address: String,
    /// A role in the user's tokens; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A scope in the user's tokens; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SetAddress {
    /// The name with which the user logs in
    name: String,
    /// The address for the user's messages, such as an email address
    address: String,
}

pub(super) async fn invite(issuer: &Issuer, user: Invite) -> Outcome {
    let invited = issuer.invite_user(&user.name, &user.address, user.roles, user.scopes).await?;
    println!("invited {} ({}): the token is valid for 15 minutes", invited.name, invited.id);
    Ok(())
}

pub(super) async fn set_address(issuer: &Issuer, user: SetAddress) -> Outcome {
    issuer.set_address(&user.name, user.address).await?;
    println!("set the address of {}", user.name);
    Ok(())
}

pub(super) async fn set_password(issuer: &Issuer, user: SetPassword) -> Outcome {
    let (password, made) = if user.password_stdin {
        (read_password()?, false)
    } else {
        (Issuer::random_password()?, true)
    };
    let ended = issuer.set_password(&user.name, password.as_str()).await?;
    println!("set the password of {}; {}", user.name, sessions(issuer, ended));
    if made {
        println!("password: {password}");
    }
    Ok(())
}

pub(super) async fn disable(issuer: &Issuer, Name { name }: Name) -> Outcome {
    let was_disabled = is_disabled(issuer, &name).await?;
    let ended = sessions(issuer, issuer.disable_user(&name).await?);
    match was_disabled {
        true => println!("{name} was disabled before; {ended}"),
        false => println!("disabled {name}; {ended}"),
    }
    Ok(())
}

pub(super) async fn enable(issuer: &Issuer, Name { name }: Name) -> Outcome {
    let was_disabled = is_disabled(issuer, &name).await?;
    issuer.enable_user(&name).await?;
    match was_disabled {
        true => println!("enabled {name}"),
        false => println!("{name} was not disabled"),
    }
    Ok(())
}

pub(super) async fn remove(issuer: &Issuer, Name { name }: Name) -> Outcome {
    let ended = issuer.remove_user(&name).await?;
    println!("removed {name}; {}", sessions(issuer, ended));
    Ok(())
}

pub(super) async fn set_roles(issuer: &Issuer, Names { name, values }: Names) -> Outcome {
    issuer.set_roles(&name, values).await?;
    println!("set the roles of {name}; {}", next_token(issuer));
    Ok(())
}

pub(super) async fn set_scopes(issuer: &Issuer, Names { name, values }: Names) -> Outcome {
    issuer.set_scopes(&name, values).await?;
    println!("set the scopes of {name}; {}", next_token(issuer));
    Ok(())
}

pub(super) async fn reset_second_factor(issuer: &Issuer, Name { name }: Name) -> Outcome {
    let had_one = account(issuer, &name).await?.is_some_and(|account| account.has_second_factor);
    // This call is made even if no factor is in use, because it also deletes a factor whose first
    // code was never sent.
    issuer.reset_second_factor(&name).await?;
    match had_one {
        true => println!("deleted the second factor of {name}"),
        false => println!("{name} had no second factor"),
    }
    Ok(())
}

pub(super) async fn unlock(issuer: &Issuer, Name { name }: Name) -> Outcome {
    let was_locked =
        account(issuer, &name).await?.is_some_and(|account| account.wrong_codes >= 100);
    issuer.unlock_user(&name).await?;
    match was_locked {
        true => println!("unlocked the second factor of {name}"),
        false => println!("the second factor of {name} was not locked"),
    }
    Ok(())
}

/// Returns the account with this name. A user without one is reported by the change that follows.
async fn account(issuer: &Issuer, name: &str) -> Result<Option<AccountInfo>, Error> {
    let accounts = issuer.accounts().await?;
    Ok(accounts.into_iter().find(|account| account.name.eq_ignore_ascii_case(name)))
}

async fn is_disabled(issuer: &Issuer, name: &str) -> Result<bool, Error> {
    let account = account(issuer, name).await?;
    Ok(account.is_some_and(|account| account.disabled_at.is_some()))
}

fn sessions(issuer: &Issuer, ended: u64) -> String {
    let expiry = issuer.config().access_expiry.as_secs();
    match ended {
        0 => "there was no live session".to_owned(),
        _ => format!(
            "ended {}, whose access tokens expire within {expiry} s",
            sessions_in_words(ended)
        ),
    }
}

fn next_token(issuer: &Issuer) -> String {
    let expiry = issuer.config().access_expiry.as_secs();
    format!("access tokens that were issued before keep the old values for up to {expiry} s")
}
