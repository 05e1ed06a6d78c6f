//! Authentication schemes of operations: the credentials of each, and the identity that they prove.

use app::domain::ids::CredentialsId;
use app::domain::key::KeyKind;
use app::domain::problem::Code;
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::credentials::{Credential, PresentedCredentials};
use crate::http::fields::FromFields;
use crate::problem::Problem;
use crate::services::access::keys::{
    self, Client, ClientProof, ConsoleGrant, NamedTenant, PresentedKey,
};
use crate::services::refusal::Refusal;
use crate::state::AppState;
use crate::storage::Tx;

/// Authentication scheme of an operation.
pub trait Scheme: Send + 'static {
    /// Identity that the keys prove.
    type By: Send;
    /// Credentials that are read, in the order of the documentation.
    const CREDENTIALS: &'static [Credential];
    /// `true` if browsers may call: then the origin is checked.
    const BROWSER: bool;
    /// Proves what was presented.
    fn authenticate(
        request: &mut AuthRequest<'_>,
    ) -> impl Future<Output = Result<Authenticated<Self::By>, Problem>> + Send;
}

/// Fields that an operation takes, with its authentication scheme.
pub trait Input: FromFields + Send {
    type Auth: Scheme;
}

/// Input of a proof: the credentials as presented, the console's grant, and the database.
pub struct AuthRequest<'a> {
    pub state: &'a AppState,
    pub tx: &'a mut Tx,
    pub presented: &'a mut PresentedCredentials,
    pub grant: Option<ConsoleGrant>,
}

/// Result of a proof: the caller, its tenant, and the key that was used, which decides the budget.
pub struct Authenticated<B> {
    pub by: B,
    pub tenant: Option<keys::NamedTenant>,
    pub proof: Option<ClientProof>,
}

/// `client_id` with `client_app_key`, or with `client_secret` for a tenant that is all server.
pub struct AppKeyAuth;
/// `client_id` with the session's nonce.
pub struct NonceAuth;
/// `client_id` with `client_secret`.
pub struct ServerAuth;
/// `client_id`, `client_secret`, `credentials_id` and `access_token`.
pub struct ConsentAuth;
/// Nothing; a tenant's own pair is checked if sent.
pub struct OptionalAuth;

/// A nonce and the tenant that presents it: proves nothing until the session says so.
pub struct NonceHolder {
    pub named: NamedTenant,
    pub nonce: SecretString,
}

/// A proved tenant with the pair that points at user data, still to be checked against it.
pub struct ConsentHolder {
    pub client: Client,
    pub credentials_id: CredentialsId,
    pub access_token: SecretString,
}

const fn credential(name: &'static str, required: bool, about: &'static str) -> Credential {
    Credential {
        name,
        header: None,
        required,
        about,
        refused: None,
    }
}

const fn in_header(mut credential: Credential, header: &'static str) -> Credential {
    credential.header = Some(header);
    credential
}

const CLIENT_ID: Credential =
    in_header(credential("client_id", true, "The tenant."), "X-Client-Id");
const CLIENT_SECRET: Credential = in_header(
    credential(
        "client_secret",
        true,
        "The tenant's secret: for servers only.",
    ),
    "X-Client-Secret",
);
const APP_KEY: Credential = credential("client_app_key", false, "The tenant's app key.");
const USER: Credential = in_header(
    credential(
        "tenant_user_id",
        false,
        "The end-user as the tenant knows them.",
    ),
    "X-Tenant-User-Id",
);
const NEVER_HERE: &str = "must never be in a browser or app, where anybody can read it: leave it out, and rotate it if it was ever shipped";

impl Scheme for AppKeyAuth {
    type By = Client;
    const BROWSER: bool = true;
    const CREDENTIALS: &'static [Credential] = &[
        CLIENT_ID,
        APP_KEY,
        Credential {
            required: false,
            about: "Instead of the app key, from a tenant's server.",
            ..CLIENT_SECRET
        },
        USER,
    ];

    async fn authenticate(request: &mut AuthRequest<'_>) -> Result<Authenticated<Client>, Problem> {
        let kind = if request.presented.client_app_key.is_some() {
            KeyKind::AppKey
        } else {
            KeyKind::Secret
        };
        request.client(kind).await
    }
}

impl Scheme for NonceAuth {
    type By = NonceHolder;
    const BROWSER: bool = true;
    const CREDENTIALS: &'static [Credential] = &[
        CLIENT_ID,
        credential("nonce", true, "The nonce of the answer before."),
        APP_KEY,
        USER,
        Credential {
            required: false,
            refused: Some(NEVER_HERE),
            ..CLIENT_SECRET
        },
    ];

    async fn authenticate(
        request: &mut AuthRequest<'_>,
    ) -> Result<Authenticated<NonceHolder>, Problem> {
        let nonce = request.presented.nonce.take().ok_or_else(missing)?;
        if is_empty(nonce.expose_secret()) {
            return Err(Refusal::new(Code::InvalidNonce)
                .says("The nonce is empty: the answer it should come from was not kept.")
                .into());
        }
        if request.presented.client_app_key.is_some() || request.grant.is_some() {
            let authenticated = request.client(KeyKind::AppKey).await?;
            let named = authenticated.by.named();
            return Ok(Authenticated {
                by: NonceHolder { named, nonce },
                tenant: authenticated.tenant,
                proof: authenticated.proof,
            });
        }
        let client_id = request.presented.client_id.as_deref().ok_or_else(missing)?;
        let named = keys::named(request.tx, client_id).await?;
        Ok(Authenticated {
            tenant: Some(named.clone()),
            by: NonceHolder { named, nonce },
            proof: None,
        })
    }
}

impl Scheme for ServerAuth {
    type By = Client;
    const BROWSER: bool = false;
    const CREDENTIALS: &'static [Credential] = &[
        CLIENT_ID,
        CLIENT_SECRET,
        in_header(
            credential("credentials_id", false, "The consent, if there is one."),
            "X-Credentials-Id",
        ),
        in_header(
            credential("access_token", false, "The consent's token."),
            "X-Access-Token",
        ),
        USER,
    ];

    async fn authenticate(request: &mut AuthRequest<'_>) -> Result<Authenticated<Client>, Problem> {
        request.client(KeyKind::Secret).await
    }
}

impl Scheme for ConsentAuth {
    type By = ConsentHolder;
    const BROWSER: bool = false;
    const CREDENTIALS: &'static [Credential] = &[
        CLIENT_ID,
        CLIENT_SECRET,
        in_header(
            credential("credentials_id", true, "The consent."),
            "X-Credentials-Id",
        ),
        in_header(
            credential("access_token", true, "The consent's token."),
            "X-Access-Token",
        ),
        USER,
    ];

    async fn authenticate(
        request: &mut AuthRequest<'_>,
    ) -> Result<Authenticated<ConsentHolder>, Problem> {
        let authenticated = request.client(KeyKind::Secret).await?;
        let credentials_id = request
            .presented
            .credentials_id
            .take()
            .ok_or_else(missing)?;
        let access_token = request.presented.access_token.take().ok_or_else(missing)?;
        if is_empty(&credentials_id) {
            return Err(not_kept(Code::InvalidCredentialsId, "credentials_id"));
        }
        if is_empty(access_token.expose_secret()) {
            return Err(not_kept(Code::InvalidAccessToken, "access_token"));
        }
        let by = ConsentHolder {
            client: authenticated.by,
            // A malformed id is an id nobody has.
            credentials_id: credentials_id
                .parse()
                .map_err(|_| Code::InvalidCredentialsId)?,
            access_token,
        };
        Ok(Authenticated {
            by,
            tenant: authenticated.tenant,
            proof: authenticated.proof,
        })
    }
}

impl Scheme for OptionalAuth {
    type By = Option<Client>;
    const BROWSER: bool = true;
    const CREDENTIALS: &'static [Credential] = &[
        Credential {
            required: false,
            ..CLIENT_ID
        },
        APP_KEY,
        Credential {
            required: false,
            ..CLIENT_SECRET
        },
    ];

    async fn authenticate(
        request: &mut AuthRequest<'_>,
    ) -> Result<Authenticated<Option<Client>>, Problem> {
        let kind = match &*request.presented {
            PresentedCredentials {
                client_app_key: Some(_),
                ..
            } => KeyKind::AppKey,
            PresentedCredentials {
                client_secret: None,
                client_id: None,
                ..
            } if request.grant.is_none() => {
                return Ok(Authenticated {
                    by: None,
                    tenant: None,
                    proof: None,
                });
            }
            _ => KeyKind::Secret,
        };
        let authenticated = request.client(kind).await?;
        Ok(Authenticated {
            by: Some(authenticated.by),
            tenant: authenticated.tenant,
            proof: authenticated.proof,
        })
    }
}

impl AuthRequest<'_> {
    /// Proves the tenant by one of its keys, or by the console's grant.
    async fn client(&mut self, kind: KeyKind) -> Result<Authenticated<Client>, Problem> {
        let client_id = self.presented.client_id.as_deref();
        let text = match kind {
            KeyKind::AppKey => self.presented.client_app_key.as_ref(),
            KeyKind::Secret => self.presented.client_secret.as_ref(),
        };
        let client = match (self.grant, client_id, text) {
            (_, Some(client_id), Some(text)) => {
                keys::verify(self.state, self.tx, client_id, PresentedKey { kind, text }).await?
            }
            (Some(grant), client_id, None) => {
                keys::by_grant(self.state, self.tx, client_id, grant).await?
            }
            _ => return Err(missing()),
        };
        Ok(Authenticated {
            tenant: Some(client.named()),
            proof: Some(client.proof()),
            by: client,
        })
    }
}

fn is_empty(text: &str) -> bool {
    text.trim().is_empty()
}

/// Refuses a pair of which `name` arrived empty.
fn not_kept(code: Code, name: &str) -> Problem {
    Refusal::new(code)
        .says(format!("The {name} is empty: what the token exchange answered was not kept, or not found again."))
        .into()
}

/// Refuses a call that has neither of two keys of which one is needed; the sentence names both.
fn missing() -> Problem {
    Refusal::new(Code::MissingFields)
        .says("Missing: client_id with client_app_key or client_secret.")
        .into()
}
