-- Machine clients (RFC 6749 section 2): what each proves itself with, and what it may ask for.
CREATE TABLE clients (
    id          TEXT   PRIMARY KEY,
    secret_hash BYTEA,                        -- SHA-256; the secret itself is never stored
    jwks        TEXT,                         -- or its public keys (RFC 7517 section 5)
    scopes      TEXT   NOT NULL,              -- JSON array of strings
    audiences   TEXT   NOT NULL,              -- JSON array of strings; none: those of the settings
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT,
    CHECK ((secret_hash IS NULL) <> (jwks IS NULL))
);

-- JWTs that are good no more though they have not expired: client assertions that were used, and
-- access tokens that were revoked. Forgotten when they have expired.
CREATE TABLE spent_jwts (
    hash       BYTEA  PRIMARY KEY,            -- SHA-256 of `iss` and `jti`
    expires_at BIGINT NOT NULL
);

CREATE INDEX spent_jwts_by_expiry ON spent_jwts (expires_at);

ALTER TABLE events ADD COLUMN client_id TEXT;
