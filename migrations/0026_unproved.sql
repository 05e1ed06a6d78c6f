-- Accounts whose address nobody has proved hold their own sandbox alone and end; operators come to be by using their
-- link; a person may work in several servicers; letters are counted.

-- The address an account registered with, kept when another account proved it. `email_key` is what signs in.
ALTER TABLE people ADD COLUMN registered_key TEXT NOT NULL DEFAULT '';
UPDATE people SET registered_key = CASE WHEN email_key <> '' THEN email_key ELSE lower(email) END;
CREATE INDEX people_registered ON people (registered_key, created_at);
-- None: from before this was noted; its days begin when the server next looks.
ALTER TABLE people ADD COLUMN last_used_at TIMESTAMPTZ;
CREATE INDEX people_unproved ON people (last_used_at) WHERE verified_at IS NULL;
-- The servicer a person worked in last, and the one a browser works in now.
ALTER TABLE people ADD COLUMN last_servicer UUID;
ALTER TABLE portal_sessions ADD COLUMN servicer_id UUID;

-- Whether using a password link makes its person an operator.
ALTER TABLE email_links ADD COLUMN operator BOOLEAN NOT NULL DEFAULT FALSE;

-- When letters went to an address that nobody proved: a place is taken again a day later. A subject is a digest.
CREATE TABLE letters_sent (
    subject TEXT NOT NULL,
    place BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (subject, place)
);
CREATE INDEX letters_sent_at ON letters_sent (at);
