-- Who ended a consent before its time: the tenant, or the end-user at the bank.
ALTER TABLE consents ADD COLUMN ended_by TEXT CHECK (ended_by IN ('tenant', 'bank'));
