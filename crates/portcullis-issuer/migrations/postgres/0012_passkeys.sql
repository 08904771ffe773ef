-- The columns and tables of the SQLite schema (migrations/sqlite/0014_passkeys.sql).
ALTER TABLE users ADD COLUMN passkey_handle BYTEA;
ALTER TABLE users ADD COLUMN passkeys BIGINT NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX users_by_passkey_handle ON users (passkey_handle)
    WHERE passkey_handle IS NOT NULL;

CREATE TABLE passkeys (
    id            TEXT   PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id BYTEA  NOT NULL UNIQUE,     -- the authenticator's name for the key
    name          TEXT   NOT NULL,            -- the user's name for it
    credential    TEXT   NOT NULL,            -- JSON: the public key and its properties
    counter       BIGINT NOT NULL,            -- signatures, as far as the authenticator counts them
    synced        BIGINT NOT NULL,            -- 1: the key may be on several devices
    backed_up     BIGINT NOT NULL,            -- 1: it is on several devices, or in a backup
    created_at    BIGINT NOT NULL,
    last_used_at  BIGINT
);

CREATE INDEX passkeys_of_a_user ON passkeys (user_id);

-- Ceremonies that have begun. A row is deleted by the first attempt to finish its ceremony.
CREATE TABLE passkey_ceremonies (
    hash       BYTEA  PRIMARY KEY,            -- SHA-256; the ceremony's id itself is never stored
    state      TEXT   NOT NULL,               -- JSON: the challenge, and what was asked for
    user_id    TEXT   REFERENCES users (id) ON DELETE CASCADE,
    session_id TEXT,                          -- of a registration; NULL: of a login or a step-up
    expires_at BIGINT NOT NULL,
    CHECK ((user_id IS NULL) = (session_id IS NULL))
);

CREATE INDEX passkey_ceremonies_by_expiry ON passkey_ceremonies (expires_at);
CREATE UNIQUE INDEX one_registration_of_a_session ON passkey_ceremonies (session_id)
    WHERE session_id IS NOT NULL;

-- How the user has authenticated in a session: by password, or by a passkey on one (`hwk`) or several
-- (`swk`) devices (RFC 8176).
ALTER TABLE sessions ADD COLUMN first_factor TEXT NOT NULL DEFAULT 'pwd'
    CHECK (first_factor IN ('pwd', 'hwk', 'swk'));
-- What was shown besides, at `stepped_up_at`. NULL: an `otp`, or nothing besides a passkey.
ALTER TABLE sessions ADD COLUMN second_factor TEXT CHECK (second_factor IN ('otp', 'hwk', 'swk'));
-- The passkey among the two factors.
ALTER TABLE sessions ADD COLUMN passkey_id TEXT;

CREATE INDEX sessions_of_a_passkey ON sessions (passkey_id) WHERE passkey_id IS NOT NULL;
