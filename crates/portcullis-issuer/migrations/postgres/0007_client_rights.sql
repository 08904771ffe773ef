-- A place in a status list belongs to one incarnation of a client: tokens of a removed client stay
-- revoked, and those of a new client with the same id are not.
ALTER TABLE clients ADD COLUMN place_owner TEXT NOT NULL DEFAULT '';
UPDATE clients SET place_owner = 'client ' || id;
-- A revoked place may be that of a removed client with the same id: it is not taken over.
UPDATE clients SET place_owner = 'client ' || id || ' 0'
    WHERE EXISTS (SELECT 1 FROM status_places WHERE owner = 'client ' || clients.id AND revoked = 1);
CREATE UNIQUE INDEX clients_by_place_owner ON clients (place_owner);

-- The identifiers of the APIs that the client is, and its rights. Clients that exist keep theirs:
-- until now every client could introspect all tokens and continue sessions.
ALTER TABLE clients ADD COLUMN resource_servers TEXT NOT NULL DEFAULT '[]';  -- JSON array of strings
ALTER TABLE clients ADD COLUMN rights TEXT NOT NULL DEFAULT '[]';            -- JSON array of strings
UPDATE clients SET rights = '["introspect-all","continue-sessions"]';

-- The secret before, while it is still valid.
ALTER TABLE clients ADD COLUMN old_secret_hash BYTEA;
ALTER TABLE clients ADD COLUMN old_secret_until BIGINT;

CREATE OR REPLACE FUNCTION revoke_place_of_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE status_places SET revoked = 1 WHERE owner = OLD.place_owner;
    ELSE
        UPDATE status_places SET revoked = (NEW.disabled_at IS NOT NULL)::INT::BIGINT
        WHERE owner = NEW.place_owner;
    END IF;
    UPDATE status_lists SET version = version + 1;
    RETURN NULL;
END
$$;
