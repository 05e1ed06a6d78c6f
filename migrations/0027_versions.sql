-- Settings of a tenant carry a number that grows by one with each change that was accepted: a form that was loaded
-- before somebody else's change is refused.
ALTER TABLE tenants ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
