-- Which accepted signatures were forgotten: one that ends no later is refused, whatever the clock says by now.
CREATE TABLE forgotten_signatures (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    forgotten_to TIMESTAMPTZ NOT NULL
);

-- Whether whoever sent a refused signature proved something: a secret, or a key that verifies.
ALTER TABLE refused_signatures ADD COLUMN proved BOOLEAN NOT NULL DEFAULT FALSE;
