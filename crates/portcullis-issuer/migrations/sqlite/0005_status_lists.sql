-- Places in status lists (draft-ietf-oauth-status-list): one for each session and each machine
-- client that tokens are issued to. Nobody else gets a place before the last token that names it
-- has expired.
CREATE TABLE status_places (
    list        INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    owner       TEXT    NOT NULL UNIQUE,      -- a session's id, or `client ` and a client's
    taken_until INTEGER NOT NULL,
    revoked     INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1)),
    PRIMARY KEY (list, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX status_places_to_free ON status_places (taken_until);
CREATE INDEX revoked_places ON status_places (list, place) WHERE revoked = 1;

-- How many lists there are, and how often any of them has changed.
CREATE TABLE status_lists (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    lists    INTEGER NOT NULL,
    version  INTEGER NOT NULL
) STRICT;

INSERT INTO status_lists (only_row, lists, version) VALUES (1, 1, 0);

-- However a session ends, its place says so.
CREATE TRIGGER revoke_place_of_session AFTER UPDATE OF ended_at ON sessions
WHEN NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL
BEGIN
    UPDATE status_places SET revoked = 1 WHERE owner = NEW.id;
    UPDATE status_lists SET version = version + 1;
END;

CREATE TRIGGER revoke_place_of_client AFTER UPDATE OF disabled_at ON clients
BEGIN
    UPDATE status_places SET revoked = (NEW.disabled_at IS NOT NULL)
    WHERE owner = 'client ' || NEW.id;
    UPDATE status_lists SET version = version + 1;
END;

CREATE TRIGGER revoke_place_of_removed_client AFTER DELETE ON clients
BEGIN
    UPDATE status_places SET revoked = 1 WHERE owner = 'client ' || OLD.id;
    UPDATE status_lists SET version = version + 1;
END;
