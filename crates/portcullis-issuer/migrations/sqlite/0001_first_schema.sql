-- Times are whole seconds since 1970-01-01 UTC (NumericDate, RFC 7519 section 2).

CREATE TABLE users (
    id            TEXT    PRIMARY KEY NOT NULL,
    -- "Alice" and "alice" are one person: two of them would only serve an impostor.
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT    NOT NULL,           -- PHC string, argon2id
    roles         TEXT    NOT NULL,           -- JSON array of strings
    scopes        TEXT    NOT NULL,           -- JSON array of strings
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id           TEXT    PRIMARY KEY NOT NULL,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,            -- when the password was checked: auth_time
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    user_agent   TEXT,
    ended_at     INTEGER,
    end_reason   TEXT    CHECK (end_reason IN ('logout', 'deleted', 'reuse')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX sessions_of_a_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    hash       BLOB    PRIMARY KEY NOT NULL,  -- SHA-256; the token itself is never stored
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER                        -- NULL: the session's current token
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_of_a_session ON refresh_tokens (session_id);
-- The database itself refuses a second current token for one session.
CREATE UNIQUE INDEX one_current_refresh_token ON refresh_tokens (session_id)
    WHERE rotated_at IS NULL;

CREATE TABLE signing_keys (
    kid                TEXT    PRIMARY KEY NOT NULL,  -- RFC 7638 thumbprint
    algorithm          TEXT    NOT NULL,
    state              TEXT    NOT NULL CHECK (state IN ('next', 'active', 'retired', 'withdrawn')),
    public_jwk         TEXT    NOT NULL,
    sealed_private_key BLOB,                  -- AES-256-GCM; gone once the key signs no more
    created_at         INTEGER NOT NULL,
    -- The longest lifetime of any token that this key may have signed: it decides how long the
    -- key stays published, even when the setting was lowered meanwhile.
    longest_token_secs INTEGER NOT NULL,
    retired_at         INTEGER,
    published_until    INTEGER,               -- of a retired key: withdrawn from this second on
    CHECK ((state IN ('next', 'active')) = (sealed_private_key IS NOT NULL)),
    CHECK ((state IN ('retired', 'withdrawn')) = (published_until IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX one_active_key ON signing_keys (state) WHERE state = 'active';

-- Every change of signing_keys counts this up, so that a running process notices it cheaply.
CREATE TABLE key_ring (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version  INTEGER NOT NULL
) STRICT;

INSERT INTO key_ring (only_row, version) VALUES (1, 0);
