//! Appends an entry, and waits until it is durable.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use portcullis::feed::Appended;
use redis::aio::MultiplexedConnection;

use crate::problem::Problem;
use crate::scripts;

/// How long WAITAOF waits, in milliseconds: within the deadline.
const WAIT_AOF: u64 = 3000;

/// The conditions for an acknowledgement.
#[derive(Debug, Clone)]
pub(crate) struct Durability {
    /// The number of replicas that must have an entry on their disk. 0: one replica, if there are any.
    pub(crate) replicas: u64,
    pub(crate) trusts_unreadable_config: bool,
}

/// Appends an entry. Returns an error if the entry is not confirmed; it may be stored nevertheless.
pub(crate) async fn durably(
    connection: &mut MultiplexedConnection,
    id: &str,
    json: &str,
    durability: &Durability,
) -> Result<Appended, Problem> {
    let (info, is_new) = scripts::append(connection, (id, json, &new_name(id))).await?;
    if !info.is_primary {
        return Err(Problem::Replica);
    }
    let wanted = info.required_replicas(durability.replicas);
    // If the settings are unknown, WAITAOF also confirms that the entry is on this server's disk.
    if wanted > 0 || (durability.trusts_unreadable_config && info.has_waitaof) {
        let (local, replicas) = scripts::wait_aof(connection, wanted, WAIT_AOF).await?;
        if local < 1 || replicas < wanted {
            return Err(Problem::Unconfirmed { local, replicas, wanted });
        }
    }
    Ok(if is_new { Appended::New } else { Appended::Known })
}

/// Returns a name that no other hash has: the standard library's hashes have random keys.
fn new_name(id: &str) -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(id), random.hash_one((id, 1)))
}
