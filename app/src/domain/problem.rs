//! The catalogue of everything that can go wrong in a call: one table makes the API's answers, the OpenAPI, the docs
//! page and the portal's explanations, so that they never disagree.

string_enum! {
    /// The class of an error, as sent in `type`.
    ProblemType {
        /// The request itself has to change.
        InvalidRequest = "invalid_request",
        /// Keys, tokens or nonces are not the right ones, or not any more.
        Unauthorized = "unauthorized",
        /// Whoever asks is known and may not.
        Forbidden = "forbidden",
        /// The bank or provider behind the skill failed.
        ExternalApiError = "external_api_error",
        /// Too much, too fast.
        RateLimited = "rate_limited",
        /// Our fault.
        InternalServerError = "internal_server_error",
    }
}

string_enum! {
    /// Party that can mend an error.
    Fault {
        /// The tenant's developer.
        Caller = "caller",
        /// The bank or provider behind the skill.
        Bank = "bank",
        /// This middleware and its operators.
        Us = "us",
        /// The person who was asked for consent.
        EndUser = "end_user",
    }
}

/// Entry of the catalogue about one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Code as sent in `code`. Closed set; never reused for another meaning.
    pub code: &'static str,
    pub kind: ProblemType,
    /// HTTP status.
    pub http: u16,
    /// `true` if the same request may succeed later without a change.
    pub retryable: bool,
    pub fault: Fault,
    /// A few words for headings.
    pub title: &'static str,
    /// Cause of the error. Also the answer's `message` where the place that raises it knows nothing better.
    pub cause: &'static str,
    /// Remedy for the error. Also the answer's `hint` where the place that raises it knows nothing better.
    pub fix: &'static str,
}

/// Writes the catalogue once: the enum, its table and `FromStr` come from the same lines.
macro_rules! catalogue {
    ($($variant:ident = $code:literal, $kind:ident $http:literal, $fault:ident $($retryable:ident)?, $title:literal, $cause:literal, $fix:literal;)+) => {
        /// A code of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $cause] $variant,)+ }

        impl Code {
            /// Every code, grouped as in the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the catalogue's entry about the code.
            pub const fn entry(self) -> &'static CatalogEntry {
                match self { $(Self::$variant => &CatalogEntry {
                    code: $code,
                    kind: ProblemType::$kind,
                    http: $http,
                    retryable: catalogue!(@retryable $($retryable)?),
                    fault: Fault::$fault,
                    title: $title,
                    cause: $cause,
                    fix: $fix,
                },)+ }
            }
        }
    };
    (@retryable retryable) => { true };
    (@retryable) => { false };
}

catalogue! {
    // The request has to change.
    MissingFields = "missing_fields", InvalidRequest 400, Caller, "Fields are missing",
        "The request lacks fields that this operation needs.", "Send every field listed in `fields`.";
    UnknownFields = "unknown_fields", InvalidRequest 400, Caller, "Unknown fields",
        "The request has fields that this operation does not know; they are refused rather than ignored, so that a misspelt one is noticed.",
        "Remove or correct every field listed in `fields`.";
    InvalidField = "invalid_field", InvalidRequest 400, Caller, "A field has a wrong value",
        "A field has a value of the wrong type or form.", "Send what `fields` says was expected.";
    InvalidInput = "invalid_input", InvalidRequest 400, Caller, "The step's data does not fit",
        "The step's `data` does not satisfy the skill's JSON Schema.",
        "Read the step's schema in the catalog and fix the fields listed in `fields`.";
    InvalidBody = "invalid_body", InvalidRequest 400, Caller, "The body is not JSON",
        "The body could not be read as one JSON object in UTF-8.", "Send a JSON object; the message says where reading stopped.";
    BodyTooLarge = "body_too_large", InvalidRequest 413, Caller, "The body is too large",
        "JSON bodies may have 256 KiB and 64 levels of nesting, uploads 10 MiB.", "Send less.";
    InvalidHeaders = "invalid_headers", InvalidRequest 415, Caller, "The body has the wrong media type",
        "The operation reads another media type than the Content-Type header announces.", "Send the header the hint names.";
    HeadersTooLarge = "headers_too_large", InvalidRequest 431, Caller, "The head is too large",
        "A request may have 100 header lines, and 16 KiB of address and headers.",
        "Send fewer and shorter headers; cookies have no place in API calls.";
    RequestTimeout = "request_timeout", InvalidRequest 408, Caller retryable, "The body did not arrive in time",
        "The request's body made no progress for 15 seconds, or came at less than 16 KiB a second in the long run.", "Send the same again over a better connection.";
    InvalidSkillName = "invalid_skill_name", InvalidRequest 400, Caller, "No such skill",
        "The skill's name is malformed, or no published skill has it.", "Copy a name from GET /v1/catalog/skills, the version included.";
    InvalidStep = "invalid_step", InvalidRequest 400, Caller, "This step is not open",
        "The session does not expect a step of this name now.", "Submit the step that the answer before named as next.";
    InvalidSessionId = "invalid_session_id", InvalidRequest 404, Caller, "No such session",
        "No session of this tenant has this id.", "Use the `session_id` that POST /v1/sessions answered, with the same tenant.";
    SessionEnded = "session_ended", InvalidRequest 410, Caller, "The session is over",
        "The session was completed, failed, cancelled or expired.", "Open a new session.";
    InvalidRedirectLink = "invalid_redirect_link", InvalidRequest 400, Caller, "The redirect link is not registered",
        "`psu_redirect_link` must equal, to the letter, a link registered on the tenant.",
        "Register the link in the tenant's settings, or send one that is registered.";
    InvalidPcdDataRetention = "invalid_pcd_data_retention", InvalidRequest 400, Caller, "The retention is not valid",
        "`pcd_data_retention` must be a whole number of minutes between 0 and the tenant's own maximum.", "Send a number in that range, or leave it out.";
    UploadsMissing = "uploads_missing", InvalidRequest 400, Caller, "Uploads are missing",
        "A step still lacks required uploads.", "Upload what the message names, with the `step_id` and the nonce of that step; then send the same again.";
    TooManyUploads = "too_many_uploads", InvalidRequest 400, Caller, "The step takes no more files",
        "The step has as many uploads as its manifest allows.", "Go on with the session; a file that was already sent needs no second upload.";
    WrongKindOfConsent = "wrong_kind_of_consent", InvalidRequest 400, Caller, "The consent points at something else",
        "The pair is good, and what it points at is read with another operation: accounts, payments and products have one each.",
        "Use the operation that the hint names; POST /v1/consents/get says which skill the consent is for.";
    TppRedirectError = "tpp_redirect_error", InvalidRequest 400, EndUser, "The bank's return is not valid",
        "The end-user came back from the bank with a `state` that is unknown, used or too old.", "Begin the step again: the end-user must start from the app.";
    CursorExpired = "cursor_expired", InvalidRequest 410, Caller, "The cursor is too old",
        "A `next_cursor` of a sync is good for a year.", "Begin a new mirror: sync without a cursor.";
    NotFound = "not_found", InvalidRequest 404, Caller, "Nothing is here",
        "No resource has this address, or it belongs to somebody else; the two look the same.", "Check the path and the ids in it.";
    MethodNotAllowed = "method_not_allowed", InvalidRequest 405, Caller, "Another method is needed",
        "The path exists, but not with this method.", "Use one of the methods in the Allow header.";
    NotAcceptable = "not_acceptable", InvalidRequest 406, Caller, "Only JSON is offered",
        "The Accept header excludes application/json.", "Send Accept: application/json, or leave it out.";
    IdempotencyMismatch = "idempotency_mismatch", InvalidRequest 422, Caller, "The Idempotency-Key was used for something else",
        "A request with this Idempotency-Key had another body.", "Use a new key for every new request.";
    IdempotencyInFlight = "idempotency_in_flight", InvalidRequest 409, Caller retryable, "The first request is still running",
        "A request with this Idempotency-Key has not finished yet.", "Wait as long as Retry-After says and send the same again.";
    PaymentNotCancellable = "payment_not_cancellable", InvalidRequest 409, Caller, "The payment cannot be cancelled",
        "The bank no longer lets the payment be called off: it is executed, rejected, or its day has come.",
        "Read the payment: its status says what became of it.";
    StepInFlight = "step_in_flight", InvalidRequest 409, Caller retryable, "The step is being worked on",
        "Another submission of this step has not finished yet.", "Wait as long as Retry-After says, then ask the session what comes next.";

    // Keys, tokens and nonces.
    InvalidApiKeys = "invalid_api_keys", Unauthorized 401, Caller, "The keys are not valid",
        "These keys together are not a live pair of any tenant. Unknown, wrong, ended and stopped keys look the same.",
        "Compare `client_id` and the key with the tenant's page in the portal; a rotated key ends after its overlap.";
    InvalidSignature = "invalid_signature", Unauthorized 401, Caller, "The signature is not valid",
        "The request came to /v1s, and its signature fails one of the checks there; the message names it.",
        "Open the portal's signature debugger: it shows the claim, or the byte, that differs.";
    SignatureRequired = "signature_required", Unauthorized 401, Caller, "The tenant's server calls must be signed",
        "The tenant demands signed requests for everything its server asks, and this one came to /v1.",
        "Send the same request to /v1s with a signature, or lift the demand on the tenant's settings page.";
    UnauthorizedTenant = "unauthorized_tenant", Unauthorized 401, Caller, "The tenant may not use this skill",
        "The skill is not on the tenant's whitelist, or belongs to the other environment.",
        "Add the skill on the tenant's Skills page; a sandbox tenant reaches sandbox skills only.";
    InvalidNonce = "invalid_nonce", Unauthorized 401, Caller, "The nonce is not valid",
        "The nonce was used, or belongs to another step or session.", "Use the nonce of the answer before, once, in the same session.";
    ExpiredNonce = "expired_nonce", Unauthorized 410, Caller, "The nonce has expired",
        "A nonce lives for 30 minutes.", "Ask POST /v1/sessions/{session_id}/get what comes next, or open a new session.";
    InvalidTempToken = "invalid_temp_token", Unauthorized 401, Caller, "The temp_token is not valid",
        "No session of this tenant issued this `temp_token`.", "Exchange the token exactly as received, with the keys of the tenant that opened the session.";
    TempTokenUsed = "temp_token_used", Unauthorized 410, Caller, "The temp_token was used",
        "A `temp_token` is exchanged once, and with it every other one of its session ends.",
        "Use the pair of the first exchange. Send an Idempotency-Key: then the same call again gets the same answer for an hour. If the pair is lost, take the end-user through a new session.";
    TempTokenExpired = "temp_token_expired", Unauthorized 410, Caller, "The temp_token has expired",
        "A `temp_token` lives for a minute (in the sandbox ten).", "Exchange it at once; take the end-user through a new session.";
    InvalidCodeVerifier = "invalid_code_verifier", Unauthorized 401, Caller, "The code_verifier does not fit",
        "The session was opened with a `code_challenge`, and this is not its verifier (RFC 7636).", "Send the `code_verifier` the challenge was made from.";
    InvalidCredentialsId = "invalid_credentials_id", Unauthorized 401, Caller, "No such consent",
        "No consent of this tenant has this `credentials_id`.", "Send the pair that the token exchange answered, with the same tenant's keys.";
    InvalidAccessToken = "invalid_access_token", Unauthorized 401, Caller, "The access_token does not fit",
        "The `access_token` does not belong to this `credentials_id`, or was replaced.", "Send the pair that the token exchange answered.";
    InvalidTenantUserId = "invalid_tenant_user_id", Unauthorized 401, Caller, "Another end-user's consent",
        "The session was opened for another `tenant_user_id`.", "Send the `tenant_user_id` the session was opened with.";
    InactiveCredentials = "inactive_credentials", Unauthorized 401, EndUser, "The consent was withdrawn",
        "The consent was deleted, or withdrawn at the bank.", "Take the end-user through a new session.";
    ExpiredCredentials = "expired_credentials", Unauthorized 401, EndUser, "The consent has expired",
        "The consent's `consent_exp` has passed.", "Take the end-user through a new session, or extend consents before they end.";

    // Known, and not allowed.
    TenantPaused = "tenant_paused", Forbidden 403, Caller, "The tenant is paused",
        "The tenant was paused in the portal.", "Resume it on the tenant's settings page.";
    ServicerSuspended = "servicer_suspended", Forbidden 403, Caller, "The servicer is suspended",
        "The operators of the middleware suspended the servicer this tenant belongs to.", "Read the reason in the portal and write to the operators.";
    OriginNotAllowed = "origin_not_allowed", Forbidden 403, Caller, "The origin is not registered",
        "The browser's Origin is not registered on the tenant.", "Register the origin in the tenant's settings, or call from a server without an Origin header.";
    IpNotAllowed = "ip_not_allowed", Forbidden 403, Caller, "The address is not allowed",
        "The tenant's server may call from the networks on its settings page alone, and this call with the `client_secret` came from elsewhere; the message names the address.",
        "Add the address to the tenant's networks, or call from a server that is in one. Behind a proxy the operators must have named it as trusted.";
    Forbidden = "forbidden", Forbidden 403, Caller, "Only for administrators",
        "The skill is not published: only administrators may see it, and tenants they put it on the whitelist of.", "Use a skill from GET /v1/catalog/skills, or ask the operators of the middleware.";

    // The bank.
    ExternalApiConnectionError = "external_api_connection_error", ExternalApiError 400, Bank retryable, "The bank cannot be reached",
        "The bank did not answer in time, or the connection failed.", "Try again later; nothing was done.";
    ExternalApiTooManyRequests = "external_api_too_many_requests", ExternalApiError 400, Bank retryable, "The bank limits its calls",
        "The bank's call budget for this consent is used up.", "Read what is cached, and ask for fresh data later.";
    ExternalApiUnauthorized = "external_api_unauthorized", ExternalApiError 400, Bank, "The bank refused our access",
        "The bank no longer accepts the consent.", "Take the end-user through a new session.";
    ExternalApiForbidden = "external_api_forbidden", ExternalApiError 400, Bank, "The bank forbids this",
        "The bank does not allow this operation for this end-user or consent.", "Ask the end-user to check with the bank.";
    ExternalApiError = "external_api_error", ExternalApiError 400, Bank retryable, "The bank sent an invalid response",
        "The bank's answer was an error, or not what its interface promises.", "Try again later; the log names the failure by the error's id.";

    // Too much, and our own fault.
    TooManyRequests = "too_many_requests", RateLimited 429, Caller retryable, "Too many requests",
        "The budget of calls is used up.", "Wait as long as Retry-After says; RateLimit headers on each answer show what is left.";
    InternalServerError = "internal_server_error", InternalServerError 500, Us retryable, "Our fault",
        "Something failed inside the middleware; it was logged under this id.", "Try again; the log names the failure by the error's id.";
    ServiceUnavailable = "service_unavailable", InternalServerError 503, Us retryable, "Busy or in maintenance",
        "The middleware cannot serve the request now; nothing was done.", "Wait as long as Retry-After says and send the same again.";
}

impl Code {
    /// The code as sent.
    pub const fn as_str(self) -> &'static str {
        self.entry().code
    }

    /// The code of this text, if the catalogue has it: for explaining what a log kept.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_first_documents_occurs() {
        for status in [400, 401, 403, 404, 405, 406, 410, 429, 500, 503] {
            assert!(
                Code::ALL.iter().any(|code| code.entry().http == status),
                "{status}"
            );
        }
    }

    #[test]
    fn codes_are_unique_and_found_by_their_text() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
        assert_eq!(Code::parse("no_such_code"), None);
    }

    #[test]
    fn every_entry_explains_itself() {
        for code in Code::ALL {
            let entry = code.entry();
            assert!(
                entry.cause.ends_with('.') && entry.fix.ends_with('.'),
                "{code}"
            );
            assert!(
                !entry.title.ends_with('.') && entry.title.len() <= 60,
                "{code}"
            );
            assert_eq!(entry.fault == Fault::Us, entry.http >= 500, "{code}");
        }
    }
}
