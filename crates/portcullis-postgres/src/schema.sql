CREATE TABLE IF NOT EXISTS portcullis_revocations (
    id text COLLATE "C" PRIMARY KEY,
    issuer text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    at bigint NOT NULL,
    until bigint NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX IF NOT EXISTS portcullis_revocations_xid ON portcullis_revocations (xid, id);
CREATE INDEX IF NOT EXISTS portcullis_revocations_until ON portcullis_revocations (until);
