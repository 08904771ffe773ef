-- Places in status lists (draft-ietf-oauth-status-list): one for each session and each machine
-- client that tokens are issued to. Nobody else gets a place before the last token that names it
-- has expired.
CREATE TABLE status_places (
    list        BIGINT NOT NULL,
    place       BIGINT NOT NULL,
    owner       TEXT   NOT NULL UNIQUE,       -- a session's id, or `client ` and a client's
    taken_until BIGINT NOT NULL,
    revoked     BIGINT NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1)),
    PRIMARY KEY (list, place)
);

CREATE INDEX status_places_to_free ON status_places (taken_until);
CREATE INDEX revoked_places ON status_places (list, place) WHERE revoked = 1;

-- How many lists there are, and how often any of them has changed.
CREATE TABLE status_lists (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    lists    BIGINT  NOT NULL,
    version  BIGINT  NOT NULL
);

INSERT INTO status_lists (only_row, lists, version) VALUES (1, 1, 0);

-- However a session ends, its place says so.
CREATE FUNCTION revoke_place_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE status_places SET revoked = 1 WHERE owner = NEW.id;
    UPDATE status_lists SET version = version + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER revoke_place_of_session AFTER UPDATE OF ended_at ON sessions
    FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL)
    EXECUTE FUNCTION revoke_place_of_session();

CREATE FUNCTION revoke_place_of_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE status_places SET revoked = 1 WHERE owner = 'client ' || OLD.id;
    ELSE
        UPDATE status_places SET revoked = (NEW.disabled_at IS NOT NULL)::INT::BIGINT
        WHERE owner = 'client ' || NEW.id;
    END IF;
    UPDATE status_lists SET version = version + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER revoke_place_of_client AFTER UPDATE OF disabled_at OR DELETE ON clients
    FOR EACH ROW EXECUTE FUNCTION revoke_place_of_client();
