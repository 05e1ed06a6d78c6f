//! The codes that operations can answer beside those that any call of their kind can: what the OpenAPI and the
//! reference list. A test compares what is answered with what is listed.

use super::openapi::errors::refusals;

refusals! {
    /// Codes of opening a session.
    CreateSessionErrors = [InvalidSkillName, UnauthorizedTenant, Forbidden];
    /// Codes of submitting a step.
    SubmitStepErrors = [
        InvalidSessionId, InvalidNonce, ExpiredNonce, SessionEnded, InvalidSkillName, InvalidStep, InvalidInput,
        InvalidRedirectLink, InvalidTenantUserId, UploadsMissing, StepInFlight, ExternalApiConnectionError, ExternalApiTooManyRequests,
        ExternalApiUnauthorized, ExternalApiForbidden, ExternalApiError, IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Codes of reading the status of a session.
    GetSessionErrors = [InvalidSessionId, InvalidNonce, InvalidTenantUserId];
    /// Codes of cancelling a session.
    CancelSessionErrors = [InvalidSessionId, InvalidNonce, InvalidTenantUserId, SessionEnded, StepInFlight];
    /// Codes of uploading a file.
    UploadErrors = [
        NotFound, InvalidSessionId, InvalidNonce, SessionEnded, InvalidTenantUserId, TooManyUploads, StepInFlight,
    ];
    /// Codes of exchanging a `temp_token`.
    ExchangeTokenErrors = [
        InvalidTempToken, TempTokenUsed, TempTokenExpired, InvalidCodeVerifier, InvalidTenantUserId,
        UnauthorizedTenant, InactiveCredentials, UploadsMissing, InvalidCredentialsId, InvalidAccessToken,
        IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Codes of reading account data.
    ReadDataErrors = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        WrongKindOfConsent,
        ExternalApiConnectionError, ExternalApiTooManyRequests, ExternalApiUnauthorized, ExternalApiForbidden,
        ExternalApiError,
    ];
    /// Codes of reading a payment.
    GetPaymentErrors = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        WrongKindOfConsent, NotFound, ExternalApiConnectionError, ExternalApiTooManyRequests, ExternalApiUnauthorized,
        ExternalApiForbidden, ExternalApiError,
    ];
    /// Codes of cancelling a payment.
    CancelPaymentErrors = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        WrongKindOfConsent, NotFound, PaymentNotCancellable, ExternalApiConnectionError, ExternalApiTooManyRequests,
        ExternalApiUnauthorized, ExternalApiForbidden, ExternalApiError, IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Codes of reading changes since a cursor.
    SyncErrors = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        CursorExpired, WrongKindOfConsent, ExternalApiConnectionError, ExternalApiTooManyRequests, ExternalApiUnauthorized,
        ExternalApiForbidden, ExternalApiError,
    ];
    /// Codes of listing consents.
    ListConsentsErrors = [InvalidSkillName, InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId];
    /// Codes of extending a consent.
    ExtendConsentErrors = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InactiveCredentials, ExpiredCredentials,
        UnauthorizedTenant, Forbidden, WrongKindOfConsent, IdempotencyMismatch, IdempotencyInFlight,
    ];
    /// Codes of reading a consent.
    GetConsentErrors = [InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId];
    /// Codes of deleting a consent.
    DeleteConsentErrors = [
        InvalidCredentialsId, InvalidAccessToken, InvalidTenantUserId, InvalidPcdDataRetention, IdempotencyMismatch,
        IdempotencyInFlight,
    ];
    /// Codes of reading one skill.
    GetSkillErrors = [NotFound, Forbidden];
    /// Codes of the readiness check.
    ReadinessErrors = [ServiceUnavailable];
}
