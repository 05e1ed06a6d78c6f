//! People: who starts, signs in, forgets.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::key::KeyKind;
use app::domain::person::Email;
use app::domain::servicer::LegalForm;
use app::portal::people::{
    AddressLink, Device, GivenPasswords, PasswordChoice, PasswordLink, People, SignUp, Start,
    Started,
};
use app::portal::{Actor, FieldError, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;

use super::{Fake, World, ago, id, key, now, tenant_id};

#[async_trait]
impl People for Fake {
    async fn start(&self, form: Start, _: &RequestSource) -> PortalResult<Started> {
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
            return Err(PortalError::Refused(errors));
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
    async fn sign_up(&self, _: SignUp, _: &RequestSource) -> PortalResult<PersonId> {
        Err(PortalError::field(
            "claim_token",
            "This token does not fit this servicer id, or it has been used.",
        ))
    }
    async fn sign_in(&self, _: &str, password: &str, _: &RequestSource) -> PortalResult<PersonId> {
        match password {
            "right" => Ok(PersonId(id(90))),
            "often" => Err(PortalError::Wait(30)),
            _ => Err(PortalError::field(
                "password",
                "Email or password is incorrect.",
            )),
        }
    }
    async fn prove(&self, _: &Actor, password: &str, _: &RequestSource) -> PortalResult<()> {
        if password == "right" {
            return Ok(());
        }
        Err(PortalError::field("password", "This is not your password."))
    }
    async fn forgot(&self, _: &str, _: &RequestSource) -> PortalResult<()> {
        Ok(())
    }
    async fn reset_link(&self, token: &str, _: &RequestSource) -> PortalResult<PasswordLink> {
        if !["good", "several"].contains(&token) {
            return Err(PortalError::NotFound);
        }
        let choice = |n, servicer: &str| PasswordChoice {
            account: PersonId(id(n)),
            servicer: servicer.into(),
            registered_at: ago(86_400),
        };
        let choices = vec![choice(90, "Example Ltd"), choice(95, "Example Apps")];
        Ok(PasswordLink {
            address: "de…@example.com".into(),
            unconfirmed: token == "several",
            choices: choices.into_iter().filter(|_| token == "several").collect(),
        })
    }
    async fn reset(
        &self,
        token: &str,
        account: &str,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<PersonId> {
        let link = self.reset_link(token, source).await?;
        if password.len() < 12 {
            return Err(PortalError::field(
                "password",
                "Use at least 12 characters.",
            ));
        }
        if !link.choices.is_empty() && account.is_empty() {
            let why = "Choose which of these accounts is yours.";
            return Err(PortalError::field("account", why));
        }
        Ok(PersonId(id(90)))
    }
    async fn verify_link(
        &self,
        actor: Option<&Actor>,
        token: &str,
        _: &RequestSource,
    ) -> PortalResult<AddressLink> {
        if !["good", "confirmed"].contains(&token) {
            return Err(PortalError::NotFound);
        }
        Ok(AddressLink {
            address: "de…@example.com".into(),
            signed_in: actor.is_some(),
            confirmed_elsewhere: token == "confirmed",
            servicers: vec![self.name()],
        })
    }
    async fn verify(
        &self,
        actor: Option<&Actor>,
        token: &str,
        given: GivenPasswords,
        source: &RequestSource,
    ) -> PortalResult<PersonId> {
        let link = self.verify_link(actor, token, source).await?;
        if !link.signed_in && given.own != "right" {
            return Err(PortalError::field("password", "This is not your password."));
        }
        if link.confirmed_elsewhere && given.confirmed != "right" {
            return Err(PortalError::field(
                "confirmed",
                "This is not your password.",
            ));
        }
        Ok(PersonId(id(90)))
    }
    async fn unconfirmed(&self, _: &Actor) -> PortalResult<usize> {
        Ok(usize::from(self.0 == World::Full))
    }
    async fn bring_in(&self, actor: &Actor, password: &str, _: &RequestSource) -> PortalResult<()> {
        actor.fresh(now())?;
        if password == "right" {
            return Ok(());
        }
        let why = "No unconfirmed account has this password.";
        Err(PortalError::field("other_password", why))
    }
    async fn join(
        &self,
        actor: &Actor,
        _: &str,
        claim_token: &str,
        _: &RequestSource,
    ) -> PortalResult<()> {
        if !actor.verified {
            let why = "Confirm your email address first.";
            return Err(PortalError::Forbidden(why.into()));
        }
        if claim_token == "good" {
            return Ok(());
        }
        Err(PortalError::field(
            "claim_token",
            "This token does not fit this servicer id.",
        ))
    }
    async fn places(&self, _: &Actor) -> PortalResult<Vec<(ServicerId, String)>> {
        Ok(vec![(ServicerId(id(80)), "Example Ltd".into())])
    }
    async fn work_in(&self, _: &Actor, servicer: ServicerId) -> PortalResult<()> {
        if servicer == ServicerId(id(80)) {
            return Ok(());
        }
        Err(PortalError::NotFound)
    }
    async fn send_verification(&self, _: &Actor) -> PortalResult<()> {
        Ok(())
    }
    async fn change_password(
        &self,
        _: &Actor,
        old: &str,
        new: &str,
        _: &RequestSource,
    ) -> PortalResult<()> {
        if new.len() < 12 {
            return Err(PortalError::field("new", "Use at least 12 characters."));
        }
        if old != "right" {
            return Err(PortalError::field("old", "This is not your password."));
        }
        Ok(())
    }
    async fn devices(&self, _: &Actor) -> PortalResult<Vec<Device>> {
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
    async fn end_device(&self, actor: &Actor, handle: &str, _: &RequestSource) -> PortalResult<()> {
        actor.fresh(now())?;
        let devices = self.devices(actor).await?;
        let found = devices.iter().any(|device| device.handle == handle);
        found.then_some(()).ok_or(PortalError::NotFound)
    }
}
