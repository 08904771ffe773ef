//! DNS resolution for connections that may only use public addresses.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::reach::check_resolved;

/// Resolves a name for each connection, and returns addresses only if all are public. The
/// connection uses exactly the addresses that were checked.
#[derive(Debug)]
pub(super) struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str();
            let addresses = look_up(name).await?;
            check_resolved(name, addresses.iter().map(SocketAddr::ip))?;
            let addresses: Addrs = Box::new(reached(name, addresses).into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(not(any(test, feature = "test-util")))]
use {as_they_are as reached, ask as look_up};
#[cfg(any(test, feature = "test-util"))]
use {script::look_up, script::reached};

/// Resolves a name with the operating system. The port comes from the URL.
async fn ask(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.collect())
}

#[cfg(not(any(test, feature = "test-util")))]
fn as_they_are(_: &str, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses
}

/// Scripted names for tests.
#[cfg(any(test, feature = "test-util"))]
pub(crate) mod script {
    use std::collections::HashMap;
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    static NAMES: Mutex<Option<HashMap<String, Scripted>>> = Mutex::new(None);

    struct Scripted {
        answers: Vec<Vec<IpAddr>>,
        lookups: usize,
    }

    fn names() -> MutexGuard<'static, Option<HashMap<String, Scripted>>> {
        NAMES.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(name: &str, answers: Vec<Vec<IpAddr>>) {
        let scripted = Scripted { answers, lookups: 0 };
        names().get_or_insert_default().insert(name.to_owned(), scripted);
    }

    pub(crate) fn lookups(name: &str) -> usize {
        names().as_ref().and_then(|names| names.get(name)).map_or(0, |name| name.lookups)
    }

    /// Returns the next scripted answer, or the last one when the script has ended. Other names are
    /// resolved by the system.
    pub(super) async fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
        let scripted = names().as_mut().and_then(|names| names.get_mut(name)).map(|scripted| {
            let answer = scripted.answers.get(scripted.lookups).or(scripted.answers.last());
            scripted.lookups += 1;
            answer.into_iter().flatten().map(|&address| SocketAddr::new(address, 0)).collect()
        });
        match scripted {
            Some(addresses) => Ok(addresses),
            None => super::ask(name).await,
        }
    }

    /// Connections to scripted names reach the loopback interface, regardless of the answer.
    pub(super) fn reached(name: &str, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let is_scripted = names().as_ref().is_some_and(|names| names.contains_key(name));
        if is_scripted { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))] } else { addresses }
    }
}
