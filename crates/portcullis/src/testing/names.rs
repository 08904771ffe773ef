use std::net::IpAddr;

use crate::fetch::script;

/// DNS responses for tests of URLs that tenants choose. The default HTTP client of an
/// [`IssuerResolver`](crate::config::IssuerResolver)'s issuers, and
/// [`ReqwestFetch::public_addresses_only`](crate::fetch::ReqwestFetch::public_addresses_only), look
/// names up here first.
///
/// If the addresses of a name are allowed, connections to it go to 127.0.0.1 and the port of the
/// URL. Names are global to the process: use different names in each test.
///
/// ```
/// use portcullis::fetch::{Fetch, FetchRequest, ReqwestFetch};
/// use portcullis::testing::ScriptedNames;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// ScriptedNames::set("keys.tenant.example", [["10.0.0.7".parse()?]]);
/// let fetch = ReqwestFetch::public_addresses_only().map_err(|error| error.to_string())?;
/// let request = FetchRequest::new("https://keys.tenant.example/", 1000);
/// assert!(fetch.get(request).await.is_err());
/// assert_eq!(ScriptedNames::lookups("keys.tenant.example"), 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ScriptedNames;

impl ScriptedNames {
    /// Answers the lookups of `name` with the addresses of `answers`, in order; the last answer
    /// repeats.
    pub fn set<A: IntoIterator<Item = IpAddr>>(name: &str, answers: impl IntoIterator<Item = A>) {
        script::set(name, answers.into_iter().map(|answer| answer.into_iter().collect()).collect());
    }

    /// Returns the number of lookups of `name`.
    #[must_use]
    pub fn lookups(name: &str) -> usize {
        script::lookups(name)
    }
}
