//! Who is at the other end of a request, as far as it shows.

use std::net::IpAddr;

/// The other end of a request: for the user's list of sessions, the audit log and the limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
}

impl Peer {
    /// As the audit log has it.
    pub(crate) fn shown_address(&self) -> Option<String> {
        self.address.map(|address| address.to_canonical().to_string())
    }
}
