-- A return may be repeated, and each time brings a token of its own: all of them live until one is exchanged. That one
-- exchange alone counts is held by the index, whoever races.
DROP INDEX temp_tokens_alive;
CREATE INDEX temp_tokens_session ON temp_tokens (session_id);
CREATE UNIQUE INDEX temp_tokens_exchanged ON temp_tokens (session_id) WHERE exchanged_at IS NOT NULL;

-- Digest of the Idempotency-Key and the body of the exchange: the same client's retry is told apart from a second use.
ALTER TABLE temp_tokens ADD COLUMN exchange_mark BYTEA;
