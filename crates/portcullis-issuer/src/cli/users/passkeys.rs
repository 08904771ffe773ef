//! The commands for a user's passkeys.

use clap::Args;
use portcullis_issuer::{Issuer, PasskeyInfo};

use super::accounts::Name;
use super::{Outcome, rfc_3339};

#[derive(Debug, Args)]
pub(in crate::cli) struct RemovePasskey {
    /// The name with which the user logs in
    name: String,
    /// The passkey's id, as `users passkeys` prints it
    id: String,
}

pub(super) async fn list(issuer: &Issuer, Name { name }: Name) -> Outcome {
    for passkey in issuer.passkeys(&name).await? {
        println!("{}", line(&passkey));
    }
    Ok(())
}

fn line(passkey: &PasskeyInfo) -> String {
    // A name may contain any character but control characters.
    let name = passkey.name.escape_debug();
    let used = match passkey.last_used_at {
        Some(at) => format!("last used {}", rfc_3339(at)),
        None => "not used".to_owned(),
    };
    let registered = rfc_3339(passkey.created_at);
    let mut line = format!("{}\t{name}\tregistered {registered}\t{used}", passkey.id);
    line += if passkey.synced { "\tsynced" } else { "\tdevice-bound" };
    if passkey.backed_up {
        line += "\tbacked up";
    }
    line
}

pub(super) async fn remove(issuer: &Issuer, passkey: RemovePasskey) -> Outcome {
    let RemovePasskey { name, id } = passkey;
    issuer.remove_passkey(&name, &id).await?;
    println!("removed the passkey {id} of {name}");
    Ok(())
}
