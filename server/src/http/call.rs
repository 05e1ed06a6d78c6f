//! One extractor for every operation: reads the strict request, proves the keys, counts the call.
//!
//! ```ignore
//! /// Opens a session. `call.by` is the [`Client`] that was proved, `call.input` what was asked.
//! async fn create(State(state): State<AppState>, call: Call<CreateSession>) -> Result<Json<SessionOpened>, Problem> {
//!     Ok(Json(sessions::create(&state, &call.by, call.input).await?))
//! }
//! ```
//!
//! A `POST` carries fields and keys in its JSON body; a `GET` or `DELETE` carries fields in its query and keys in
//! headers. Everything missing, unknown or wrong, keys included, is one answer.

use app::domain::ids::CredentialsId;
use app::domain::key::KeyKind;
use app::domain::problem::Code;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{Method, header};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::credentials::{self, Presented};
use super::fields::{Input, Wrong};
use super::json;
use super::notes::Notes;
use super::once::Once;
use crate::problem::Problem;
use crate::services::keys::{self, Client, ConsoleGrant, Given, Named, Proof};
use crate::services::limits::Budget;
use crate::services::refusal::Refusal;
use crate::state::AppState;
use crate::storage::Tx;

/// A request that may be served.
pub struct Call<T: Input> {
    /// Who calls, as far as the operation's keys prove it.
    pub by: <T::Keys as Keys>::By,
    /// What is asked, besides keys.
    pub input: T,
    /// Credentials that were sent along: whoever can check one must, though the operation does not need it.
    pub also: Also,
    /// Runs the operation once for each `Idempotency-Key`.
    pub once: Once,
    pub notes: Notes,
}

/// Credentials of the same side that an operation accepts without needing them.
#[derive(Default)]
pub struct Also {
    pub credentials_id: Option<String>,
    pub access_token: Option<SecretString>,
    pub tenant_user_id: Option<String>,
}

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
        let by = DataKeys {
            client: proved.by,
            // A malformed id is an id nobody has.
            credentials_id: credentials_id
                .parse()
                .map_err(|_| Code::InvalidCredentialsId)?,
            access_token: asked.presented.access_token.take().ok_or_else(missing)?,
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

/// A key that only one of two may be absent of: which one was meant nobody knows, so both are named.
fn missing() -> Problem {
    Refusal::new(Code::MissingFields)
        .says("Missing: client_id with client_app_key or client_secret.")
        .into()
}

impl<T: Input> FromRequest<AppState> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let notes = Notes::of(state, &parts.extensions);
        let in_query = matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE);
        let mut values = if in_query {
            let mut values = json::query(&parts.uri)?;
            credentials::from_headers::<T::Keys>(&parts.headers, &mut values)?;
            values
        } else {
            let bytes = json::body(&parts.headers, body).await?;
            notes.body.set(bytes.clone()).ok();
            json::object(&bytes)?
        };
        // Before anything is refused: a request that is wrong belongs into the log of the tenant that must mend it.
        notes.claimed_in(&values);
        let once = Once::new(&parts, &notes)?;
        let grant = parts.extensions.get::<ConsoleGrant>().copied();
        let (input, mut presented) =
            read::<T>(&mut values, in_query, grant.is_some(), has_origin(&parts))?;
        let by = prove::<T::Keys>(state, &parts, &notes, &mut presented, grant).await?;
        Ok(Self {
            by,
            input,
            once: once.under(presented.secret.take()),
            also: presented.also(),
            notes,
        })
    }
}

/// Takes everything declared out of the request; whatever is wrong is one answer.
fn read<T: Input>(
    values: &mut Map<String, Value>,
    in_query: bool,
    granted: bool,
    from_browser: bool,
) -> Result<(T, Presented), Problem> {
    let (input, presented, wrong) = take::<T>(values, in_query, granted, from_browser);
    match (input, wrong.problem()) {
        (Some(input), None) => Ok((input, presented)),
        (_, Some(problem)) => Err(problem),
        (None, None) => Err(Problem::new(Code::InternalServerError)),
    }
}

/// The same, before an answer is made of what is wrong.
pub(super) fn take<T: Input>(
    values: &mut Map<String, Value>,
    in_query: bool,
    granted: bool,
    from_browser: bool,
) -> (Option<T>, Presented, Wrong) {
    let mut wrong = Wrong::default();
    let input = T::take(values, "", in_query, &mut wrong);
    let presented = Presented::take::<T::Keys>(values, granted, from_browser, &mut wrong);
    wrong.unknown(values, "");
    (input, presented, wrong)
}

/// Proves the keys, checks the origin, counts the call and notes who it was.
pub(super) async fn prove<K: Keys>(
    state: &AppState,
    parts: &Parts,
    notes: &Notes,
    presented: &mut Presented,
    grant: Option<ConsoleGrant>,
) -> Result<K::By, Problem> {
    let mut tx = state.db.read().await?;
    let proved = K::prove(&mut Asked {
        state,
        tx: &mut tx,
        presented,
        grant,
    })
    .await?;
    let budget = match (&proved.tenant, proved.proof) {
        (None, _) => Budget::Stranger(notes.source),
        (Some(named), Some(Proof::Key(_, KeyKind::Secret))) => Budget::Server(named.tenant()),
        (Some(named), _) => Budget::Browser(named.tenant(), notes.source),
    };
    if let Some(named) = &proved.tenant {
        notes.tenant.set(named.tenant()).ok();
        let origin = parts.headers.get(header::ORIGIN).filter(|_| K::BROWSER);
        if let Some(origin) = origin {
            let origin = origin.to_str().unwrap_or_default();
            if !tx.has_origin(named.tenant(), origin).await? {
                return Err(Problem::new(Code::OriginNotAllowed));
            }
        }
    }
    match proved.proof {
        Some(Proof::Key(key, _)) => {
            notes.key.set(key).ok();
            state.key_use.note(key, notes.at, notes.source);
        }
        Some(Proof::Console(run)) => drop(notes.run.set(run)),
        None => {}
    }
    let left = state.limits.spend(budget, state.clock.now());
    notes.left.set(left).ok();
    match left.wait {
        Some(wait) => Err(Refusal::new(Code::TooManyRequests)
            .after(wait.into())
            .into()),
        None => Ok(proved.by),
    }
}

pub(super) fn has_origin(parts: &Parts) -> bool {
    parts.headers.contains_key(header::ORIGIN)
}
