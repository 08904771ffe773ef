-- A database of the issuer from before the renaming (commit aa140f7), dumped by Python's `sqlite3`.
-- Created with the commands `users add alice`, `clients add billing`, `keys rotate`; and over HTTP: a
-- login with a second factor enrolled and used once, a login and a logout, a login, and a login with
-- one refresh. The test reads these values, which a client of the issuer had:
--
-- at: 1795943482
-- active_kid: Tl3BJ_WZIoj52P8tjHA7wIGI2RONPh5CU7V26Ino3xY
-- next_kid: h7NUHSt-179CBgnjQlrily-OhaGH1JeulUOyCe22mQo
-- access_token: eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6IlRsM0JKX1daSW9qNTJQOHRqSEE3d0lHSTJST05QaDVDVTdWMjZJbm8zeFkifQ.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJzdWIiOiJlOTM1MTJiODViODBhZmNjY2RlZWE3YmFjMGNhYjExZCIsImF1ZCI6WyJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJodHRwczovL2FwaS5leGFtcGxlLmNvbSJdLCJleHAiOjE3OTU5NDQzODIsImlhdCI6MTc5NTk0MzQ4MiwianRpIjoiYTczMTJhYWU1NTc5NjY0NjVmZmNiYWFkMjMwN2IzNGEiLCJjbGllbnRfaWQiOiJpZGVudHNwaGVyZS1maXJzdC1wYXJ0eSIsInNjb3BlIjoiYTpyZWFkIGE6d3JpdGUiLCJyb2xlcyI6WyJhZG1pbiJdLCJzaWQiOiI1ZGRlNGZkYTU0ZTVjNDNiMjlkNjkzNDMyNmMyNWVjOCIsImF1dGhfdGltZSI6MTc5NTk0MzQ4MiwiYWNyIjoiYWFsMSIsImFtciI6WyJwd2QiXSwic3RhdHVzIjp7InN0YXR1c19saXN0Ijp7ImlkeCI6OTczOTMyLCJ1cmkiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20vdjEvc3RhdHVzLWxpc3RzLzAifX19.pnWBKSbJxHvZTENKwiQY1x9V_q4xK8lILuIe9qVowExM-yM3_w2SWiwPwN7mgheev2Bb7C0q-IdCR10XfsX4JQ
-- refresh_token: CIF1QKTrZRO5vYKU-LxuYs1MZuHTGm6lF4_Y37nPhog
-- repeated_token: mpnzxwqz-UOCf59cm5FhSubQHi6wuf--ET7b3gp8MKE
-- successor_of_repeated: 4ebZj3SoaB5MYjTid1or1E9-CjAxvR6BqETMtLIdZsc
-- revoked_access_token: eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6IlRsM0JKX1daSW9qNTJQOHRqSEE3d0lHSTJST05QaDVDVTdWMjZJbm8zeFkifQ.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJzdWIiOiJlOTM1MTJiODViODBhZmNjY2RlZWE3YmFjMGNhYjExZCIsImF1ZCI6WyJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJodHRwczovL2FwaS5leGFtcGxlLmNvbSJdLCJleHAiOjE3OTU5NDQzMjAsImlhdCI6MTc5NTk0MzQyMCwianRpIjoiODYyNmRkN2JiZWM5NGIzNmYxMjhkMzIyMTk1MDAzY2IiLCJjbGllbnRfaWQiOiJpZGVudHNwaGVyZS1maXJzdC1wYXJ0eSIsInNjb3BlIjoiYTpyZWFkIGE6d3JpdGUiLCJyb2xlcyI6WyJhZG1pbiJdLCJzaWQiOiJlMThjZDI2NmQ0YTY0NzliN2ExNzQ1NDQ3ZGIzOTlmNSIsImF1dGhfdGltZSI6MTc5NTk0MzQyMCwiYWNyIjoiYWFsMSIsImFtciI6WyJwd2QiXSwic3RhdHVzIjp7InN0YXR1c19saXN0Ijp7ImlkeCI6MTE1NjMxLCJ1cmkiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20vdjEvc3RhdHVzLWxpc3RzLzAifX19.IZBcAyywvptufJ_xP2kN22HCkwoNCPhoCl005H01pxwV6LdLdlZq4-Fhle4DoKT2hHiypUMbWU5Rb2i0MPCf6A
-- revoked_refresh_token: qeOfFMB3VZdKOwCG7D4SS0EylGeaPSa4uRVOgJyh0bI
-- totp_secret: FBHPUJL4TCYSOGZNG6DCUJD2FWWDRZ4R
-- client_secret: 1SVbYIZzh9OM9VB14nNwbuJMEktDiRLKT_1yFbo5XjI

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'first schema','2026-11-29 09:10:16',1,X'ACCF251D875A175FBE7387AF15B101FA97E423012003BFC92D4D30F02EB85843354A2706396B274A3A823356BA7025E2',15524201);
INSERT INTO "_sqlx_migrations" VALUES(2,'key schedule','2026-11-29 09:10:16',1,X'A0509878D87CAB76F13D522C961AE7C4B93C423A76EAA625B5153F4985FF65DEFD4C91F9AA081B4B3C7D2AE2073F8ED4',625644);
INSERT INTO "_sqlx_migrations" VALUES(3,'audit and second factor','2026-11-29 09:10:16',1,X'A251C914C4EC04180BE74FBF81F286A04A6B90810E2CF272269D5B413DCA207BBCD6BA846B467B09D0DCDBD834589E13',8197603);
INSERT INTO "_sqlx_migrations" VALUES(4,'clients','2026-11-29 09:10:16',1,X'408E236B4013B671A14E837968885D72C5D29E670106B10B319B618AE75545C19509CF0C587DB3B0F8AE80345EB29C10',778531);
INSERT INTO "_sqlx_migrations" VALUES(5,'status lists','2026-11-29 09:10:16',1,X'86251D4727825409190AD06AD660F4DF864B8BEA7C4AF369C661EF2E371EF90F69A3F6AAA08B3D0D0DEDB2D417A1937B',518274);
INSERT INTO "_sqlx_migrations" VALUES(6,'revoked places','2026-11-29 09:10:16',1,X'434DDA0031F13F14D4D740DEAF88188FA634C4E16F78B498F0B8E0E648EEDFC61A62AB2FCEC41F435A3537D293F3E996',404158);
CREATE TABLE clients (
    id          TEXT    PRIMARY KEY NOT NULL,
    secret_hash BLOB,                         -- SHA-256; the secret itself is never stored
    jwks        TEXT,                         -- or its public keys (RFC 7517 section 5)
    scopes      TEXT    NOT NULL,             -- JSON array of strings
    audiences   TEXT    NOT NULL,             -- JSON array of strings; none: those of the settings
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER,
    CHECK ((secret_hash IS NULL) <> (jwks IS NULL))
) STRICT;
INSERT INTO "clients" VALUES('billing',X'AD140F1DCD469365494079EB6A7EDA6228429010AB0663E3A2B569C70ED0E0DF',NULL,'["a:read"]','["https://api.example.com"]',1795943418,NULL);
CREATE TABLE events (
    serial     INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    TEXT,
    session_id TEXT,
    kid        TEXT,
    address    TEXT                           -- the client's, if it is known
, client_id TEXT) STRICT;
INSERT INTO "events" VALUES(1,1795943416,'key_active',NULL,NULL,'Tl3BJ_WZIoj52P8tjHA7wIGI2RONPh5CU7V26Ino3xY',NULL,NULL);
INSERT INTO "events" VALUES(2,1795943417,'user_added','e93512b85b80afcccdeea7bac0cab11d',NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES(3,1795943418,'client_added',NULL,NULL,NULL,NULL,'billing');
INSERT INTO "events" VALUES(4,1795943419,'login','e93512b85b80afcccdeea7bac0cab11d','c0bc93ca23a4dda673e6af75d1e4fd3b',NULL,'127.0.0.1',NULL);
INSERT INTO "events" VALUES(5,1795943419,'totp_enrolled','e93512b85b80afcccdeea7bac0cab11d','c0bc93ca23a4dda673e6af75d1e4fd3b',NULL,'127.0.0.1',NULL);
INSERT INTO "events" VALUES(6,1795943419,'step_up','e93512b85b80afcccdeea7bac0cab11d','c0bc93ca23a4dda673e6af75d1e4fd3b',NULL,'127.0.0.1',NULL);
INSERT INTO "events" VALUES(7,1795943420,'key_published',NULL,NULL,'h7NUHSt-179CBgnjQlrily-OhaGH1JeulUOyCe22mQo',NULL,NULL);
INSERT INTO "events" VALUES(8,1795943420,'login','e93512b85b80afcccdeea7bac0cab11d','e18cd266d4a6479b7a1745447db399f5',NULL,'127.0.0.1',NULL);
INSERT INTO "events" VALUES(9,1795943420,'logout','e93512b85b80afcccdeea7bac0cab11d','e18cd266d4a6479b7a1745447db399f5',NULL,'127.0.0.1',NULL);
INSERT INTO "events" VALUES(10,1795943482,'login','e93512b85b80afcccdeea7bac0cab11d','5dde4fda54e5c43b29d6934326c25ec8',NULL,'127.0.0.1',NULL);
INSERT INTO "events" VALUES(11,1795943482,'login','e93512b85b80afcccdeea7bac0cab11d','323729d862f3bec7c355e966ba15f839',NULL,'127.0.0.1',NULL);
CREATE TABLE key_ring (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO "key_ring" VALUES(1,2);
CREATE TABLE refresh_tokens (
    hash       BLOB    PRIMARY KEY NOT NULL,  -- SHA-256; the token itself is never stored
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER                        -- NULL: the session's current token
) STRICT, WITHOUT ROWID;
INSERT INTO "refresh_tokens" VALUES(X'003E3DDE4946654F01FEDC8381AF1EC24D4E09FD2149EA1863D533267CC024DC','c0bc93ca23a4dda673e6af75d1e4fd3b',1795943419,NULL);
INSERT INTO "refresh_tokens" VALUES(X'536769DA94CB73B7690676F957EEFC5C01ABA5981ACC5AC9B5544F91B5B01278','e18cd266d4a6479b7a1745447db399f5',1795943420,NULL);
INSERT INTO "refresh_tokens" VALUES(X'A0818D479A6D06A0CAB11C1831893CC064DA71A13C46F0313DB22B5985537B29','323729d862f3bec7c355e966ba15f839',1795943482,1795943482);
INSERT INTO "refresh_tokens" VALUES(X'AA4B61B74FF1D8D8B13F93C6D2913FAA1A439C71E3F7EA33112474CA4B57DE75','323729d862f3bec7c355e966ba15f839',1795943482,NULL);
INSERT INTO "refresh_tokens" VALUES(X'DB4BDA61B069ABF7B87C2BEE30A99B05F7BE88D599EAB6A12BE65143DC62BC81','5dde4fda54e5c43b29d6934326c25ec8',1795943482,NULL);
CREATE TABLE sessions (
    id           TEXT    PRIMARY KEY NOT NULL,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,            -- when the password was checked: auth_time
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    user_agent   TEXT,
    ended_at     INTEGER,
    end_reason   TEXT    CHECK (end_reason IN ('logout', 'deleted', 'reuse')), stepped_up_at INTEGER,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;
INSERT INTO "sessions" VALUES('c0bc93ca23a4dda673e6af75d1e4fd3b','e93512b85b80afcccdeea7bac0cab11d',1795943419,1795943419,1798535419,'Python-urllib/3.11',NULL,NULL,1795943419);
INSERT INTO "sessions" VALUES('e18cd266d4a6479b7a1745447db399f5','e93512b85b80afcccdeea7bac0cab11d',1795943420,1795943420,1798535420,'Python-urllib/3.11',1795943420,'logout',NULL);
INSERT INTO "sessions" VALUES('5dde4fda54e5c43b29d6934326c25ec8','e93512b85b80afcccdeea7bac0cab11d',1795943482,1795943482,1798535482,'Python-urllib/3.11',NULL,NULL,NULL);
INSERT INTO "sessions" VALUES('323729d862f3bec7c355e966ba15f839','e93512b85b80afcccdeea7bac0cab11d',1795943482,1795943482,1798535482,'Python-urllib/3.11',NULL,NULL,NULL);
CREATE TABLE signing_keys (
    kid                TEXT    PRIMARY KEY NOT NULL,  -- RFC 7638 thumbprint
    algorithm          TEXT    NOT NULL,
    state              TEXT    NOT NULL CHECK (state IN ('next', 'active', 'retired', 'withdrawn')),
    public_jwk         TEXT    NOT NULL,
    sealed_private_key BLOB,                  -- AES-256-GCM; gone once the key signs no more
    created_at         INTEGER NOT NULL,
    -- The longest lifetime of any token that this key may have signed: it decides how long the
    -- key stays published, even when the setting was lowered meanwhile.
    longest_token_secs INTEGER NOT NULL,
    retired_at         INTEGER,
    published_until    INTEGER, signs_from INTEGER NOT NULL DEFAULT 0, longest_max_age_secs INTEGER NOT NULL DEFAULT 0,               -- of a retired key: withdrawn from this second on
    CHECK ((state IN ('next', 'active')) = (sealed_private_key IS NOT NULL)),
    CHECK ((state IN ('retired', 'withdrawn')) = (published_until IS NOT NULL))
) STRICT;
INSERT INTO "signing_keys" VALUES('Tl3BJ_WZIoj52P8tjHA7wIGI2RONPh5CU7V26Ino3xY','ES256','active','{"alg":"ES256","crv":"P-256","kid":"Tl3BJ_WZIoj52P8tjHA7wIGI2RONPh5CU7V26Ino3xY","kty":"EC","use":"sig","x":"Srq01SKY3BPuZgRaXdefJ24c4vMOqt93kvABfElJ3Rc","y":"6qeZSVGHQMHCbaEVwhe4EKYFMJhdlPv7iBvKa5CSANE"}',X'011FB616ABDFA3330ECB187FAB79BD608F06DFCD2762E3BABF05E06208A3FCCCB032A53A9F0DA001B7B027B79BE322E54F88A5E15C2AFEF9E7C820415327E0907818212037632E319B562E9EFBEF942173B0DFF0FE04E329EFA171E114240E7138C50E1D9192BD88560DAFABB4D88A5E0AF587A1BE87068C2C38FC87A1B1A8B871D61E35B689D51EFCFB96682873B235A8065BE8544DFFA40C92DC7617F30D3451433CC1947EDF',1795943416,900,NULL,NULL,1795943416,300);
INSERT INTO "signing_keys" VALUES('h7NUHSt-179CBgnjQlrily-OhaGH1JeulUOyCe22mQo','ES256','next','{"alg":"ES256","crv":"P-256","kid":"h7NUHSt-179CBgnjQlrily-OhaGH1JeulUOyCe22mQo","kty":"EC","use":"sig","x":"j7pe9gNe2zU_u3Z6smbSHJLNFzQGJoncUhc8Nioi4k0","y":"8MbGAMKNS4w-wAcPVieHm92OQ4YaS45DPClJ7mKy68c"}',X'011C33B4903509FCD3FB6C14E996AB8CDCD25D0AE14640233B732B0BB19CB08A0734CD98FF6CED693D4175EB12DAD3E3796EFCA3ABAFBFD6A4DA1E51CBB76C296FAF9A1EE84FF7BCD953DFACA371F947DA6CE9769E9C7EABCEB70F6558FA27A3E63397F41889DC0F6A47E925B1E08A58B81EECC0B75E160AEAA1DA4E4E3C6DEF886E2B0C2E9B2189786F8796DD6DBF9DE2B2273CDED575CDD85EE73C1B595B5D88B7A6FEF0935C',1795943420,900,NULL,NULL,1795943780,300);
CREATE TABLE spent_jwts (
    hash       BLOB    PRIMARY KEY NOT NULL,  -- SHA-256 of `iss` and `jti`
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE status_lists (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    lists    INTEGER NOT NULL,
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO "status_lists" VALUES(1,1,1);
CREATE TABLE status_places (
    list        INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    owner       TEXT    NOT NULL UNIQUE,      -- a session's id, or `client ` and a client's
    taken_until INTEGER NOT NULL,
    revoked     INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1)),
    PRIMARY KEY (list, place)
) STRICT, WITHOUT ROWID;
INSERT INTO "status_places" VALUES(0,115631,'e18cd266d4a6479b7a1745447db399f5',1795944440,1);
INSERT INTO "status_places" VALUES(0,797620,'323729d862f3bec7c355e966ba15f839',1795944502,0);
INSERT INTO "status_places" VALUES(0,909616,'c0bc93ca23a4dda673e6af75d1e4fd3b',1795944439,0);
INSERT INTO "status_places" VALUES(0,973932,'5dde4fda54e5c43b29d6934326c25ec8',1795944502,0);
CREATE TABLE users (
    id            TEXT    PRIMARY KEY NOT NULL,
    -- "Alice" and "alice" are one person: two of them would only serve an impostor.
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT    NOT NULL,           -- PHC string, argon2id
    roles         TEXT    NOT NULL,           -- JSON array of strings
    scopes        TEXT    NOT NULL,           -- JSON array of strings
    created_at    INTEGER NOT NULL
, sealed_totp_secret BLOB, totp_confirmed_at INTEGER, totp_last_step INTEGER) STRICT;
INSERT INTO "users" VALUES('e93512b85b80afcccdeea7bac0cab11d','alice','$argon2id$v=19$m=19456,t=2,p=1$rrvWw4XBrquN0BTW27VO2w$yVHOe3GQbIMWR9VdIBcbD9EUI+llXovFGTde3mgBDMw','["admin"]','["a:read","a:write"]',1795943417,X'01765D2FA4D22EE4ED9274E0B57890AB33F393EFBB475A74AEDFF81608631199A1E7E1FB2297BEEB233F896BC59A1D2AB6',1795943419,59864780);
CREATE INDEX sessions_of_a_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX refresh_tokens_of_a_session ON refresh_tokens (session_id);
CREATE UNIQUE INDEX one_current_refresh_token ON refresh_tokens (session_id)
    WHERE rotated_at IS NULL;
CREATE UNIQUE INDEX one_active_key ON signing_keys (state) WHERE state = 'active';
CREATE UNIQUE INDEX one_next_key ON signing_keys (state) WHERE state = 'next';
CREATE UNIQUE INDEX users_by_name ON users (lower(name));
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_of_a_user ON events (user_id, serial);
CREATE INDEX spent_jwts_by_expiry ON spent_jwts (expires_at);
CREATE INDEX status_places_to_free ON status_places (taken_until);
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
CREATE INDEX revoked_places ON status_places (revoked, list, place, taken_until) WHERE revoked = 1;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',11);
COMMIT;
