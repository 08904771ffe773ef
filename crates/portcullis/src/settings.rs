//! The table of all settings: their names in code and in the environment.
//!
//! Errors, log lines and the README take the names from here, so none of them can name a setting
//! that does not exist.

use std::fmt;

/// A setting of an [`Authenticator`](crate::Authenticator).
///
/// Displayed as `jwks_ttl (PORTCULLIS_JWKS_TTL_SECS)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The method of [`AuthenticatorBuilder`](crate::AuthenticatorBuilder) that sets it.
    pub method: &'static str,
    /// The environment variable that [`Authenticator::from_env`](crate::Authenticator::from_env)
    /// reads it from.
    pub variable: &'static str,
    /// The default, in words.
    pub default: &'static str,
    /// What it controls.
    pub meaning: &'static str,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.method, self.variable)
    }
}

macro_rules! settings {
    ($($constant:ident: $method:literal, $variable:literal, $default:literal, $meaning:literal;)*) => {
        $(pub(crate) const $constant: &Setting = &Setting {
            method: $method, variable: $variable, default: $default, meaning: $meaning,
        };)*

        impl Setting {
            /// All settings, in the order of the documentation.
            pub const ALL: &'static [&'static Self] = &[$($constant),*];
        }
    };
}

settings! {
    ISSUER: "issuer", "PORTCULLIS_ISSUER", "none: must be set",
        "what `iss` must say, byte for byte; keys are discovered below it";
    AUDIENCE: "audience", "PORTCULLIS_AUDIENCE", "none: must be set",
        "this API's name; `aud` must hold it (several: separated by commas)";
    JWKS_URL: "jwks_url", "PORTCULLIS_JWKS_URL", "discovered",
        "where the keys are, when they should not be discovered";
    DISCOVERY_URL: "discovery_url", "PORTCULLIS_DISCOVERY_URL", "below the issuer",
        "where the issuer's metadata is, when it is not below the issuer's own URL";
    JWKS_FILE: "jwks_file", "PORTCULLIS_JWKS_FILE", "none",
        "a file with the keys, a JWK Set or PEM, read again when it changes";
    ALLOW_HTTP_HOST: "allow_http_host", "PORTCULLIS_ALLOW_HTTP_HOST", "none",
        "one host, a name or an address, that keys may be fetched from over plain http";
    CA_FILE: "ca_file", "PORTCULLIS_CA_FILE", "what the system trusts",
        "certificates in PEM that are trusted as well for fetching, read again at each fetch";
    STATUS_LISTS: "status_lists", "PORTCULLIS_STATUS_LISTS", "below the issuer",
        "what the addresses of the issuer's status lists begin with";
    INTROSPECTION_URL: "introspection_url", "PORTCULLIS_INTROSPECTION_URL", "none",
        "where the issuer is asked about a token, for routes that ask it each time (RFC 7662)";
    INTROSPECTION_CLIENT_ID: "introspection_client_id", "PORTCULLIS_INTROSPECTION_CLIENT_ID", "none",
        "as which client this service asks it, where the issuer authenticates that client";
    INTROSPECTION_SECRET_FILE: "introspection_secret_file", "PORTCULLIS_INTROSPECTION_SECRET_FILE",
        "none", "a file with that client's secret, read again each time";
    FETCH_TOKEN_FILE: "fetch_token_file", "PORTCULLIS_FETCH_TOKEN_FILE", "none",
        "a bearer token for fetching, read again at each fetch, sent to the configured origin only";
    JWKS_TTL: "jwks_ttl", "PORTCULLIS_JWKS_TTL_SECS", "300",
        "how long a fetched key set is used before it is fetched again";
    MIN_TTL: "min_ttl", "PORTCULLIS_JWKS_MIN_TTL_SECS", "10",
        "the least that the server's caching headers may shorten the TTL to";
    REFRESH_AHEAD: "refresh_ahead", "PORTCULLIS_JWKS_REFRESH_AHEAD_SECS", "a tenth of the TTL",
        "how long before its TTL a key set is renewed in the background";
    BACKGROUND_REFRESH: "without_background_refresh", "PORTCULLIS_JWKS_BACKGROUND_REFRESH", "true",
        "renew keys ahead of time; off, the first request past the TTL waits for the fetch";
    MAX_STALE: "max_stale", "PORTCULLIS_JWKS_MAX_STALE_SECS", "3600",
        "how long beyond its TTL a key set is used while the issuer can not be reached";
    OBEY_NO_CACHE: "obey_no_cache", "PORTCULLIS_JWKS_OBEY_NO_CACHE", "false",
        "let `no-cache`, `no-store`, `must-revalidate`, `max-age=0` and a past `Expires` of the server \
         shorten the TTL to `min_ttl` and forbid stale keys";
    COOLDOWN: "cooldown", "PORTCULLIS_JWKS_COOLDOWN_SECS", "30",
        "how long until unknown `kid`s may cause another fetch, beyond a burst of 3";
    FETCH_TIMEOUT: "fetch_timeout", "PORTCULLIS_FETCH_TIMEOUT_SECS", "5",
        "the deadline of one whole fetch, discovery included";
    MAX_BODY: "max_body_bytes", "PORTCULLIS_JWKS_MAX_BODY_BYTES", "524288",
        "the longest key set or metadata that is read, in bytes";
    MAX_KEYS: "max_keys", "PORTCULLIS_JWKS_MAX_KEYS", "200",
        "the most keys that a set may hold";
    LEEWAY: "leeway", "PORTCULLIS_LEEWAY_SECS", "10",
        "the clock skew that `exp`, `nbf` and `iat` tolerate; adds to every revocation lag";
    MAX_TOKEN_LIFETIME: "max_token_lifetime", "PORTCULLIS_MAX_TOKEN_LIFETIME_SECS", "no limit",
        "tokens issued for longer than this are refused, which bounds the revocation lag";
    MAX_TOKEN_AGE: "max_token_age", "PORTCULLIS_MAX_TOKEN_AGE_SECS", "no limit",
        "tokens issued longer ago than this are refused, however long they were issued for";
    REQUIRED_CLAIMS: "required_claims", "PORTCULLIS_REQUIRED_CLAIMS", "those of the profile",
        "claims that a token must have as well (separated by commas)";
    ALGORITHMS: "algorithms", "PORTCULLIS_ALGORITHMS", "all asymmetric ones",
        "the signature algorithms that are accepted (separated by commas)";
    PROFILE: "profile", "PORTCULLIS_PROFILE", "jwt",
        "the kind of token: `rfc9068` for strict access tokens, or the issuer's habits";
    SCOPES_AT: "Profile::scopes_at", "PORTCULLIS_SCOPES_AT", "where the profile says: `scope`",
        "the one claim that scopes are read from: its name, or a path as a JSON array";
    ROLES_AT: "Profile::roles_at", "PORTCULLIS_ROLES_AT", "only where the profile says",
        "a claim that roles are read from as well: its name, a path as a JSON array, or several paths";
    REALM: "realm", "PORTCULLIS_REALM", "api",
        "the `realm` of the challenge that a refused client gets";
    RESOURCE: "protected_resource", "PORTCULLIS_RESOURCE", "none",
        "this API's URL, for which metadata are published (RFC 9728) that challenges point to";
    PROBLEM_JSON: "problem_json", "PORTCULLIS_PROBLEM_JSON", "false",
        "give refusals a problem document (RFC 9457) for a body";
    TOKEN_PLACES: "token_places", "PORTCULLIS_TOKEN_PLACES", "authorization",
        "the places where a token may stand, separated by commas: `authorization`, `header:NAME`, \
         `header:NAME:SCHEME`, `websocket:PREFIX`, `websocket-pair:MARKER`, \
         `websocket-base64url:PREFIX`";
    COOKIE: "cookie", "PORTCULLIS_COOKIE", "none: no cookie is read",
        "the cookie that may hold the token when no listed place does";
    TRUSTED_ORIGINS: "also_trusted_origin", "PORTCULLIS_TRUSTED_ORIGINS", "this origin only",
        "the origins whose pages may send that cookie with unsafe requests";
    TOKEN_CACHE: "token_cache_bytes", "PORTCULLIS_TOKEN_CACHE_BYTES", "33554432",
        "how much memory verified tokens may take, so that they need not be verified again; 0: off";
    MAX_TOKEN_BYTES: "max_token_bytes", "PORTCULLIS_MAX_TOKEN_BYTES", "16384",
        "the longest token that is read, in bytes";
    START_WITHOUT_KEYS: "start_without_keys", "PORTCULLIS_START_WITHOUT_KEYS", "false",
        "start, and answer 503, even though the keys can not be fetched yet";
    KEPT_KEYS_FILE: "kept_keys_file", "PORTCULLIS_KEPT_KEYS_FILE", "none: nothing is kept",
        "a file that keeps the last good keys, for a start while the issuer cannot be reached";
}
