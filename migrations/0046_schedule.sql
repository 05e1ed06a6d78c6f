-- When each entry of the schedule (`server/src/worker/schedule.rs`) is due next, and when its turn was taken last: of
-- all processes, one takes a turn. Entries that run in each process have no row.
CREATE TABLE schedule (
    name TEXT PRIMARY KEY,
    next_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ
);
-- Jobs that put themselves back are added by the schedule from now on.
DELETE FROM jobs WHERE kind IN ('erase_data', 'refresh_data', 'remind_owners') AND failed_at IS NULL AND lease_until IS NULL;
