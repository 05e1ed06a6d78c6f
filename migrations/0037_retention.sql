-- What is past its time is found by its time.
CREATE INDEX email_links_end ON email_links (expires_at);
CREATE INDEX claim_tokens_end ON claim_tokens (expires_at);
CREATE INDEX temp_tokens_age ON temp_tokens (created_at);
CREATE INDEX sessions_erased ON sessions (erased_at) WHERE erased_at IS NOT NULL;
CREATE INDEX consents_erased ON consents (erased_at) WHERE erased_at IS NOT NULL;
CREATE INDEX console_runs_age ON console_runs (forget_at);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX bank_tokens_end ON bank_tokens (expires_at);
CREATE INDEX bank_visits_end ON bank_visits (expires_at);
CREATE INDEX bank_consents_end ON bank_consents (expires_at);
CREATE INDEX bank_payments_age ON bank_payments (authorise_by);
CREATE INDEX bank_applications_age ON bank_applications (changed_at);
