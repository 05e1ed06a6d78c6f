//! Typed ids. All are UUIDs (version 7, so that they sort by birth) made by the server's clock.

id! {
    /// A company registered with the middleware: the `servicer_id` of the documents.
    ServicerId,
    /// An app of a servicer: the `client_id` of the documents.
    TenantId,
    /// A portal user.
    PersonId,
    /// One `client_secret` or `client_app_key` among a tenant's.
    KeyId,
    /// One key, or set of keys, that a servicer signs requests with.
    SigningKeyId,
    /// A conversation of steps: `session_id`.
    SessionId,
    /// One submission of a step: `step_id`.
    StepId,
    /// One file sent along with a step: `upload_id`.
    UploadId,
    /// A consent record that points at user data: `credentials_id`.
    CredentialsId,
    /// An account as this middleware knows it under one consent.
    AccountId,
    /// The last balance of one type and currency of an account.
    BalanceId,
    /// A transaction row under one consent.
    TransactionId,
    /// A payment that a session ordered.
    PaymentId,
    /// A product as this middleware knows it under one consent.
    ProductId,
    /// One API call, as answered in `X-Request-Id`.
    RequestId,
    /// One run of the sandbox console.
    RunId,
    /// Work to be done later.
    JobId,
    /// One row of the audit log.
    AuditId,
}
