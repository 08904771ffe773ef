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
    /// A description of the effect of the setting.
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
        "the issuer's URL, exactly as in `iss`; keys are discovered from it";
    AUDIENCE: "audience", "PORTCULLIS_AUDIENCE", "none: must be set",
        "this API's identifier, which `aud` must contain; separate several with commas";
    JWKS_URL: "jwks_url", "PORTCULLIS_JWKS_URL", "discovered",
        "URL of the key set; replaces discovery";
    DISCOVERY_URL: "discovery_url", "PORTCULLIS_DISCOVERY_URL", "below the issuer",
        "URL of the issuer's metadata, if it is not below the issuer's URL";
    JWKS_FILE: "jwks_file", "PORTCULLIS_JWKS_FILE", "none",
        "file with the keys, a JWK Set or PEM; re-read when it changes";
    ALLOW_HTTP_HOST: "allow_http_host", "PORTCULLIS_ALLOW_HTTP_HOST", "none",
        "one host name or address from which keys may be fetched over plain http";
    CA_FILE: "ca_file", "PORTCULLIS_CA_FILE", "the system's",
        "PEM file of additional trusted certificates for fetches; re-read at each fetch";
    STATUS_LISTS: "status_lists", "PORTCULLIS_STATUS_LISTS", "below the issuer",
        "URL prefix of the issuer's status lists";
    INTROSPECTION_URL: "introspection_url", "PORTCULLIS_INTROSPECTION_URL", "none",
        "the issuer's introspection endpoint (RFC 7662), for routes that require live revocation";
    INTROSPECTION_CLIENT_ID: "introspection_client_id", "PORTCULLIS_INTROSPECTION_CLIENT_ID", "none",
        "client id for that endpoint, if it authenticates clients";
    INTROSPECTION_SECRET_FILE: "introspection_secret_file", "PORTCULLIS_INTROSPECTION_SECRET_FILE",
        "none", "file with that client's secret; re-read for each request";
    SESSION_AT: "session_at", "PORTCULLIS_SESSION_AT", "sid",
        "claim of access tokens that names the session, for the revocation feed: its name, or \
         its path as a JSON \
         array";
    LOGOUT_CLIENTS: "logout_clients", "PORTCULLIS_LOGOUT_CLIENTS", "none: no logout token is accepted",
        "client ids that the issuer sends logout tokens to, separated by commas";
    EVENT_AUDIENCES: "event_audiences", "PORTCULLIS_EVENT_AUDIENCES",
        "none: no security event token is accepted",
        "audiences of the issuer's security event tokens (RFC 8935), separated by commas";
    LOGOUT_MATCH: "logout_match", "PORTCULLIS_LOGOUT_MATCH", "sid",
        "what a logout token revokes: `sid`, its session, or `sub`, all earlier tokens of its subject";
    UNTYPED_LOGOUT_TOKENS: "untyped_logout_tokens", "PORTCULLIS_UNTYPED_LOGOUT_TOKENS", "false",
        "accept logout tokens whose `typ` is `JWT` or absent";
    FETCH_TOKEN_FILE: "fetch_token_file", "PORTCULLIS_FETCH_TOKEN_FILE", "none",
        "file with a bearer token for fetches, sent to the configured origin only; re-read at each \
         fetch";
    JWKS_TTL: "jwks_ttl", "PORTCULLIS_JWKS_TTL_SECS", "300",
        "time for which a fetched key set is used before it is refreshed";
    MIN_TTL: "min_ttl", "PORTCULLIS_JWKS_MIN_TTL_SECS", "10",
        "minimum TTL, whatever the server's caching headers request";
    REFRESH_AHEAD: "refresh_ahead", "PORTCULLIS_JWKS_REFRESH_AHEAD_SECS", "a tenth of the TTL",
        "time before the end of the TTL at which a key set is refreshed in the background";
    BACKGROUND_REFRESH: "without_background_refresh", "PORTCULLIS_JWKS_BACKGROUND_REFRESH", "true",
        "`true`: keys are refreshed before the end of the TTL; `false`: the first request after the TTL waits";
    MAX_STALE: "max_stale", "PORTCULLIS_JWKS_MAX_STALE_SECS", "3600",
        "time past its TTL for which a key set is used while the issuer is unreachable";
    OBEY_NO_CACHE: "obey_no_cache", "PORTCULLIS_JWKS_OBEY_NO_CACHE", "false",
        "obey the server's headers against caching: `no-cache`, `no-store`, `max-age=0` or a past \
         `Expires` shortens the TTL to `min_ttl`; `no-cache`, `no-store` or `must-revalidate` \
         forbids stale keys";
    COOLDOWN: "cooldown", "PORTCULLIS_JWKS_COOLDOWN_SECS", "30",
        "minimum time between two fetches for unknown `kid`s, after a burst of 3";
    FETCH_TIMEOUT: "fetch_timeout", "PORTCULLIS_FETCH_TIMEOUT_SECS", "5",
        "timeout of a whole fetch, including discovery";
    MAX_BODY: "max_body_bytes", "PORTCULLIS_JWKS_MAX_BODY_BYTES", "524288",
        "maximum size of a key set or metadata document, in bytes";
    MAX_KEYS: "max_keys", "PORTCULLIS_JWKS_MAX_KEYS", "200",
        "maximum number of keys in a set";
    LEEWAY: "leeway", "PORTCULLIS_LEEWAY_SECS", "10",
        "tolerated clock skew for `exp`, `nbf` and `iat`. The token of a revoked session is \
         accepted for one leeway longer, or for up to two if the issuer's clock is ahead. The \
         leeway does not affect the lag of a key or a status list";
    MAX_TOKEN_LIFETIME: "max_token_lifetime", "PORTCULLIS_MAX_TOKEN_LIFETIME_SECS", "no limit",
        "maximum time from `iat` to `exp`, which bounds the revocation lag";
    MAX_TOKEN_AGE: "max_token_age", "PORTCULLIS_MAX_TOKEN_AGE_SECS", "no limit",
        "maximum time since `iat`, regardless of `exp`";
    REQUIRED_CLAIMS: "required_claims", "PORTCULLIS_REQUIRED_CLAIMS", "those of the profile",
        "additional claims that a token must have, separated by commas";
    ALGORITHMS: "algorithms", "PORTCULLIS_ALGORITHMS", "all asymmetric ones",
        "accepted signature algorithms, separated by commas";
    PROFILE: "profile", "PORTCULLIS_PROFILE", "jwt",
        "token profile: `rfc9068` for strict access tokens, or one for the issuer";
    SCOPES_AT: "Profile::scopes_at", "PORTCULLIS_SCOPES_AT", "the profile's: `scope`",
        "name of the only claim that scopes are read from, or its path as a JSON array";
    ROLES_AT: "Profile::roles_at", "PORTCULLIS_ROLES_AT", "the profile's: `roles`",
        "additional claim that roles are read from: its name, a path as a JSON array, or an array of \
         paths";
    REALM: "realm", "PORTCULLIS_REALM", "api",
        "`realm` in the challenge of a rejected request";
    RESOURCE: "protected_resource", "PORTCULLIS_RESOURCE", "none",
        "this API's URL; publishes metadata for it (RFC 9728), to which challenges link";
    PROBLEM_JSON: "problem_json", "PORTCULLIS_PROBLEM_JSON", "false",
        "send a problem document (RFC 9457) as the body of a refusal";
    TOKEN_PLACES: "token_places", "PORTCULLIS_TOKEN_PLACES", "authorization",
        "places where a token may be, separated by commas: `authorization`, `header:NAME`, \
         `header:NAME:SCHEME`, `websocket:PREFIX`, `websocket-pair:MARKER`, \
         `websocket-base64url:PREFIX`";
    COOKIE: "cookie", "PORTCULLIS_COOKIE", "none: no cookie is read",
        "cookie that may contain the token if no listed place does";
    TRUSTED_ORIGINS: "also_trusted_origin", "PORTCULLIS_TRUSTED_ORIGINS", "this origin only",
        "origins whose pages may send that cookie with unsafe requests";
    TOKEN_CACHE: "token_cache_bytes", "PORTCULLIS_TOKEN_CACHE_BYTES", "33554432",
        "maximum memory for cached validated tokens, in bytes; 0 disables the cache";
    MAX_TOKEN_BYTES: "max_token_bytes", "PORTCULLIS_MAX_TOKEN_BYTES", "16384",
        "maximum length of a token, in bytes";
    START_WITHOUT_KEYS: "start_without_keys", "PORTCULLIS_START_WITHOUT_KEYS", "false",
        "start although the keys cannot be fetched, and respond with 503 until they can";
    KEPT_KEYS_FILE: "kept_keys_file", "PORTCULLIS_KEPT_KEYS_FILE", "none: nothing is kept",
        "file that stores the last valid keys, for a start while the issuer is unreachable";
}
