-- What the portal counts and sorts of a day's calls stands in the index: a busy tenant's rows are large, and many.
DROP INDEX requests_tenant;
CREATE INDEX requests_tenant ON requests (tenant_id, at, status, latency_us);
