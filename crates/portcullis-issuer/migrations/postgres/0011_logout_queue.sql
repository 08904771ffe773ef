-- The columns and indexes of the SQLite schema (migrations/sqlite/0013_logout_queue.sql).
ALTER TABLE events ADD COLUMN count BIGINT;
ALTER TABLE events ADD COLUMN user_name TEXT;

DROP INDEX logout_messages_to_send;
CREATE INDEX logout_messages_to_send ON logout_messages (client_id, next_at, expires_at);
CREATE INDEX logout_messages_of_client ON logout_messages (client_id, expires_at);
