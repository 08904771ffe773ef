-- A refresh token names its session and its generation, so that a spent one is told from the current
-- one without a row of its own. Generation 0: the session's current token is still a row of
-- refresh_tokens, of the former format; the next refresh moves the session.
ALTER TABLE sessions ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN token_hash BLOB;         -- SHA-256; the token itself is never stored
ALTER TABLE sessions ADD COLUMN previous_hash BLOB;      -- that of its predecessor
-- The current token under a key derived from its predecessor; erased after the grace period.
ALTER TABLE sessions ADD COLUMN sealed_successor BLOB;
ALTER TABLE sessions ADD COLUMN rotated_at INTEGER;
-- The last generation whose predecessor was repeated late, and how many in a row.
ALTER TABLE sessions ADD COLUMN late_generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN late_generations INTEGER NOT NULL DEFAULT 0;
-- What the refreshes have taken up of the session's budget, in milliseconds since 1970.
ALTER TABLE sessions ADD COLUMN refresh_budget_until INTEGER NOT NULL DEFAULT 0;

CREATE INDEX sealed_successors ON sessions (rotated_at) WHERE sealed_successor IS NOT NULL;

-- MAC keys of earlier key-encryption keys, sealed under the current one.
CREATE TABLE refresh_keys (
    number       INTEGER PRIMARY KEY NOT NULL,
    sealed       BLOB    NOT NULL,
    verify_until INTEGER NOT NULL             -- their last session has ended then
) STRICT;

-- What a client called itself whose refresh token was repeated or reused.
ALTER TABLE events ADD COLUMN user_agent TEXT;

-- When housekeeping ran last: what it deletes depends on a clock that may be wrong.
CREATE TABLE heartbeat (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    at       INTEGER NOT NULL
) STRICT;

INSERT INTO heartbeat (only_row, at) SELECT 1, max(at) FROM events HAVING max(at) IS NOT NULL;
