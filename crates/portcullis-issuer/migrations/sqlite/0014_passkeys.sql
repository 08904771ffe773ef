-- Passkeys (WebAuthn). Times are whole seconds since 1970.

-- The user's WebAuthn user handle: random, set at the first registration, never changed.
ALTER TABLE users ADD COLUMN passkey_handle BLOB;
-- The number of the user's passkeys. Each change of it is a change of the user's row, which is locked.
ALTER TABLE users ADD COLUMN passkeys INTEGER NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX users_by_passkey_handle ON users (passkey_handle)
    WHERE passkey_handle IS NOT NULL;

CREATE TABLE passkeys (
    id            TEXT    PRIMARY KEY NOT NULL,
    user_id       TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id BLOB    NOT NULL UNIQUE,    -- the authenticator's name for the key
    name          TEXT    NOT NULL,           -- the user's name for it
    credential    TEXT    NOT NULL,           -- JSON: the public key and its properties
    counter       INTEGER NOT NULL,           -- signatures, as far as the authenticator counts them
    synced        INTEGER NOT NULL,           -- 1: the key may be on several devices
    backed_up     INTEGER NOT NULL,           -- 1: it is on several devices, or in a backup
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX passkeys_of_a_user ON passkeys (user_id);

-- Not by the foreign key alone, which the sqlite3 shell does not enforce by default.
CREATE TRIGGER delete_passkeys_of_deleted_user BEFORE DELETE ON users
BEGIN
    DELETE FROM passkeys WHERE user_id = OLD.id;
    DELETE FROM passkey_ceremonies WHERE user_id = OLD.id;
END;

-- Ceremonies that have begun. A row is deleted by the first attempt to finish its ceremony.
CREATE TABLE passkey_ceremonies (
    hash       BLOB    PRIMARY KEY NOT NULL,  -- SHA-256; the ceremony's id itself is never stored
    state      TEXT    NOT NULL,              -- JSON: the challenge, and what was asked for
    user_id    TEXT    REFERENCES users (id) ON DELETE CASCADE,
    session_id TEXT,                          -- of a registration; NULL: of a login or a step-up
    expires_at INTEGER NOT NULL,
    CHECK ((user_id IS NULL) = (session_id IS NULL))
) STRICT, WITHOUT ROWID;

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
