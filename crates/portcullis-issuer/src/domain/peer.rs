//! The client of a request, as far as its address and user agent are known.

use std::net::IpAddr;

/// The client of a request, for the user's list of sessions, the audit log and the rate limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
}

impl Peer {
    /// Returns the address in the format of the audit log.
    pub(crate) fn shown_address(&self) -> Option<String> {
        self.address.map(|address| address.to_canonical().to_string())
    }
}
