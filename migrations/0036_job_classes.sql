-- Jobs of one class never wait for those of another; a process of an earlier version adds its own under the default.
ALTER TABLE jobs ADD COLUMN class TEXT NOT NULL DEFAULT 'sessions';
-- How often in a row the job was begun without a word of how it ended: its process died with it.
ALTER TABLE jobs ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
UPDATE jobs SET class = CASE
    WHEN kind IN ('send_mail', 'password_link', 'remind_owners') THEN 'mail'
    WHEN kind IN ('fetch_data', 'refresh_consent', 'refresh_data') THEN 'data'
    WHEN kind IN ('erase_data', 'console_run.forget') THEN 'erasure'
    WHEN kind = 'follow_payment' THEN 'payments'
    ELSE 'sessions' END;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (class, run_at, id) WHERE failed_at IS NULL;
CREATE INDEX jobs_kind ON jobs (kind) WHERE failed_at IS NULL;
CREATE INDEX jobs_given_up ON jobs (failed_at, id) WHERE failed_at IS NOT NULL;
