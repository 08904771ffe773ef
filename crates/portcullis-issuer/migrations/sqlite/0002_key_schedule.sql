-- A key is published before it signs: `next` until this second, `active` from then on.
ALTER TABLE signing_keys ADD COLUMN signs_from INTEGER NOT NULL DEFAULT 0;
UPDATE signing_keys SET signs_from = created_at;

-- The longest time that anybody was told to cache a key set while this key signed: its successor
-- waits as long before it signs, even when the setting was lowered meanwhile.
ALTER TABLE signing_keys ADD COLUMN longest_max_age_secs INTEGER NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX one_next_key ON signing_keys (state) WHERE state = 'next';
