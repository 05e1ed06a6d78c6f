//! The demo: a servicer with everything a new one has, and a login whose password is new at each start, because the
//! old one is known to nobody.

use app::domain::ids::PersonId;
use app::domain::person::Email;
use app::domain::servicer::LegalForm;
use app::portal::RequestSource;
use app::portal::people::Start;
use secrecy::SecretString;

use crate::services::portal::people::make_sandbox;
use crate::services::refusal::ServiceError;
use crate::state::AppState;

const EMAIL: &str = "demo@example.com";
/// Key of the row of table `meta` that holds the `person_id` of the demo login.
const PERSON: &str = "demo_person";

/// Sign-in to the demo: e-mail address and password.
pub struct Login {
    pub email: &'static str,
    pub password: String,
}

/// Makes the demo servicer unless it is there, and gives its owner a new password.
pub async fn login(state: &AppState) -> Result<Login, ServiceError> {
    let password: String = state.clock.token().chars().take(20).collect();
    let broken = |what: &str| ServiceError::Broken(what.to_owned());
    let ticket = state
        .passwords
        .ticket()
        .ok_or_else(|| broken("no place to hash"))?;
    let hash = ticket.hash(&SecretString::from(password.clone())).await?;
    let mut tx = state.db.write().await?;
    if let Some(known) = tx.meta(PERSON).await? {
        let person: PersonId = known
            .parse()
            .map_err(|_| broken("the row demo_person of table meta was altered"))?;
        tx.set_password(person, &hash).await?;
    } else {
        let email = Email::parse(EMAIL).map_err(|error| broken(&error.to_string()))?;
        let form = Start {
            name: "Example Ltd".to_owned(),
            email: EMAIL.to_owned(),
            password: String::new(),
            legal_form: LegalForm::Company,
            country: "RO".to_owned(),
        };
        let made = make_sandbox(
            state,
            &mut tx,
            &form,
            &email,
            hash,
            &RequestSource::default(),
        )
        .await?;
        tx.verify_person(made.person, &email.key(), state.clock.now())
            .await?;
        tx.claim_meta(PERSON, &made.person.to_string()).await?;
    }
    tx.commit().await?;
    Ok(Login {
        email: EMAIL,
        password,
    })
}
