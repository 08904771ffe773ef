-- A token that was sent before a user was disabled must not count when the user is enabled again.
CREATE OR REPLACE FUNCTION end_sessions_of_disabled_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET credentials = credentials + 1 WHERE id = NEW.id;
    DELETE FROM user_tokens WHERE user_id = NEW.id;
    UPDATE sessions SET ended_at = NEW.disabled_at, end_reason = 'deleted'
    WHERE user_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END
$$;
