-- The index of changes serves whoever asks for changes, and says so by a condition that all rows meet: without it Postgres
-- took this smaller index for a page of transactions too, whenever it believed a consent to have few, and sorted them all.
DROP INDEX transactions_changes;
CREATE UNIQUE INDEX transactions_changes ON transactions (consent_id, change_no) WHERE change_no > 0;
