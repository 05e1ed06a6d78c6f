-- The sandbox bank's payments. What becomes of one follows from these facts and the clock: no status is stored.
CREATE TABLE bank_payments (
    id UUID PRIMARY KEY,
    client_id TEXT NOT NULL,
    -- The X-Request-ID it was ordered with, and a digest of what was ordered: the same again is the same payment.
    request_id UUID NOT NULL,
    fingerprint TEXT NOT NULL,
    service TEXT NOT NULL CHECK (service IN ('payments', 'periodic-payments', 'bulk-payments')),
    product TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    -- The order as it came, JSON.
    body TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- Until when it may be authorised.
    authorise_by TIMESTAMPTZ NOT NULL,
    -- At most one of these three happens first, and for good, but that a later-dated one may still be cancelled.
    authorised_at TIMESTAMPTZ,
    refused_at TIMESTAMPTZ,
    cancelled_at TIMESTAMPTZ,
    -- Who pays, and from which account.
    username TEXT,
    account_id BIGINT,
    -- From when on it cannot be cancelled once authorised; none: it has no last day.
    binding_at TIMESTAMPTZ,
    UNIQUE (client_id, request_id)
);

-- One visit of one browser to the authorise page, now for a consent or a payment.
CREATE TABLE bank_visits (
    id UUID PRIMARY KEY,
    -- AIS: a consent. PIS: a payment.
    kind TEXT NOT NULL CHECK (kind IN ('AIS', 'PIS')),
    subject_id UUID NOT NULL,
    redirect_uri TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('started', 'signed_in', 'approved', 'refused')),
    -- Digest of the cookie's value: the page belongs to the browser that opened it.
    cookie TEXT NOT NULL,
    -- The state of the other side, given back as it came (RFC 6749), and its PKCE challenge (RFC 7636, S256).
    client_state TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    username TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    code TEXT UNIQUE,
    code_expires_at TIMESTAMPTZ,
    code_used_at TIMESTAMPTZ
);
CREATE INDEX bank_visits_subject ON bank_visits (subject_id);

INSERT INTO bank_visits (id, kind, subject_id, redirect_uri, state, cookie, client_state, code_challenge, username,
                         created_at, expires_at, code, code_expires_at, code_used_at)
SELECT a.id, 'AIS', a.consent_id, c.redirect_uri, a.state, a.cookie, a.client_state, a.code_challenge, a.username,
       a.created_at, a.expires_at, a.code, a.code_expires_at, a.code_used_at
FROM bank_authorisations a JOIN bank_consents c ON c.id = a.consent_id;
DROP TABLE bank_authorisations;
