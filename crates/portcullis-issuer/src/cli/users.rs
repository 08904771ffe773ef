//! `users`: who can log in.

use std::io::BufRead as _;

use clap::{Args, Subcommand};
use portcullis_issuer::{Issuer, IssuerConfig, NewUser};

use super::{Outcome, database, require_database, with_issuer};

#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// Add a user; without --password-stdin a password is made and printed
    Add(AddUser),
    /// List the users
    List,
}

#[derive(Debug, Args)]
pub(super) struct AddUser {
    /// What the user logs in with: visible ASCII characters; capitals make no difference
    name: String,
    /// A role in the user's tokens; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A scope in the user's tokens; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn run(command: Users, config: IssuerConfig) -> Outcome {
    match command {
        Users::Add(user) => with_issuer(config, async |issuer| add(issuer, user).await).await,
        Users::List => {
            require_database(&config)?;
            with_issuer(config, list).await
        }
    }
}

async fn add(issuer: &Issuer, user: AddUser) -> Outcome {
    let (new, made) = if user.password_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        (NewUser::new(user.name, line.trim_end_matches(['\r', '\n'])), None)
    } else {
        let (new, password) = NewUser::with_random_password(user.name)?;
        (new, Some(password))
    };
    let added = issuer.add_user(new.roles(user.roles).scopes(user.scopes)).await?;
    println!("added {} ({}) to {}", added.name, added.id, database(issuer.config()));
    if let Some(password) = made {
        println!("password: {password}");
    }
    Ok(())
}

async fn list(issuer: &Issuer) -> Outcome {
    for user in issuer.users().await? {
        let (roles, scopes) = (user.roles.join(","), user.scopes.join(" "));
        println!("{}\t{}\troles={roles}\tscope={scopes}", user.id, user.name);
    }
    Ok(())
}
