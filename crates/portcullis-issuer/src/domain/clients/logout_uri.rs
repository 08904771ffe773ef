//! The URIs at which clients may receive logout tokens.

use url::{Host, Url};

use crate::error::Error;

/// The maximum length of a URI, in bytes.
const MAX_BYTES: usize = 2048;

/// The rule for back-channel logout URIs.
#[derive(Debug, Clone)]
pub(crate) struct LogoutUris {
    /// The one host, besides loopback hosts, for which http is allowed.
    pub(crate) http_host: Option<String>,
}

impl LogoutUris {
    /// Returns an error unless logout tokens may be sent to this URI (OpenID Connect Back-Channel
    /// Logout 1.0 section 2.2).
    pub(crate) fn check(&self, uri: &str) -> Result<(), Error> {
        if self.is_allowed(uri) {
            return Ok(());
        }
        Err(Error::InvalidClient(
            "the back-channel logout URI must be an https URL of at most 2 KiB without a fragment, \
             user name, white space and control characters; http is accepted on a loopback host \
             (127.0.0.1, [::1], localhost) and on the host of IDENTSPHERE_DANGEROUS_HTTP_HOST",
        ))
    }

    /// Returns whether logout tokens may be sent to this URI.
    pub(crate) fn is_allowed(&self, uri: &str) -> bool {
        // The URL parser would remove these characters.
        let has_blank = uri.contains(|c: char| c.is_whitespace() || c.is_control());
        if uri.len() > MAX_BYTES || has_blank {
            return false;
        }
        let Ok(url) = Url::parse(uri) else { return false };
        let may_be_sent = match url.scheme() {
            "https" => url.has_host(),
            "http" => self.may_have_http(&url),
            _ => false,
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        may_be_sent && !has_user && url.fragment().is_none()
    }

    fn may_have_http(&self, url: &Url) -> bool {
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let named = self.http_host.as_deref();
        is_loopback || named.is_some_and(|host| url.host_str() == Some(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_is_https_or_http_on_a_loopback_or_named_host() {
        let uris = LogoutUris { http_host: Some("apps".to_owned()) };
        let at_most = format!("https://app.example/{}", "a".repeat(MAX_BYTES - 20));
        for right in [
            "https://app.example/logout",
            "https://app.example:8443/logout?tenant=1",
            "https://10.0.0.1/logout",
            "http://127.0.0.1:9000/logout",
            "http://[::1]:9000/logout",
            "http://localhost/logout",
            "http://apps:9000/logout",
            &at_most,
        ] {
            assert!(uris.check(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "/logout",
            "app.example/logout",
            "http://app.example/logout",
            "http://apps.example/logout",
            "http://a.localhost/logout",
            "https://app.example/logout#fragment",
            "https://app.example/logout#",
            "https://user@app.example/logout",
            "https://:secret@app.example/logout",
            "https://app.example/log out",
            "https://app.example/logout\n",
            "ftp://app.example/logout",
            "file:///etc/passwd",
            "javascript:alert(1)",
            &format!("{at_most}a"),
        ] {
            let error = uris.check(wrong).unwrap_err().to_string();
            assert!(error.contains("must be an https URL"), "{wrong}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let none = LogoutUris { http_host: None };
        assert!(none.check("http://apps:9000/logout").is_err());
    }
}
