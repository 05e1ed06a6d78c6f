-- What the app calls itself that a third-party provider asks for: its own claim, shown on the bank's pages.
ALTER TABLE bank_consents ADD COLUMN brand TEXT;
ALTER TABLE bank_payments ADD COLUMN brand TEXT;
ALTER TABLE bank_visits ADD COLUMN brand TEXT;
-- Digest of the cookie of the browser in which a consent was given: it lists and ends what was given in it.
ALTER TABLE bank_consents ADD COLUMN browser TEXT;
-- When its user ended it at the bank.
ALTER TABLE bank_consents ADD COLUMN revoked_at TIMESTAMPTZ;
CREATE INDEX bank_consents_browser ON bank_consents (browser);
