-- The URI at which a client receives logout tokens (OpenID Connect Back-Channel Logout 1.0).
ALTER TABLE clients ADD COLUMN backchannel_logout_uri TEXT;
CREATE INDEX clients_with_logout_uri ON clients (id) WHERE backchannel_logout_uri IS NOT NULL;

-- Logout tokens that must be sent. They outlive the session's row, so there is no foreign key.
CREATE TABLE logout_messages (
    id         TEXT    PRIMARY KEY NOT NULL,  -- the `jti` of all attempts
    client_id  TEXT    NOT NULL,
    session_id TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    ended_at   INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL,              -- when the next attempt is due
    expires_at INTEGER NOT NULL               -- when the session's last access token expires
) STRICT, WITHOUT ROWID;

CREATE INDEX logout_messages_to_send ON logout_messages (client_id, next_at);
CREATE INDEX logout_messages_by_expiry ON logout_messages (expires_at);

-- A command that ends the sessions of all users reads those that are live.
CREATE INDEX sessions_live ON sessions (id) WHERE ended_at IS NULL;

-- Triggers, so that no way to end a session can omit the messages. A new message is due since the end
-- of its session, not before: a retry that is due earlier comes first. A time by SQL may be in the past,
-- so the expiry counts from the clock then. No token is valid for longer than its key allowed.
CREATE TRIGGER write_logout_messages AFTER UPDATE OF ended_at ON sessions
WHEN NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL AND NEW.expires_at > NEW.ended_at
BEGIN
    INSERT INTO logout_messages (id, client_id, session_id, user_id, ended_at, next_at, expires_at)
    SELECT lower(hex(randomblob(16))), clients.id, NEW.id, NEW.user_id, NEW.ended_at,
        min(NEW.ended_at, CAST(strftime('%s', 'now') AS INTEGER)),
        max(NEW.ended_at, CAST(strftime('%s', 'now') AS INTEGER))
        + COALESCE((SELECT max(longest_token_secs) FROM signing_keys
                    WHERE state IN ('active', 'retired')), 0)
    FROM clients WHERE backchannel_logout_uri IS NOT NULL AND disabled_at IS NULL;
END;

-- A session that is deleted before it has ended or expired.
CREATE TRIGGER write_logout_messages_of_deleted_session BEFORE DELETE ON sessions
WHEN OLD.ended_at IS NULL AND OLD.expires_at > CAST(strftime('%s', 'now') AS INTEGER)
BEGIN
    INSERT INTO logout_messages (id, client_id, session_id, user_id, ended_at, next_at, expires_at)
    SELECT lower(hex(randomblob(16))), clients.id, OLD.id, OLD.user_id,
        CAST(strftime('%s', 'now') AS INTEGER), CAST(strftime('%s', 'now') AS INTEGER),
        CAST(strftime('%s', 'now') AS INTEGER)
        + COALESCE((SELECT max(longest_token_secs) FROM signing_keys
                    WHERE state IN ('active', 'retired')), 0)
    FROM clients WHERE backchannel_logout_uri IS NOT NULL AND disabled_at IS NULL;
END;

CREATE TRIGGER delete_logout_messages_of_removed_client AFTER DELETE ON clients
BEGIN
    DELETE FROM logout_messages WHERE client_id = OLD.id;
END;
