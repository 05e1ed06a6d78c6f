-- Files sent along with steps, in sealed pieces that open only at their own place. A row is `receiving` while its pieces
-- come in, and `stored` by one statement once all of them are there; nothing else is ever read.
CREATE TABLE uploads (
    id UUID PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (id),
    step_id UUID NOT NULL REFERENCES session_steps (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('receiving', 'stored')),
    -- By the content, never by a header.
    media_type TEXT NOT NULL,
    -- Bytes, once they are all there.
    size BIGINT,
    -- Keyed digest of the content: equality is all that is asked of it.
    content BYTEA,
    created_at TIMESTAMPTZ NOT NULL,
    -- When a piece arrived last; a row that rests is swept away.
    touched_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX uploads_session ON uploads (session_id, id);
CREATE UNIQUE INDEX uploads_content ON uploads (step_id, kind, content) WHERE state = 'stored';
CREATE INDEX uploads_receiving ON uploads (touched_at) WHERE state = 'receiving';

CREATE TABLE upload_chunks (
    upload_id UUID NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (upload_id, position)
);
