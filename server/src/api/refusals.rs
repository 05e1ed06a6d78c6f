//! The codes that operations can answer beside those that any call of their kind can: what the OpenAPI and the
//! reference list. A test compares what is answered with what is listed.

use super::openapi::errors::refusals;

refusals! {
    /// Of opening a session.
    Opening = [InvalidSkillName, UnauthorizedTenant, Forbidden];
    /// Of submitting a step.
    Submitting = [
        InvalidSessionId, InvalidNonce, ExpiredNonce, SessionEnded, InvalidSkillName, InvalidStep, InvalidInput,
        InvalidRedirectLink, InvalidTenantUserId, UploadsMissing, StepInFlight, ExternalApiConnectionError, ExternalApiTooManyRequests,
        ExternalApiUnauthorized, ExternalApiForbidden, ExternalApiError, IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Of asking where a session stands.
    Asking = [InvalidSessionId, InvalidNonce];
    /// Of calling a session off.
    CallingOff = [InvalidSessionId, InvalidNonce, SessionEnded, StepInFlight];
    /// Of sending a file.
    Sending = [
        NotFound, InvalidSessionId, InvalidNonce, SessionEnded, InvalidTenantUserId, TooManyUploads, StepInFlight,
    ];
    /// Of exchanging a token.
    Exchanging = [
        InvalidTempToken, TempTokenUsed, TempTokenExpired, InvalidCodeVerifier, InvalidTenantUserId,
        UnauthorizedTenant, InactiveCredentials, UploadsMissing, IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Of reading data.
    Reading = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        WrongKindOfConsent,
        ExternalApiConnectionError, ExternalApiTooManyRequests, ExternalApiUnauthorized, ExternalApiForbidden,
        ExternalApiError,
    ];
    /// Of reading a payment.
    Paying = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        WrongKindOfConsent, NotFound, ExternalApiConnectionError, ExternalApiTooManyRequests, ExternalApiUnauthorized,
        ExternalApiForbidden, ExternalApiError,
    ];
    /// Of calling a payment off.
    Unpaying = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        WrongKindOfConsent, NotFound, PaymentNotCancellable, ExternalApiConnectionError, ExternalApiTooManyRequests,
        ExternalApiUnauthorized, ExternalApiForbidden, ExternalApiError, IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Of asking what has changed.
    Syncing = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        CursorExpired, WrongKindOfConsent, ExternalApiConnectionError, ExternalApiTooManyRequests, ExternalApiUnauthorized,
        ExternalApiForbidden, ExternalApiError,
    ];
    /// Of listing consents.
    Listing = [InvalidSkillName];
    /// Of renewing a consent.
    Extending = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        UnauthorizedTenant, Forbidden, WrongKindOfConsent, IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Of asking about a consent.
    Consenting = [InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId];
    /// Of ending a consent.
    Ending = [InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InvalidPcdDataRetention];
    /// Of looking at one skill.
    Seeing = [NotFound, Forbidden];
    /// Of asking whether the server is ready.
    Readiness = [ServiceUnavailable];
}
