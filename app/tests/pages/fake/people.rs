//! People: who starts, signs in, forgets.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::key::KeyKind;
use app::domain::person::Email;
use app::domain::servicer::LegalForm;
use app::portal::people::{Device, People, SignUp, Start, Started};
use app::portal::{Actor, Answered, FieldError, Source, Trouble};
use async_trait::async_trait;

use super::{Fake, ago, id, key, tenant_id};

#[async_trait]
impl People for Fake {
    async fn start(&self, form: Start, _: &Source) -> Answered<Started> {
        let mut errors = Vec::new();
        let mut refuse = |name, message: &str| {
            errors.push(FieldError {
                name,
                message: message.to_owned(),
            });
        };
        if form.name.is_empty() {
            refuse("name", "Give your project a name.");
        }
        if Email::parse(&form.email).is_err() {
            refuse("email", "Enter an e-mail address like name@example.com.");
        }
        if form.password.len() < 12 {
            refuse("password", "Use at least 12 characters.");
        }
        if !errors.is_empty() {
            return Err(Trouble::Refused(errors));
        }
        assert_eq!(form.legal_form, LegalForm::Company);
        Ok(Started {
            person: PersonId(id(90)),
            servicer: ServicerId(id(80)),
            tenant: tenant_id(),
            client_secret: key(KeyKind::Secret, 1),
            client_app_key: key(KeyKind::AppKey, 2),
        })
    }
    async fn sign_up(&self, _: SignUp, _: &Source) -> Answered<PersonId> {
        Err(Trouble::field(
            "claim_token",
            "This token does not fit this servicer id, or it has been used.",
        ))
    }
    async fn sign_in(&self, _: &str, password: &str, _: &Source) -> Answered<PersonId> {
        match password {
            "right" => Ok(PersonId(id(90))),
            "often" => Err(Trouble::Wait(30)),
            _ => Err(Trouble::field(
                "password",
                "E-mail or password is incorrect.",
            )),
        }
    }
    async fn prove(&self, _: &Actor, _: &str, _: &Source) -> Answered<()> {
        Ok(())
    }
    async fn forgot(&self, _: &str, _: &Source) -> Answered<()> {
        Ok(())
    }
    async fn reset_link(&self, token: &str) -> Answered<String> {
        if token == "dead" {
            return Err(Trouble::NotFound);
        }
        Ok("d…v@example.com".into())
    }
    async fn reset(&self, _: &str, _: &str, _: &Source) -> Answered<PersonId> {
        Ok(PersonId(id(90)))
    }
    async fn verify(&self, _: &str) -> Answered<PersonId> {
        Ok(PersonId(id(90)))
    }
    async fn send_verification(&self, _: &Actor) -> Answered<()> {
        Ok(())
    }
    async fn change_password(&self, _: &Actor, _: &str, _: &str, _: &Source) -> Answered<()> {
        Err(Trouble::field("old", "That is not your present password."))
    }
    async fn devices(&self, _: &Actor) -> Answered<Vec<Device>> {
        let device = |handle: &str, agent: &str, current| Device {
            handle: handle.into(),
            user_agent: agent.into(),
            ip: "198.51.100.7".into(),
            signed_in_at: ago(7200),
            seen_at: ago(30),
            current,
        };
        Ok(vec![
            device("a", "Firefox on Linux", true),
            device("b", "Safari on iPhone", false),
        ])
    }
    async fn end_device(&self, _: &Actor, _: &str) -> Answered<()> {
        Ok(())
    }
}
