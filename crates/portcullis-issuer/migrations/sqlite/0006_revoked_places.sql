-- What a list says is read from the index alone. It begins with `revoked` since SQLite would go through
-- the whole list otherwise, by its primary key.
DROP INDEX revoked_places;
CREATE INDEX revoked_places ON status_places (revoked, list, place, taken_until) WHERE revoked = 1;
