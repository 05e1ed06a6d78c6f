-- Budgets of calls that several server processes share (Postgres): when each will be whole again, in microseconds since
-- 1970. On SQLite there is one process, which counts in memory. No index on the time: a row changes without touching any.
CREATE TABLE budgets (
    subject TEXT PRIMARY KEY,
    whole_at BIGINT NOT NULL
);
