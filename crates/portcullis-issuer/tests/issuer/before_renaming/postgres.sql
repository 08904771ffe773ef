-- A database of the issuer from before the renaming (commit aa140f7), dumped by `pg_dump --inserts`, without the schema's name.
-- Created with the commands `users add alice`, `clients add billing`, `keys rotate`; and over HTTP: a
-- login with a second factor enrolled and used once, a login and a logout, a login, and a login with
-- one refresh. The test reads these values, which a client of the issuer had:
--
-- at: 1795943484
-- active_kid: 5ltBw3KHmjJ08TnG_Uk2pPRJ9l3gkdqGwzdMLPaM4qA
-- next_kid: ywH52v-Ye7FxQFyTnRAKqbuijSC-skKxbRoEdLVx6Gs
-- access_token: eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6IjVsdEJ3M0tIbWpKMDhUbkdfVWsycFBSSjlsM2drZHFHd3pkTUxQYU00cUEifQ.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJzdWIiOiI1MjU5ZTRlMWJkYWNiMTkzZGU2NDVhODZiNWE0OTYyOSIsImF1ZCI6WyJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJodHRwczovL2FwaS5leGFtcGxlLmNvbSJdLCJleHAiOjE3OTU5NDQzODMsImlhdCI6MTc5NTk0MzQ4MywianRpIjoiOThmZWJkYWQzZDM1NjNhYmE5ZGY2MmMyY2Q4MmQwZTEiLCJjbGllbnRfaWQiOiJpZGVudHNwaGVyZS1maXJzdC1wYXJ0eSIsInNjb3BlIjoiYTpyZWFkIGE6d3JpdGUiLCJyb2xlcyI6WyJhZG1pbiJdLCJzaWQiOiJmZDAxZWEwODM5NzY5ZTVlMTMxMjBjZmM4YWVkYjQ3NSIsImF1dGhfdGltZSI6MTc5NTk0MzQ4MywiYWNyIjoiYWFsMSIsImFtciI6WyJwd2QiXSwic3RhdHVzIjp7InN0YXR1c19saXN0Ijp7ImlkeCI6Mzc2NDA2LCJ1cmkiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20vdjEvc3RhdHVzLWxpc3RzLzAifX19.43TfNJ_PsM8CWl2gdoYPdfJbT_d4hvIJ7jrt9VNv5IVvSn09aBYPO4tncijrY0qrcH2F8Q-4xuHBlKRl9tk8eg
-- refresh_token: yWdRSTMMvF09sy6egXLBAAzDAZwBDfEPXVDgnzRK5XQ
-- repeated_token: gPW80Lhyyz8MNea5fDzXEI3lDApjPtTwkO-M4CZuLno
-- successor_of_repeated: G7osLbiz5P-kJntn8kI4rUvTD-P4f6IaeJS7yAiacOE
-- revoked_access_token: eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6IjVsdEJ3M0tIbWpKMDhUbkdfVWsycFBSSjlsM2drZHFHd3pkTUxQYU00cUEifQ.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJzdWIiOiI1MjU5ZTRlMWJkYWNiMTkzZGU2NDVhODZiNWE0OTYyOSIsImF1ZCI6WyJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJodHRwczovL2FwaS5leGFtcGxlLmNvbSJdLCJleHAiOjE3OTU5NDQzMjEsImlhdCI6MTc5NTk0MzQyMSwianRpIjoiZjYyZWIzZDhmMTY1MWViZmRmNmRmYTI1NmQ2YzNhMmQiLCJjbGllbnRfaWQiOiJpZGVudHNwaGVyZS1maXJzdC1wYXJ0eSIsInNjb3BlIjoiYTpyZWFkIGE6d3JpdGUiLCJyb2xlcyI6WyJhZG1pbiJdLCJzaWQiOiIyMzUzMzlhZDg5MDUyZDc3M2Y3YzE0YTI4ZGEwMDVhZSIsImF1dGhfdGltZSI6MTc5NTk0MzQyMSwiYWNyIjoiYWFsMSIsImFtciI6WyJwd2QiXSwic3RhdHVzIjp7InN0YXR1c19saXN0Ijp7ImlkeCI6MTAwNDkzNCwidXJpIjoiaHR0cHM6Ly9hdXRoLmV4YW1wbGUuY29tL3YxL3N0YXR1cy1saXN0cy8wIn19fQ.jBCCQKRVqj3y46NXxtEEhxe_lD38lbFm7GqkX6u9tp6tyHAYP8UQFK4fQLFl0ncTpjiy4L4y9VM0MdS2Mgzxnw
-- revoked_refresh_token: MyLE78E0ScQoRNMktC4pvVrNsFXzSPYDix5OfjwFaA0
-- totp_secret: VN4R4Y22ZIWDJA23643BTDOQN7RIRNHO
-- client_secret: iTTh1QCn6U_hyaM_EeZm4zhYyvQU4P4a-bm6cm6vvEI

CREATE FUNCTION revoke_place_of_client() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION revoke_place_of_session() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE status_places SET revoked = 1 WHERE owner = NEW.id;
    UPDATE status_lists SET version = version + 1;
    RETURN NULL;
END
$$;

CREATE FUNCTION tell_key_version() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- The schema is part of the name: two issuers may share a database.
    PERFORM pg_notify('tollgate_keys', TG_TABLE_SCHEMA || ' ' || NEW.version);
    RETURN NULL;
END
$$;

CREATE TABLE _sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);

CREATE TABLE clients (
    id text NOT NULL,
    secret_hash bytea,
    jwks text,
    scopes text NOT NULL,
    audiences text NOT NULL,
    created_at bigint NOT NULL,
    disabled_at bigint,
    CONSTRAINT clients_check CHECK (((secret_hash IS NULL) <> (jwks IS NULL)))
);

CREATE TABLE events (
    serial bigint NOT NULL,
    at bigint NOT NULL,
    kind text NOT NULL,
    user_id text,
    session_id text,
    kid text,
    address text,
    client_id text
);

ALTER TABLE events ALTER COLUMN serial ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME events_serial_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE key_ring (
    only_row integer NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT key_ring_only_row_check CHECK ((only_row = 1))
);

CREATE TABLE refresh_tokens (
    hash bytea NOT NULL,
    session_id text NOT NULL,
    created_at bigint NOT NULL,
    rotated_at bigint
);

CREATE TABLE sessions (
    id text NOT NULL,
    user_id text NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    user_agent text,
    ended_at bigint,
    end_reason text,
    stepped_up_at bigint,
    CONSTRAINT sessions_check CHECK (((ended_at IS NULL) = (end_reason IS NULL))),
    CONSTRAINT sessions_end_reason_check CHECK ((end_reason = ANY (ARRAY['logout'::text, 'deleted'::text, 'reuse'::text])))
);

CREATE TABLE signing_keys (
    serial bigint NOT NULL,
    kid text NOT NULL,
    algorithm text NOT NULL,
    state text NOT NULL,
    public_jwk text NOT NULL,
    sealed_private_key bytea,
    created_at bigint NOT NULL,
    signs_from bigint NOT NULL,
    longest_token_secs bigint NOT NULL,
    longest_max_age_secs bigint NOT NULL,
    retired_at bigint,
    published_until bigint,
    CONSTRAINT signing_keys_check CHECK (((state = ANY (ARRAY['next'::text, 'active'::text])) = (sealed_private_key IS NOT NULL))),
    CONSTRAINT signing_keys_check1 CHECK (((state = ANY (ARRAY['retired'::text, 'withdrawn'::text])) = (published_until IS NOT NULL))),
    CONSTRAINT signing_keys_state_check CHECK ((state = ANY (ARRAY['next'::text, 'active'::text, 'retired'::text, 'withdrawn'::text])))
);

ALTER TABLE signing_keys ALTER COLUMN serial ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME signing_keys_serial_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE spent_jwts (
    hash bytea NOT NULL,
    expires_at bigint NOT NULL
);

CREATE TABLE status_lists (
    only_row integer NOT NULL,
    lists bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT status_lists_only_row_check CHECK ((only_row = 1))
);

CREATE TABLE status_places (
    list bigint NOT NULL,
    place bigint NOT NULL,
    owner text NOT NULL,
    taken_until bigint NOT NULL,
    revoked bigint DEFAULT 0 NOT NULL,
    CONSTRAINT status_places_revoked_check CHECK ((revoked = ANY (ARRAY[(0)::bigint, (1)::bigint])))
);

CREATE TABLE users (
    id text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    roles text NOT NULL,
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    sealed_totp_secret bytea,
    totp_confirmed_at bigint,
    totp_last_step bigint
);

INSERT INTO _sqlx_migrations VALUES (1, 'first schema', '2026-11-29 09:10:16.672086+00', true, '\xd6e5e455ae12d98f639c79a8fdb55664ff59ba9a22dcb0898a73943d5c653ef2fcf1f285405d7fd67d0ea003f57b2020', 46338639);
INSERT INTO _sqlx_migrations VALUES (2, 'clients', '2026-11-29 09:10:16.724033+00', true, '\xa207ccb1c82968d4189e1bc81b66f6a5a1bf754b128512ef8fdd18a4031edd67563b8bb53babf63f3fad85773e3acac5', 12543354);
INSERT INTO _sqlx_migrations VALUES (3, 'status lists', '2026-11-29 09:10:16.736815+00', true, '\xcd082643f47a85150876627be42d976da0bf5931c81e129a3ff02e888c8d72d079d2271b504d2fc560e8707f23822cd6', 7785256);
INSERT INTO _sqlx_migrations VALUES (4, 'revoked places', '2026-11-29 09:10:16.750342+00', true, '\x79b7c8d41711d9d046f60662927261f12bd2acd8bd5eeeb0e4a84c78d9134e3ad5a3537b8ad57c09ca7be63513a62dc2', 6009134);

INSERT INTO clients VALUES ('billing', '\x1e86f5a1f7b1763fc2da69bc67b40c90896627d7ad5a54dbd551b48a83ca2e36', NULL, '["a:read"]', '["https://api.example.com"]', 1795943419, NULL);

INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (1, 1795943416, 'key_active', NULL, NULL, '5ltBw3KHmjJ08TnG_Uk2pPRJ9l3gkdqGwzdMLPaM4qA', NULL, NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (2, 1795943418, 'user_added', '5259e4e1bdacb193de645a86b5a49629', NULL, NULL, NULL, NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (3, 1795943419, 'client_added', NULL, NULL, NULL, NULL, 'billing');
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (4, 1795943420, 'login', '5259e4e1bdacb193de645a86b5a49629', '73db2cee6e9b68296ca4f86a28f52f3e', NULL, '127.0.0.1', NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (5, 1795943420, 'totp_enrolled', '5259e4e1bdacb193de645a86b5a49629', '73db2cee6e9b68296ca4f86a28f52f3e', NULL, '127.0.0.1', NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (6, 1795943420, 'step_up', '5259e4e1bdacb193de645a86b5a49629', '73db2cee6e9b68296ca4f86a28f52f3e', NULL, '127.0.0.1', NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (7, 1795943421, 'key_published', NULL, NULL, 'ywH52v-Ye7FxQFyTnRAKqbuijSC-skKxbRoEdLVx6Gs', NULL, NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (8, 1795943421, 'login', '5259e4e1bdacb193de645a86b5a49629', '235339ad89052d773f7c14a28da005ae', NULL, '127.0.0.1', NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (9, 1795943421, 'logout', '5259e4e1bdacb193de645a86b5a49629', '235339ad89052d773f7c14a28da005ae', NULL, '127.0.0.1', NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (10, 1795943483, 'login', '5259e4e1bdacb193de645a86b5a49629', 'fd01ea0839769e5e13120cfc8aedb475', NULL, '127.0.0.1', NULL);
INSERT INTO events OVERRIDING SYSTEM VALUE VALUES (11, 1795943484, 'login', '5259e4e1bdacb193de645a86b5a49629', '1f977855f8b46897e1cdc892559d623a', NULL, '127.0.0.1', NULL);

INSERT INTO key_ring VALUES (1, 2);

INSERT INTO refresh_tokens VALUES ('\x67aa5e669f058bfe26fea167c685c8bfadbf213b675af46e828c78d60819c108', '73db2cee6e9b68296ca4f86a28f52f3e', 1795943420, NULL);
INSERT INTO refresh_tokens VALUES ('\x64aee0d508db54a3e40e91acab9d296145af8faff9a002cae6bbadfad86a93c2', '235339ad89052d773f7c14a28da005ae', 1795943421, NULL);
INSERT INTO refresh_tokens VALUES ('\xe6096556d8fdc740494a1e7877090eff501a0f8d2c525788dfe88f195546ee82', 'fd01ea0839769e5e13120cfc8aedb475', 1795943483, NULL);
INSERT INTO refresh_tokens VALUES ('\xa7cdcab8b57008f91a39364ad94c03540e46774238bd50a9a418b37e7af090e4', '1f977855f8b46897e1cdc892559d623a', 1795943484, 1795943484);
INSERT INTO refresh_tokens VALUES ('\x876b7660ff9682ba358168a9cad21e7a861339170d018ba8e12c9c1c8258fe04', '1f977855f8b46897e1cdc892559d623a', 1795943484, NULL);

INSERT INTO sessions VALUES ('73db2cee6e9b68296ca4f86a28f52f3e', '5259e4e1bdacb193de645a86b5a49629', 1795943420, 1795943420, 1798535420, 'Python-urllib/3.11', NULL, NULL, 1795943420);
INSERT INTO sessions VALUES ('235339ad89052d773f7c14a28da005ae', '5259e4e1bdacb193de645a86b5a49629', 1795943421, 1795943421, 1798535421, 'Python-urllib/3.11', 1795943421, 'logout', NULL);
INSERT INTO sessions VALUES ('fd01ea0839769e5e13120cfc8aedb475', '5259e4e1bdacb193de645a86b5a49629', 1795943483, 1795943483, 1798535483, 'Python-urllib/3.11', NULL, NULL, NULL);
INSERT INTO sessions VALUES ('1f977855f8b46897e1cdc892559d623a', '5259e4e1bdacb193de645a86b5a49629', 1795943484, 1795943484, 1798535484, 'Python-urllib/3.11', NULL, NULL, NULL);

INSERT INTO signing_keys OVERRIDING SYSTEM VALUE VALUES (2, 'ywH52v-Ye7FxQFyTnRAKqbuijSC-skKxbRoEdLVx6Gs', 'ES256', 'next', '{"alg":"ES256","crv":"P-256","kid":"ywH52v-Ye7FxQFyTnRAKqbuijSC-skKxbRoEdLVx6Gs","kty":"EC","use":"sig","x":"sLHf8kcs_rfNRTGasjyDSDs5j8xzeMnT3524lFWngjo","y":"yTu6akR5gB_jqyUuHhb7jnssDrYaV-2aVEcZH4hWWkc"}', '\x01394a24b303b57006d6f65085f9080ae0c0ff180589c5c54cbed64429563018091bb6350adc4cc46e78f5431dbf88972367b54f10e672b0f9c59231a08799c62bb32769dce9b8b35b22f7d09a8e719c04ac663e6bff5fba5e93c788ea555fb7dabaa970d49a47d3041ab08805c8820d59a9a72854e870fcbe8b1d9f7a4b60c3846fd67fff01f9ce9c8763225c984461ae987d39728fb86297bc4f854b358b45a311fe3e945d51', 1795943421, 1795943781, 900, 300, NULL, NULL);
INSERT INTO signing_keys OVERRIDING SYSTEM VALUE VALUES (1, '5ltBw3KHmjJ08TnG_Uk2pPRJ9l3gkdqGwzdMLPaM4qA', 'ES256', 'active', '{"alg":"ES256","crv":"P-256","kid":"5ltBw3KHmjJ08TnG_Uk2pPRJ9l3gkdqGwzdMLPaM4qA","kty":"EC","use":"sig","x":"tKiHpPZpaE4awI0A2p6zmH6jk51jXzWRzikpzW2tkTM","y":"H424ERldr_qLRY-em32kT1Ge8YY3LDDDrlSWM_iDYDw"}', '\x018027d5f511c36e233e949bef72afca59c3c745b6498fe34bb77f940119b289ffcdea30e56e2fb9a5ea462d1f5d2295d55e16f237b6abd213bad98cccea19fdd29feae3fd1cf46c70032f4a8f9cf1cb833ff0854ff63fdaf51ff81e58a3f843faf436f80de1cd87fd1d35b65c1f126f09bcc493d63d01abc814ad59ae10ba8bd5c0cc265c5c4916919138da8c778c0dc69c1d9fa6ad938b9131655c3779c8d7d2667805a10731', 1795943416, 1795943416, 900, 300, NULL, NULL);

INSERT INTO status_lists VALUES (1, 1, 1);

INSERT INTO status_places VALUES (0, 1026943, '73db2cee6e9b68296ca4f86a28f52f3e', 1795944440, 0);
INSERT INTO status_places VALUES (0, 1004934, '235339ad89052d773f7c14a28da005ae', 1795944441, 1);
INSERT INTO status_places VALUES (0, 376406, 'fd01ea0839769e5e13120cfc8aedb475', 1795944503, 0);
INSERT INTO status_places VALUES (0, 1029452, '1f977855f8b46897e1cdc892559d623a', 1795944504, 0);

INSERT INTO users VALUES ('5259e4e1bdacb193de645a86b5a49629', 'alice', '$argon2id$v=19$m=19456,t=2,p=1$VVHEQgh9SJv/ZWbYOoogMA$r26TUaau/iyD1WmktZrZd4FTVPGFA85nylU2GeFsIaU', '["admin"]', '["a:read","a:write"]', 1795943418, '\x01a7f954922a0d38b4067b15ba1e559ef528c081150b12062476c1b73e391b5678b5599baabd6cf64a17f352c79492878d', 1795943420, 59864780);

SELECT pg_catalog.setval('events_serial_seq', 11, true);

SELECT pg_catalog.setval('signing_keys_serial_seq', 2, true);

ALTER TABLE ONLY _sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY clients
    ADD CONSTRAINT clients_pkey PRIMARY KEY (id);

ALTER TABLE ONLY events
    ADD CONSTRAINT events_pkey PRIMARY KEY (serial);

ALTER TABLE ONLY key_ring
    ADD CONSTRAINT key_ring_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);

ALTER TABLE ONLY spent_jwts
    ADD CONSTRAINT spent_jwts_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY status_lists
    ADD CONSTRAINT status_lists_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY status_places
    ADD CONSTRAINT status_places_owner_key UNIQUE (owner);

ALTER TABLE ONLY status_places
    ADD CONSTRAINT status_places_pkey PRIMARY KEY (list, place);

ALTER TABLE ONLY users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX events_by_time ON events USING btree (at);

CREATE INDEX events_of_a_user ON events USING btree (user_id, serial);

CREATE UNIQUE INDEX one_active_key ON signing_keys USING btree (state) WHERE (state = 'active'::text);

CREATE UNIQUE INDEX one_current_refresh_token ON refresh_tokens USING btree (session_id) WHERE (rotated_at IS NULL);

CREATE UNIQUE INDEX one_next_key ON signing_keys USING btree (state) WHERE (state = 'next'::text);

CREATE INDEX refresh_tokens_of_a_session ON refresh_tokens USING btree (session_id);

CREATE INDEX revoked_places ON status_places USING btree (revoked, list, place, taken_until) WHERE (revoked = 1);

CREATE INDEX sessions_by_expiry ON sessions USING btree (expires_at);

CREATE INDEX sessions_of_a_user ON sessions USING btree (user_id);

CREATE INDEX spent_jwts_by_expiry ON spent_jwts USING btree (expires_at);

CREATE INDEX status_places_to_free ON status_places USING btree (taken_until);

CREATE UNIQUE INDEX users_by_name ON users USING btree (lower(name));

CREATE TRIGGER revoke_place_of_client AFTER DELETE OR UPDATE OF disabled_at ON clients FOR EACH ROW EXECUTE FUNCTION revoke_place_of_client();

CREATE TRIGGER revoke_place_of_session AFTER UPDATE OF ended_at ON sessions FOR EACH ROW WHEN (((new.ended_at IS NOT NULL) AND (old.ended_at IS NULL))) EXECUTE FUNCTION revoke_place_of_session();

CREATE TRIGGER tell_key_version AFTER UPDATE ON key_ring FOR EACH ROW EXECUTE FUNCTION tell_key_version();

ALTER TABLE ONLY refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE;

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;
