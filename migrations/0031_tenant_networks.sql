-- The networks a tenant's server may call from, in CIDR form with a blank between two; everywhere while there is none.
ALTER TABLE tenants ADD COLUMN networks TEXT NOT NULL DEFAULT '';
