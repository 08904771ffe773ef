-- What an operator and a user can do about an account. Times are whole seconds since 1970.

-- Set: no login and no refresh.
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
-- Counts the changes that end logins that are under way: a session starts only if it is still the
-- number that the password was checked under.
ALTER TABLE users ADD COLUMN credentials INTEGER NOT NULL DEFAULT 0;
-- Where the notifier sends messages, such as an email address.
ALTER TABLE users ADD COLUMN address TEXT;
ALTER TABLE users ADD COLUMN address_verified_at INTEGER;
-- What must happen before the first login; NULL: nothing.
ALTER TABLE users ADD COLUMN awaits TEXT CHECK (awaits IN ('invitation', 'verification'));
-- Codes since the last right one, on all processes; locked at 100.
ALTER TABLE users ADD COLUMN totp_failures INTEGER NOT NULL DEFAULT 0;

-- Codes for a user who has lost the app. Each is deleted when it is used.
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    BLOB NOT NULL,                    -- SHA-256 of the user's id and 80 random bits
    PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;

-- Single-use tokens that the notifier delivers; the newest of a purpose replaces the one before.
CREATE TABLE user_tokens (
    hash       BLOB    PRIMARY KEY NOT NULL,  -- SHA-256; the token itself is never stored
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose    TEXT    NOT NULL CHECK (purpose IN ('reset', 'invitation', 'verification')),
    expires_at INTEGER NOT NULL,
    UNIQUE (user_id, purpose)
) STRICT, WITHOUT ROWID;

-- Who caused it: `operator` at the command line, or an administrator's user id.
ALTER TABLE events ADD COLUMN actor TEXT;

-- Lists below this number are of before a restored backup: everything in them is revoked.
ALTER TABLE status_lists ADD COLUMN first_list INTEGER NOT NULL DEFAULT 0;

-- A deleted session is revoked first, however it is deleted. Housekeeping deletes sessions whose
-- place has long been free: nothing changes then, and no list is published.
CREATE TRIGGER revoke_place_of_deleted_session BEFORE DELETE ON sessions
BEGIN
    UPDATE status_lists SET version = version + 1
    WHERE EXISTS (SELECT 1 FROM status_places WHERE owner = OLD.id AND revoked = 0);
    UPDATE status_places SET revoked = 1 WHERE owner = OLD.id AND revoked = 0;
END;

-- Not by the foreign key alone, which the sqlite3 shell does not enforce by default.
CREATE TRIGGER delete_sessions_of_deleted_user BEFORE DELETE ON users
BEGIN
    DELETE FROM sessions WHERE user_id = OLD.id;
END;

-- Whether by a command or by SQL.
CREATE TRIGGER end_sessions_of_disabled_user AFTER UPDATE OF disabled_at ON users
WHEN NEW.disabled_at IS NOT NULL AND OLD.disabled_at IS NULL
BEGIN
    UPDATE users SET credentials = credentials + 1 WHERE id = NEW.id;
    UPDATE sessions SET ended_at = NEW.disabled_at, end_reason = 'deleted'
    WHERE user_id = NEW.id AND ended_at IS NULL;
END;
