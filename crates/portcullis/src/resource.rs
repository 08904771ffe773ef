//! Protected resource metadata ([RFC 9728]): it tells a rejected client which issuer to request a
//! token from. Authorization of MCP servers is based on it.
//!
//! [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728

use std::sync::Once;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue,
};
use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use crate::fetch::url::is_loopback;
use crate::request::{RequestView, is_head};
use crate::settings;

/// The segment that RFC 9728 §3 inserts between a resource's host and path.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The metadata that a service publishes about itself ([RFC 9728 §2]).
///
/// ```
/// # use portcullis::{Authenticator, ProtectedResource};
/// let builder = Authenticator::builder("https://auth.example", "https://mcp.example/mcp")
///     .protected_resource(
///         ProtectedResource::new("https://mcp.example/mcp")
///             .scopes(["tools:call"])
///             .name("The example's tools"),
///     );
/// ```
///
/// [RFC 9728 §2]: https://www.rfc-editor.org/rfc/rfc9728#section-2
#[derive(Debug, Clone)]
pub struct ProtectedResource {
    pub(crate) identifier: String,
    members: Map<String, Value>,
}

impl ProtectedResource {
    /// Creates the metadata of `identifier`: the https URL by which clients know the service,
    /// usually also the audience of its tokens.
    #[must_use]
    pub fn new(identifier: impl Into<String>) -> Self {
        Self { identifier: identifier.into(), members: Map::new() }
    }

    /// Sets the scopes that a client may request from the issuer.
    #[must_use]
    pub fn scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
        self.member("scopes_supported", scopes)
    }

    /// Sets the service's human-readable name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        self.member("resource_name", name.into())
    }

    /// Sets any other member of the metadata. `resource` and `authorization_servers` are derived
    /// from the settings and cannot be set, except `authorization_servers` if all issuers come from
    /// a [resolver](crate::Authenticator::builder_with_resolver).
    #[must_use]
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// Returns `None` if the identifier is invalid (RFC 9728 §1.2).
    pub(crate) fn at(&self, issuers: &[&str], by_header: bool) -> Option<Resource> {
        let mut url = Url::parse(&self.identifier).ok()?;
        let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let plain = url.fragment().is_none() && url.username().is_empty() && url.host().is_some();
        if !secure || !plain || url.password().is_some() {
            return None;
        }
        let path = format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut document = self.members.clone();
        document.insert("resource".to_owned(), json!(self.identifier));
        // RFC 9728 §3.2 forbids an empty list. A resolver's issuers are unknown here.
        if !issuers.is_empty() {
            document.insert("authorization_servers".to_owned(), json!(issuers));
        }
        // The registered values of this member cover only the token locations of RFC 6750.
        if by_header {
            document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        }
        Some(Resource {
            path,
            url: url.into(),
            document: Value::Object(document).to_string().into(),
            unserved: Once::new(),
        })
    }
}

impl<S: Into<String>> From<S> for ProtectedResource {
    fn from(identifier: S) -> Self {
        Self::new(identifier)
    }
}

/// A resource and the location of its metadata.
#[derive(Debug)]
pub(crate) struct Resource {
    path: String,
    url: String,
    document: Bytes,
    /// Ensures that the warning about a layer that does not serve the document is logged only once.
    unserved: Once,
}

impl Resource {
    /// The value of `resource_metadata` (RFC 9728 §5.1).
    pub(crate) fn metadata_url(&self) -> &str {
        &self.url
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_asked_for(&self, request: &(impl RequestView + ?Sized)) -> bool {
        let method = request.method();
        let served = [Method::GET, Method::HEAD, Method::OPTIONS];
        request.path() == Some(&self.path)
            && served.iter().any(|served| method == Some(served.as_str()))
    }

    /// Warns, once, of a layer whose challenges name metadata that it does not serve.
    pub(crate) fn report_unserved(&self) {
        self.unserved.call_once(|| {
            tracing::warn!(
                target: "portcullis",
                metadata = self.url, setting = %settings::RESOURCE,
                remedy = "call `with_bodies` on the layer, or serve the metadata from another layer",
                "challenges link to metadata that this layer cannot serve: it makes no response bodies",
            );
        });
    }

    /// Builds the response (RFC 9728 §3.2). It is public: any page may read it, and any cache may
    /// store it for a while. A browser first sends a preflight to ask whether the page may send a
    /// custom header, such as MCP's protocol version.
    pub(crate) fn to_response<B: From<Bytes>>(
        &self,
        request: &(impl RequestView + ?Sized),
    ) -> Response<B> {
        let is_preflight = request.method() == Some(Method::OPTIONS.as_str());
        let has_body = !is_preflight && !is_head(request);
        let document = if has_body { self.document.clone() } else { Bytes::new() };
        let mut response = Response::new(document.into());
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if is_preflight {
            for (name, value) in [
                (ALLOW, "GET, HEAD, OPTIONS"),
                (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
                (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
                (ACCESS_CONTROL_MAX_AGE, "3600"),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
            *response.status_mut() = StatusCode::NO_CONTENT;
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_path_is_inserted_between_host_and_path() {
        for (identifier, url) in [
            ("https://api.example", "https://api.example/.well-known/oauth-protected-resource"),
            ("https://api.example/", "https://api.example/.well-known/oauth-protected-resource"),
            (
                "https://api.example:8443/a/mcp?x=1",
                "https://api.example:8443/.well-known/oauth-protected-resource/a/mcp?x=1",
            ),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/.well-known/oauth-protected-resource"),
        ] {
            let resource = ProtectedResource::new(identifier).at(&[], true).unwrap();
            assert_eq!(resource.metadata_url(), url);
        }
    }

    #[test]
    fn invalid_resource_identifier_is_rejected() {
        for identifier in [
            "",
            "api",
            "http://api.example",
            "https://a.example/#b",
            "https://u@a.example",
            "urn:a",
        ] {
            assert!(ProtectedResource::new(identifier).at(&[], true).is_none(), "{identifier}");
        }
    }

    #[test]
    fn resource_metadata_reflects_the_settings() {
        let resource = ProtectedResource::new("https://api.example")
            .scopes(["read"])
            .name("API")
            .member("resource", "https://evil.example");
        let resource = resource.at(&["https://auth.example"], true).unwrap();
        let document: Value = serde_json::from_slice(&resource.document).unwrap();
        assert_eq!(
            document,
            json!({
                "resource": "https://api.example",
                "authorization_servers": ["https://auth.example"],
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["read"],
                "resource_name": "API",
            })
        );
        let elsewhere = ProtectedResource::new("https://api.example").at(&[], false).unwrap();
        let document: Value = serde_json::from_slice(&elsewhere.document).unwrap();
        assert!(document.get("bearer_methods_supported").is_none());
    }
}
