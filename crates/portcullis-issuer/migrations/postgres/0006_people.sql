-- The columns and tables of the SQLite schema (migrations/sqlite/0008_people.sql).
ALTER TABLE users ADD COLUMN disabled_at BIGINT;
ALTER TABLE users ADD COLUMN credentials BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN address TEXT;
ALTER TABLE users ADD COLUMN address_verified_at BIGINT;
ALTER TABLE users ADD COLUMN awaits TEXT CHECK (awaits IN ('invitation', 'verification'));
ALTER TABLE users ADD COLUMN totp_failures BIGINT NOT NULL DEFAULT 0;

-- lower() of the database's own collation folds U+212A (Kelvin) to `k`, and in Turkish not `I` to
-- `i`. This one folds ASCII and nothing else, as the issuer does with the name that it looks up.
DROP INDEX users_by_name;
CREATE UNIQUE INDEX users_by_name ON users (lower(name COLLATE "C"));

CREATE TABLE recovery_codes (
    user_id TEXT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    BYTEA NOT NULL,
    PRIMARY KEY (user_id, hash)
);

CREATE TABLE user_tokens (
    hash       BYTEA  PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose    TEXT   NOT NULL CHECK (purpose IN ('reset', 'invitation', 'verification')),
    expires_at BIGINT NOT NULL,
    UNIQUE (user_id, purpose)
);

ALTER TABLE events ADD COLUMN actor TEXT;
ALTER TABLE status_lists ADD COLUMN first_list BIGINT NOT NULL DEFAULT 0;

-- A deleted session is revoked first, however it is deleted: a deleted user's go with the user.
CREATE FUNCTION revoke_place_of_deleted_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE status_places SET revoked = 1 WHERE owner = OLD.id AND revoked = 0;
    IF FOUND THEN
        UPDATE status_lists SET version = version + 1;
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER revoke_place_of_deleted_session BEFORE DELETE ON sessions
    FOR EACH ROW EXECUTE FUNCTION revoke_place_of_deleted_session();

-- TRUNCATE deletes without a trigger for each row.
CREATE FUNCTION revoke_places_of_all_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE status_places SET revoked = 1 WHERE owner NOT LIKE 'client %';
    UPDATE status_lists SET version = version + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER revoke_places_of_all_sessions BEFORE TRUNCATE ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION revoke_places_of_all_sessions();

CREATE FUNCTION end_sessions_of_disabled_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET credentials = credentials + 1 WHERE id = NEW.id;
    UPDATE sessions SET ended_at = NEW.disabled_at, end_reason = 'deleted'
    WHERE user_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER end_sessions_of_disabled_user AFTER UPDATE OF disabled_at ON users
    FOR EACH ROW WHEN (NEW.disabled_at IS NOT NULL AND OLD.disabled_at IS NULL)
    EXECUTE FUNCTION end_sessions_of_disabled_user();
