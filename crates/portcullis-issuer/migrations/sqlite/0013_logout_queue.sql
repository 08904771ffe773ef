-- Of an event about several things, such as logout tokens that were dropped together, their number. Of an
-- event about a user who is deleted, the name, which no other table has then.
ALTER TABLE events ADD COLUMN count INTEGER;
ALTER TABLE events ADD COLUMN user_name TEXT;

-- With the expiry, the messages to send are found in the index alone, also while many expired ones wait to
-- be dropped.
DROP INDEX logout_messages_to_send;
CREATE INDEX logout_messages_to_send ON logout_messages (client_id, next_at, expires_at);

-- The oldest messages of a client, which are dropped if too many wait for it.
CREATE INDEX logout_messages_of_client ON logout_messages (client_id, expires_at);
