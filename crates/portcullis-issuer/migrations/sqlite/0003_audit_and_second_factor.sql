-- As on PostgreSQL, where names have no collation of their own: one way to look a name up.
CREATE UNIQUE INDEX users_by_name ON users (lower(name));

-- The second factor (TOTP, RFC 6238); sealed like a signing key, with the user's id.
ALTER TABLE users ADD COLUMN sealed_totp_secret BLOB;
-- NULL until the user has shown that the app has the secret, too.
ALTER TABLE users ADD COLUMN totp_confirmed_at INTEGER;
-- The last time step whose code was accepted: none is accepted twice (section 5.2).
ALTER TABLE users ADD COLUMN totp_last_step INTEGER;

-- When the second factor was shown last: auth_time and acr of the tokens from then on.
ALTER TABLE sessions ADD COLUMN stepped_up_at INTEGER;

-- What happened, for the operator. No foreign keys: it outlives what it tells about.
CREATE TABLE events (
    serial     INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    TEXT,
    session_id TEXT,
    kid        TEXT,
    address    TEXT                           -- the client's, if it is known
) STRICT;

CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_of_a_user ON events (user_id, serial);
