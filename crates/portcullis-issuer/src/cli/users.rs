//! `users`: manages users.

mod accounts;
mod passkeys;

use std::io::BufRead as _;

use clap::{Args, Subcommand};
use portcullis_issuer::{AccountInfo, Issuer, IssuerConfig, NewUser};

use super::time::rfc_3339;
use super::{Outcome, database, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// Add a user; without --password-stdin, generate a password and print it
    Add(AddUser),
    /// Add a user who sets the first password with a token that the notifier delivers
    Invite(accounts::Invite),
    /// List the users
    List,
    /// Set a user's password, and end all sessions of the user
    ///
    /// Use it for a leaked password. Without --password-stdin, a password is generated and printed.
    Passwd(accounts::SetPassword),
    /// Block a user's logins, and end all sessions of the user
    Disable(accounts::Name),
    /// Let a user log in again
    Enable(accounts::Name),
    /// Delete a user, and end all sessions of the user
    Remove(accounts::Name),
    /// Replace a user's roles; the next access token has them
    SetRoles(accounts::Names),
    /// Replace a user's scopes; the next access token has them
    SetScopes(accounts::Names),
    /// Set the address to which the notifier delivers a user's messages
    SetAddress(accounts::SetAddress),
    /// Delete a user's second factor: the authenticator app, the recovery codes and all passkeys
    ///
    /// Use it if the user lost all of them. The sessions that began with a passkey end.
    ResetSecondFactor(accounts::Name),
    /// List a user's passkeys
    Passkeys(accounts::Name),
    /// Remove one of a user's passkeys, and end the sessions that began with it
    RemovePasskey(passkeys::RemovePasskey),
    /// Accept codes of a user's second factor again, after 100 wrong codes blocked it
    Unlock(accounts::Name),
}

#[derive(Debug, Args)]
pub(super) struct AddUser {
    /// User name: visible ASCII characters, case-insensitive
    name: String,
    /// A role in the user's tokens; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A scope in the user's tokens; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Address to which the notifier delivers the user's messages, such as an email address
    #[arg(long)]
    address: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn run(command: Users, config: IssuerConfig) -> Outcome {
    if let Users::Add(user) = command {
        return with_issuer(config, async |issuer| add(issuer, user).await).await;
    }
    require_database(&config)?;
    with_issuer(config, async |issuer| match command {
        Users::Add(_) => Ok(()),
        Users::Invite(user) => accounts::invite(issuer, user).await,
        Users::List => list(issuer).await,
        Users::Passwd(user) => accounts::set_password(issuer, user).await,
        Users::Disable(user) => accounts::disable(issuer, user).await,
        Users::Enable(user) => accounts::enable(issuer, user).await,
        Users::Remove(user) => accounts::remove(issuer, user).await,
        Users::SetRoles(user) => accounts::set_roles(issuer, user).await,
        Users::SetScopes(user) => accounts::set_scopes(issuer, user).await,
        Users::SetAddress(user) => accounts::set_address(issuer, user).await,
        Users::ResetSecondFactor(user) => accounts::reset_second_factor(issuer, user).await,
        Users::Passkeys(user) => passkeys::list(issuer, user).await,
        Users::RemovePasskey(passkey) => passkeys::remove(issuer, passkey).await,
        Users::Unlock(user) => accounts::unlock(issuer, user).await,
    })
    .await
}

async fn add(issuer: &Issuer, user: AddUser) -> Outcome {
    let (new, made) = if user.password_stdin {
        (NewUser::new(user.name, read_password()?), None)
    } else {
        let (new, password) = NewUser::with_random_password(user.name)?;
        (new, Some(password))
    };
    let mut new = new.roles(user.roles).scopes(user.scopes);
    if let Some(address) = user.address {
        new = new.address(address);
    }
    let added = issuer.add_user(new).await?;
    println!("added {} ({}) to {}", added.name, added.id, database(issuer.config()));
    if let Some(password) = made {
        println!("password: {password}");
    }
    Ok(())
}

/// Reads the first line of standard input.
fn read_password() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn list(issuer: &Issuer) -> Outcome {
    for account in issuer.accounts().await? {
        println!("{}", line(&account));
    }
    Ok(())
}

fn line(account: &AccountInfo) -> String {
    let (roles, scopes) = (account.roles.join(","), account.scopes.join(" "));
    let mut line = format!("{}\t{}\troles={roles}\tscope={scopes}", account.id, account.name);
    if let Some(address) = &account.address {
        // An address may contain any character.
        line += &format!("\taddress={}", address.escape_debug());
        line += if account.address_verified_at.is_some() { "" } else { " (not verified)" };
    }
    if account.has_second_factor {
        line += "\tsecond factor";
    }
    if let Some(at) = account.disabled_at {
        line += &format!("\tdisabled at {}", rfc_3339(at));
    }
    if let Some(awaits) = &account.awaits {
        line += &format!("\tawaits {awaits}");
    }
    if account.wrong_codes >= 100 {
        line += "\tsecond factor locked";
    }
    line
}
