-- What housekeeping looks for: registrations whose address was not verified in time, and single-use
-- tokens that have expired.
CREATE INDEX users_to_verify ON users (created_at) WHERE awaits = 'verification';
CREATE INDEX user_tokens_by_expiry ON user_tokens (expires_at);
