-- The tables of the SQLite schema (migrations/sqlite), column by column. Times are whole seconds
-- since 1970-01-01 UTC (NumericDate, RFC 7519 section 2).

CREATE TABLE users (
    id                 TEXT   PRIMARY KEY,
    name               TEXT   NOT NULL,
    password_hash      TEXT   NOT NULL,       -- PHC string, argon2id
    roles              TEXT   NOT NULL,       -- JSON array of strings
    scopes             TEXT   NOT NULL,       -- JSON array of strings
    created_at         BIGINT NOT NULL,
    sealed_totp_secret BYTEA,                 -- AES-256-GCM, with the user's id
    totp_confirmed_at  BIGINT,                -- NULL until the app was shown to have it, too
    totp_last_step     BIGINT                 -- no code is accepted twice (RFC 6238 section 5.2)
);

-- "Alice" and "alice" are one person: two of them would only serve an impostor.
CREATE UNIQUE INDEX users_by_name ON users (lower(name));

CREATE TABLE sessions (
    id            TEXT   PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at    BIGINT NOT NULL,            -- when the password was checked: auth_time
    last_used_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    user_agent    TEXT,
    ended_at      BIGINT,
    end_reason    TEXT   CHECK (end_reason IN ('logout', 'deleted', 'reuse')),
    stepped_up_at BIGINT,                     -- when the second factor was shown last
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX sessions_of_a_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    hash       BYTEA  PRIMARY KEY,            -- SHA-256; the token itself is never stored
    session_id TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT                         -- NULL: the session's current token
);

CREATE INDEX refresh_tokens_of_a_session ON refresh_tokens (session_id);
-- The database itself refuses a second current token for one session.
CREATE UNIQUE INDEX one_current_refresh_token ON refresh_tokens (session_id)
    WHERE rotated_at IS NULL;

CREATE TABLE signing_keys (
    serial               BIGINT GENERATED ALWAYS AS IDENTITY,
    kid                  TEXT   PRIMARY KEY,  -- RFC 7638 thumbprint
    algorithm            TEXT   NOT NULL,
    state                TEXT   NOT NULL CHECK (state IN ('next', 'active', 'retired', 'withdrawn')),
    public_jwk           TEXT   NOT NULL,
    sealed_private_key   BYTEA,               -- AES-256-GCM; gone once the key signs no more
    created_at           BIGINT NOT NULL,
    signs_from           BIGINT NOT NULL,     -- published before it signs: `next` until then
    -- The longest promises made while this key signed: how long it stays published, and how long
    -- its successor waits, even when the settings were lowered meanwhile.
    longest_token_secs   BIGINT NOT NULL,
    longest_max_age_secs BIGINT NOT NULL,
    retired_at           BIGINT,
    published_until      BIGINT,              -- of a retired key: withdrawn from this second on
    CHECK ((state IN ('next', 'active')) = (sealed_private_key IS NOT NULL)),
    CHECK ((state IN ('retired', 'withdrawn')) = (published_until IS NOT NULL))
);

CREATE UNIQUE INDEX one_active_key ON signing_keys (state) WHERE state = 'active';
CREATE UNIQUE INDEX one_next_key ON signing_keys (state) WHERE state = 'next';

-- Every change of signing_keys counts this up, and tells it to the other processes.
CREATE TABLE key_ring (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version  BIGINT  NOT NULL
);

INSERT INTO key_ring (only_row, version) VALUES (1, 0);

CREATE FUNCTION tell_key_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The schema is part of the name: two issuers may share a database.
    PERFORM pg_notify('tollgate_keys', TG_TABLE_SCHEMA || ' ' || NEW.version);
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_key_version AFTER UPDATE ON key_ring
    FOR EACH ROW EXECUTE FUNCTION tell_key_version();

-- What happened, for the operator. No foreign keys: it outlives what it tells about.
CREATE TABLE events (
    serial     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    user_id    TEXT,
    session_id TEXT,
    kid        TEXT,
    address    TEXT                           -- the client's, if it is known
);

CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_of_a_user ON events (user_id, serial);
