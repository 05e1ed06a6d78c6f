-- What the request log holds of each servicer, by the hour: the oldest rows of one who has too much go first.
CREATE TABLE request_log_sizes (
    servicer_id UUID NOT NULL,
    hour TIMESTAMPTZ NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (servicer_id, hour)
);
CREATE INDEX request_log_sizes_hour ON request_log_sizes (hour);
