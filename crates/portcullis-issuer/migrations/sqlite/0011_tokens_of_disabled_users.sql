-- A token that was sent before a user was disabled must not count when the user is enabled again.
DROP TRIGGER end_sessions_of_disabled_user;

CREATE TRIGGER end_sessions_of_disabled_user AFTER UPDATE OF disabled_at ON users
WHEN NEW.disabled_at IS NOT NULL AND OLD.disabled_at IS NULL
BEGIN
    UPDATE users SET credentials = credentials + 1 WHERE id = NEW.id;
    DELETE FROM user_tokens WHERE user_id = NEW.id;
    UPDATE sessions SET ended_at = NEW.disabled_at, end_reason = 'deleted'
    WHERE user_id = NEW.id AND ended_at IS NULL;
END;
