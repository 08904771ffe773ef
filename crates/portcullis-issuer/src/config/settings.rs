//! The table of settings.

/// The prefix of all variables' names.
pub(super) const PREFIX: &str = "IDENTSPHERE_";

/// The variable that names the settings file. It is not a setting: a settings file cannot name
/// another settings file.
pub const CONFIG_VARIABLE: &str = "IDENTSPHERE_CONFIG";

/// One setting of the issuer: an environment variable, and a key of a settings file.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name of the variable.
    pub name: &'static str,
    /// The value if the variable is not set or empty; an empty text if there is no default.
    pub default: &'static str,
    /// The effect of the setting, with its range or possible values.
    pub meaning: &'static str,
}

/// Every setting of the issuer. The keys of a settings file follow from the names
/// ([`Setting::key`]).
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "IDENTSPHERE_ISSUER",
        default: "http://127.0.0.1:8080",
        meaning: "The issuer's own URL, scheme and host only: the `iss` of every token. https, \
                  except on a loopback host",
    },
    Setting {
        name: "IDENTSPHERE_DANGEROUS_HTTP_HOST",
        default: "",
        meaning: "The one host, besides loopback hosts, for which IDENTSPHERE_ISSUER may use http, \
                  such as a container's name. Everyone on the network between the clients \
                  and the issuer can read passwords and \
                  tokens, and browsers do not keep the cookies",
    },
    Setting {
        name: "IDENTSPHERE_LISTEN",
        default: "127.0.0.1:8080",
        meaning: "IP address and port to listen on",
    },
    Setting {
        name: "IDENTSPHERE_METRICS_LISTEN",
        default: "",
        meaning: "IP address and port to serve Prometheus metrics on, at /metrics; without it, no \
                  metrics are served",
    },
    Setting {
        name: "IDENTSPHERE_HEALTH_LISTEN",
        default: "",
        meaning: "IP address and port to answer /healthz and /readyz on, besides \
                  IDENTSPHERE_LISTEN: a probe there does not compete with clients for connections",
    },
    Setting {
        name: "IDENTSPHERE_CONNECTIONS_PER_ADDRESS",
        default: "256",
        meaning: "Maximum number of open connections from an IPv4 address or an IPv6 network \
                  (/64), 1 to 896 (the \
                  limit of all clients together). Proxies in IDENTSPHERE_TRUSTED_PROXIES are \
                  exempt. If IDENTSPHERE_CLIENT_ADDRESS_HEADER is set and no proxies are listed, \
                  every connection is exempt",
    },
    Setting {
        name: "IDENTSPHERE_SHUTDOWN_DELAY_SECS",
        default: "0",
        meaning: "How long the issuer still serves requests after a signal to stop, while /readyz \
                  fails, 0 to 300. Set it longer than a load balancer needs to notice the failing probe",
    },
    Setting {
        name: "IDENTSPHERE_DATABASE",
        default: "identsphere.db",
        meaning: "The SQLite file; created if it is absent",
    },
    Setting {
        name: "IDENTSPHERE_DATABASE_URL",
        default: "",
        meaning: "postgres://user:password@host/database, instead of the SQLite file: for several \
                  issuer processes. All of them need the same key-encryption key",
    },
    Setting {
        name: "IDENTSPHERE_AUDIENCES",
        default: "",
        meaning: "The audiences of tokens (your APIs), separated by commas or spaces, in addition \
                  to the issuer itself",
    },
    Setting {
        name: "IDENTSPHERE_NARROW_TOKENS",
        default: "off",
        meaning: "`on`: users' tokens are for the issuer alone, unless a login or a refresh names \
                  other resources (RFC 8707). `off`: they are for the issuer and all of \
                  IDENTSPHERE_AUDIENCES: an API that receives such a token can then use it at the \
                  other APIs and at the issuer",
    },
    Setting {
        name: "IDENTSPHERE_ACCESS_EXPIRY_SECS",
        default: "900",
        meaning: "Lifetime of an access token, 1 to 86400: how long a revoked session still works \
                  in an app that validates locally",
    },
    Setting {
        name: "IDENTSPHERE_REFRESH_EXPIRY_SECS",
        default: "2592000",
        meaning: "Lifetime of an unused session; at least the access expiry",
    },
    Setting {
        name: "IDENTSPHERE_SESSION_MAX_SECS",
        default: "7776000",
        meaning: "Maximum lifetime of a session, even if it is used; then its user must log in \
                  again. At least the refresh expiry",
    },
    Setting {
        name: "IDENTSPHERE_REFRESH_GRACE_SECS",
        default: "10",
        meaning: "How long a client that did not receive the response to a refresh may repeat it \
                  with the same token, if the new token has not been used; 0 to 60, 0: never",
    },
    Setting {
        name: "IDENTSPHERE_REFRESHES_PER_SESSION",
        default: "300",
        meaning: "Rate limit: refreshes of a session in 5 minutes; then 429 and `Retry-After`. \
                  0: no limit",
    },
    Setting {
        name: "IDENTSPHERE_STATUS_LIST_TTL_SECS",
        default: "60",
        meaning: "How long an app without push may use a status list before it fetches the list \
                  again, 5 to 86400. A list expires after ten times as long",
    },
    Setting {
        name: "IDENTSPHERE_JWKS_MAX_AGE_SECS",
        default: "300",
        meaning: "How long others may cache the published keys, 0 to 86400. A new key is published \
                  for this long before it signs; a withdrawn key is accepted for at most this long",
    },
    Setting {
        name: "IDENTSPHERE_KEY_ROTATION_DAYS",
        default: "30",
        meaning: "How long a key signs before the next key replaces it; with 0, keys are rotated \
                  only by `keys rotate`",
    },
    Setting {
        name: "IDENTSPHERE_CLOCK_SKEW_SECS",
        default: "60",
        meaning: "Tolerated clock skew between issuer and verifiers, 1 to 3600. A new key waits \
                  this much longer before it signs, and an old key stays published for twice \
                  this time longer",
    },
    Setting {
        name: "IDENTSPHERE_SIGNING_ALGORITHM",
        default: "",
        meaning: "Algorithm of new keys: ES256, EdDSA or RS256. If not set, the first key uses \
                  ES256, and each later key the algorithm of its predecessor",
    },
    Setting {
        name: "IDENTSPHERE_KEY_ENCRYPTION_KEY",
        default: "",
        meaning: "Base64 of the 32-byte key that encrypts signing keys at rest \
                  (openssl rand -base64 32); instead of the key file",
    },
    Setting {
        name: "IDENTSPHERE_KEY_ENCRYPTION_KEY_FILE",
        default: "",
        meaning: "The file with the key-encryption key. If neither setting is set, it is \
                  <database>.key, created at the first start. On PostgreSQL one of the two must be \
                  set",
    },
    Setting {
        name: "IDENTSPHERE_LOGIN_ATTEMPTS_PER_ACCOUNT",
        default: "20",
        meaning: "Rate limit: failed logins of an account, and failed attempts of a machine \
                  client, in 5 minutes; then 429 and `Retry-After`. 0: no limit",
    },
    Setting {
        name: "IDENTSPHERE_LOGIN_ATTEMPTS_PER_ADDRESS",
        default: "200",
        meaning: "The same rate limit for an IPv4 address or an IPv6 network (/64), and the rate \
                  limit of challenges for passkeys from there",
    },
    Setting {
        name: "IDENTSPHERE_CLIENT_ADDRESS_HEADER",
        default: "",
        meaning: "The header field in which a proxy in front of the issuer writes the client's \
                  address, with or without a port, such as X-Forwarded-For. If it lists several \
                  addresses, the last one outside IDENTSPHERE_TRUSTED_PROXIES is used. If the \
                  field has no usable address or this is not set, the connection's address is used",
    },
    Setting {
        name: "IDENTSPHERE_TRUSTED_PROXIES",
        default: "",
        meaning: "The addresses and networks (10.0.0.0/8) of the proxies in front of the issuer, \
                  separated by commas or spaces: on connections from other addresses \
                  IDENTSPHERE_CLIENT_ADDRESS_HEADER is ignored. If this is not set, every \
                  connection must come through the proxy: otherwise clients choose their address",
    },
    Setting {
        name: "IDENTSPHERE_PASSWORD_MEMORY_KIB",
        default: "19456",
        meaning: "Memory of argon2id for one password, 7168 to 1048576; a stored hash is replaced \
                  at its user's next login",
    },
    Setting {
        name: "IDENTSPHERE_PASSWORD_ITERATIONS",
        default: "2",
        meaning: "Number of argon2id iterations, up to 100; memory times iterations must be at \
                  least 35840",
    },
    Setting {
        name: "IDENTSPHERE_SECOND_FACTOR",
        default: "optional",
        meaning: "When a login asks for the second factor: `off` (never; only a step-up does), \
                  `optional` (if the user has one), or `required` (a \
                  session without one gets tokens for the \
                  issuer alone, without roles and scopes, until the user has set one up)",
    },
    Setting {
        name: "IDENTSPHERE_ADMIN_MAX_AUTH_AGE_SECS",
        default: "900",
        meaning: "How long ago an administrator may have logged in, or shown the second factor, for \
                  a change at /v1/admin, 60 to 86400; otherwise 401 with `max_age` (RFC 9470). 0: no \
                  limit",
    },
    Setting {
        name: "IDENTSPHERE_PASSKEY_RP_ID",
        default: "",
        meaning: "The domain that passkeys are bound to, such as example.com: the host of the login \
                  page or a parent domain. It switches passkeys on. With another domain, users must \
                  register new passkeys",
    },
    Setting {
        name: "IDENTSPHERE_PASSKEY_ORIGINS",
        default: "",
        meaning: "The origins whose pages may use passkeys, such as https://app.example.com, \
                  separated by commas or spaces: within IDENTSPHERE_PASSKEY_RP_ID. If this is not \
                  set: IDENTSPHERE_ISSUER and IDENTSPHERE_TRUSTED_ORIGINS",
    },
    Setting {
        name: "IDENTSPHERE_AUDIT_DAYS",
        default: "90",
        meaning: "How long the audit log is kept, 1 to 3650",
    },
    Setting {
        name: "IDENTSPHERE_COOKIE_DOMAIN",
        default: "",
        meaning: "The domain whose hosts all receive the access cookie; if not set, only the \
                  issuer's own host receives it",
    },
    Setting {
        name: "IDENTSPHERE_TRUSTED_ORIGINS",
        default: "",
        meaning: "The origins whose pages may call the issuer with their users' cookies, such as \
                  https://app.example.com, separated by commas or spaces: they get CORS with \
                  credentials; other origins are rejected",
    },
    Setting {
        name: "IDENTSPHERE_REGISTRATION",
        default: "off",
        meaning: "`on`: anyone may create a user (without roles and scopes) at POST \
                  /v1/auth/register",
    },
    Setting {
        name: "IDENTSPHERE_ADDRESS_VERIFICATION",
        default: "off",
        meaning: "`on`: the name of a registration is an address. The user can log in after \
                  returning a token that was sent to this address, and no response tells whether a name is \
                  taken. Needs IDENTSPHERE_NOTIFIER",
    },
    Setting {
        name: "IDENTSPHERE_NOTIFIER",
        default: "",
        meaning: "What delivers messages to users (password reset, invitation, address \
                  verification): an https URL, to which they are posted as JSON; `exec:` followed \
                  by a program that reads them on standard input; or `log`, for development. \
                  Without it, no messages are delivered",
    },
    Setting {
        name: "IDENTSPHERE_NOTIFIER_SECRET",
        default: "",
        meaning: "Bearer token for the URL of IDENTSPHERE_NOTIFIER",
    },
];
