//! The keys an operation may be called with: what is read of each, and what it proves.

use app::domain::ids::CredentialsId;
use app::domain::key::KeyKind;
use app::domain::problem::Code;
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::credentials::Presented;
use crate::http::fields::Text;
use crate::problem::Problem;
use crate::services::keys::{self, Client, ConsoleGrant, Given, Named, Proof};
use crate::services::refusal::Refusal;
use crate::state::AppState;
use crate::storage::Tx;

/// One credential of an operation.
pub struct Credential {
    pub name: &'static str,
    /// Where it travels in calls without a body.
    pub header: Option<&'static str>,
    pub required: bool,
    pub about: &'static str,
    /// Why it must not be sent here, if it must not.
    pub refused: Option<&'static str>,
}

/// An end-user's opaque id.
pub type UserId = Text<256>;

/// The keys an operation is called with.
pub trait Keys: Send + 'static {
    /// What they prove.
    type By: Send;
    /// What is read, in the order of the documentation.
    const CREDENTIALS: &'static [Credential];
    /// Whether browsers may call: then the origin is checked.
    const BROWSER: bool;
    /// Proves what was presented.
    fn prove(
        asked: &mut Asked<'_>,
    ) -> impl Future<Output = Result<Proved<Self::By>, Problem>> + Send;
}

/// What a proof has to go by.
pub struct Asked<'a> {
    pub state: &'a AppState,
    pub tx: &'a mut Tx,
    pub presented: &'a mut Presented,
    pub grant: Option<ConsoleGrant>,
}

/// A proof, whom it is about and which budget it spends.
pub struct Proved<B> {
    pub by: B,
    pub tenant: Option<keys::Named>,
    pub proof: Option<Proof>,
}

/// `client_id` with `client_app_key`, or with `client_secret` for a tenant that is all server.
pub struct App;
/// `client_id` with the session's nonce.
pub struct Nonce;
/// `client_id` with `client_secret`.
pub struct Server;
/// `client_id`, `client_secret`, `credentials_id` and `access_token`.
pub struct Data;
/// Nothing; a tenant's own pair is checked if sent.
pub struct Anyone;

/// A nonce and the tenant that presents it: proves nothing until the session says so.
pub struct Holder {
    pub named: Named,
    pub nonce: SecretString,
}

/// A proved tenant with the pair that points at user data, still to be checked against it.
pub struct DataKeys {
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

impl Keys for App {
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

    async fn prove(asked: &mut Asked<'_>) -> Result<Proved<Client>, Problem> {
        let kind = if asked.presented.client_app_key.is_some() {
            KeyKind::AppKey
        } else {
            KeyKind::Secret
        };
        asked.client(kind).await
    }
}

impl Keys for Nonce {
    type By = Holder;
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

    async fn prove(asked: &mut Asked<'_>) -> Result<Proved<Holder>, Problem> {
        let nonce = asked.presented.nonce.take().ok_or_else(missing)?;
        if is_empty(nonce.expose_secret()) {
            return Err(Refusal::new(Code::InvalidNonce)
                .says("The nonce is empty: the answer it should come from was not kept.")
                .into());
        }
        if asked.presented.client_app_key.is_some() || asked.grant.is_some() {
            let proved = asked.client(KeyKind::AppKey).await?;
            let named = proved.by.named();
            return Ok(Proved {
                by: Holder { named, nonce },
                tenant: proved.tenant,
                proof: proved.proof,
            });
        }
        let client_id = asked.presented.client_id.as_deref().ok_or_else(missing)?;
        let named = keys::named(asked.tx, client_id).await?;
        Ok(Proved {
            tenant: Some(named.clone()),
            by: Holder { named, nonce },
            proof: None,
        })
    }
}

impl Keys for Server {
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

    async fn prove(asked: &mut Asked<'_>) -> Result<Proved<Client>, Problem> {
        asked.client(KeyKind::Secret).await
    }
}

impl Keys for Data {
    type By = DataKeys;
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

    async fn prove(asked: &mut Asked<'_>) -> Result<Proved<DataKeys>, Problem> {
        let proved = asked.client(KeyKind::Secret).await?;
        let credentials_id = asked.presented.credentials_id.take().ok_or_else(missing)?;
        let access_token = asked.presented.access_token.take().ok_or_else(missing)?;
        if is_empty(&credentials_id) {
            return Err(not_kept(Code::InvalidCredentialsId, "credentials_id"));
        }
        if is_empty(access_token.expose_secret()) {
            return Err(not_kept(Code::InvalidAccessToken, "access_token"));
        }
        let by = DataKeys {
            client: proved.by,
            // A malformed id is an id nobody has.
            credentials_id: credentials_id
                .parse()
                .map_err(|_| Code::InvalidCredentialsId)?,
            access_token,
        };
        Ok(Proved {
            by,
            tenant: proved.tenant,
            proof: proved.proof,
        })
    }
}

impl Keys for Anyone {
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

    async fn prove(asked: &mut Asked<'_>) -> Result<Proved<Option<Client>>, Problem> {
        let kind = match &*asked.presented {
            Presented {
                client_app_key: Some(_),
                ..
            } => KeyKind::AppKey,
            Presented {
                client_secret: None,
                client_id: None,
                ..
            } if asked.grant.is_none() => {
                return Ok(Proved {
                    by: None,
                    tenant: None,
                    proof: None,
                });
            }
            _ => KeyKind::Secret,
        };
        let proved = asked.client(kind).await?;
        Ok(Proved {
            by: Some(proved.by),
            tenant: proved.tenant,
            proof: proved.proof,
        })
    }
}

impl Asked<'_> {
    /// Proves the tenant by one of its keys, or by the console's grant.
    async fn client(&mut self, kind: KeyKind) -> Result<Proved<Client>, Problem> {
        let client_id = self.presented.client_id.as_deref();
        let text = match kind {
            KeyKind::AppKey => self.presented.client_app_key.as_ref(),
            KeyKind::Secret => self.presented.client_secret.as_ref(),
        };
        let client = match (self.grant, client_id, text) {
            (_, Some(client_id), Some(text)) => {
                keys::verify(self.state, self.tx, client_id, Given { kind, text }).await?
            }
            (Some(grant), client_id, None) => {
                keys::by_grant(self.state, self.tx, client_id, grant).await?
            }
            _ => return Err(missing()),
        };
        Ok(Proved {
            tenant: Some(client.named()),
            proof: Some(client.proof()),
            by: client,
        })
    }
}

fn is_empty(text: &str) -> bool {
    text.trim().is_empty()
}

/// Half of a pair that arrived empty.
fn not_kept(code: Code, name: &str) -> Problem {
    Refusal::new(code)
        .says(format!("The {name} is empty: what the token exchange answered was not kept, or not found again."))
        .into()
}

/// A key that only one of two may be absent of: which one was meant nobody knows, so both are named.
fn missing() -> Problem {
    Refusal::new(Code::MissingFields)
        .says("Missing: client_id with client_app_key or client_secret.")
        .into()
}
