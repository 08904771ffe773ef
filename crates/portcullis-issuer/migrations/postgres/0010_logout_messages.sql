-- The columns and tables of the SQLite schema (migrations/sqlite/0012_logout_messages.sql).
ALTER TABLE clients ADD COLUMN backchannel_logout_uri TEXT;
CREATE INDEX clients_with_logout_uri ON clients (id) WHERE backchannel_logout_uri IS NOT NULL;

CREATE TABLE logout_messages (
    id         TEXT   PRIMARY KEY,            -- the `jti` of all attempts
    client_id  TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    ended_at   BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL,               -- when the next attempt is due
    expires_at BIGINT NOT NULL                -- when the session's last access token expires
);

CREATE INDEX logout_messages_to_send ON logout_messages (client_id, next_at);
CREATE INDEX logout_messages_by_expiry ON logout_messages (expires_at);

-- A command that ends the sessions of all users reads those that are live.
CREATE INDEX sessions_live ON sessions (id) WHERE ended_at IS NULL;

-- Triggers, so that no way to end a session can omit the messages. A new message is due since the end
-- of its session, not before: a retry that is due earlier comes first. A time by SQL may be in the past,
-- so the expiry counts from the clock then. No token is valid for longer than its key allowed.
CREATE FUNCTION write_logout_messages_of(session sessions, ended BIGINT) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO logout_messages (id, client_id, session_id, user_id, ended_at, next_at, expires_at)
    SELECT replace(gen_random_uuid()::TEXT, '-', ''), clients.id, session.id, session.user_id, ended,
        LEAST(ended, extract(epoch FROM now())::BIGINT),
        GREATEST(ended, extract(epoch FROM now())::BIGINT)
        + COALESCE((SELECT max(longest_token_secs) FROM signing_keys
                    WHERE state IN ('active', 'retired')), 0)
    FROM clients WHERE backchannel_logout_uri IS NOT NULL AND disabled_at IS NULL;
$$;

CREATE FUNCTION write_logout_messages() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present BIGINT := extract(epoch FROM now())::BIGINT;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM write_logout_messages_of(NEW, NEW.ended_at);
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM write_logout_messages_of(OLD, present);
        RETURN OLD;
    END IF;
    -- TRUNCATE deletes without a trigger for each row.
    PERFORM write_logout_messages_of(sessions, present) FROM sessions
    WHERE ended_at IS NULL AND expires_at > present;
    RETURN NULL;
END
$$;

CREATE TRIGGER write_logout_messages AFTER UPDATE OF ended_at ON sessions
    FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL
                       AND NEW.expires_at > NEW.ended_at)
    EXECUTE FUNCTION write_logout_messages();

-- A session that is deleted before it has ended or expired.
CREATE TRIGGER write_logout_messages_of_deleted_session BEFORE DELETE ON sessions
    FOR EACH ROW WHEN (OLD.ended_at IS NULL AND OLD.expires_at > extract(epoch FROM now())::BIGINT)
    EXECUTE FUNCTION write_logout_messages();

CREATE TRIGGER write_logout_messages_of_all_sessions BEFORE TRUNCATE ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION write_logout_messages();

CREATE FUNCTION delete_logout_messages_of_removed_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM logout_messages WHERE client_id = OLD.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER delete_logout_messages_of_removed_client AFTER DELETE ON clients
    FOR EACH ROW EXECUTE FUNCTION delete_logout_messages_of_removed_client();
