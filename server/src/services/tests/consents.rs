//! Consents as a tenant lives with them: listed, renewed, and told of before they end.

use app::domain::ids::PersonId;
use app::domain::person::Role;
use app::domain::session::ConsentStatus;
use chrono::Duration;

use super::*;
use crate::services::consents::{self, ConsentQuery};
use crate::services::consents::{accounts, reminders};
use crate::services::sessions::erasure;
use crate::services::sessions::renewals::{self, NewRenewal};
use crate::storage::people::NewPerson;
use crate::storage::testing::on_both;
use crate::worker;

on_both!(
    a_renewal_gives_the_same_consent_a_new_token,
    a_renewal_goes_by_the_terms_of_the_day_it_is_exchanged,
    a_renewal_begun_in_time_outlives_the_end,
    what_is_dead_is_not_renewed,
    a_bank_that_ends_the_former_consent_does_not_end_its_renewal,
    a_late_second_use_of_a_renewal_ends_the_consent,
    consents_are_listed_as_they_are_at_that_time,
    owners_are_told_once_a_day_with_counts_alone,
    a_consent_is_dead_to_the_microsecond
);

fn new_renewal() -> NewRenewal {
    NewRenewal {
        code_challenge: None,
        state: None,
    }
}

impl World {
    async fn reads(&self, pair: &Credentials) -> Result<usize, ApiError> {
        let list = accounts::list(&self.state, &self.client, pair).await;
        list.map(|list| list.items.len())
    }

    /// Takes the end-user through a renewal, up to the token.
    async fn renew(&self, pair: &Credentials) -> String {
        let begun = renewals::begin(&self.state, &self.client, pair, new_renewal());
        let opened = begun.await.unwrap();
        self.client
            .submit(opened.session_id, &opened.nonce, sca())
            .await
            .unwrap();
        let grant = Granted {
            grant: Grant(Opaque::new(b"grant-2".to_vec())),
            ..granted()
        };
        {
            let mut finishes = self.provider.finishes.lock().unwrap();
            finishes.push_back(Ok(ConsentOutcome::Consented(Next::done(grant))));
        }
        query(&self.come_back("code-2").await.unwrap(), "temp_token").unwrap()
    }

    async fn terms(&self, consent_duration: i64, cache_max_data_retention: i64) {
        let skill = SkillName::parse(AISP).unwrap();
        let tenant = self.client.tenant();
        let mut tx = self.state.db.write().await.unwrap();
        tx.remove_tenant_skill(tenant, &skill).await.unwrap();
        let terms = WhitelistRow {
            skill,
            consent_duration,
            cache_max_data_retention,
        };
        let now = self.state.clock.now();
        tx.add_tenant_skill(tenant, &terms, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn run_jobs(&self) {
        while worker::run_one(&self.state).await.unwrap() {}
    }
}

async fn a_renewal_gives_the_same_consent_a_new_token(db: Db) {
    let world = World::scripted(db).await;
    let old = world.pair().await;
    world.reads(&old).await.unwrap();
    world.run_jobs().await;
    world.advance(80 * 86_400);
    let token = world.renew(&old).await;
    assert_eq!(
        world.reads(&old).await.unwrap(),
        1,
        "works until the exchange"
    );
    let asked = world.provider.fetched.load(Ordering::SeqCst);
    let new = pair(world.client.exchange(&token).await.unwrap());
    assert_eq!(new.id, old.id);
    assert_eq!(code(world.reads(&old).await), Code::InvalidAccessToken);
    world.reads(&new).await.unwrap();
    // The whole history comes anew, once, and the bank hears that the former consent is of no more use.
    world.run_jobs().await;
    assert_eq!(world.provider.fetched.load(Ordering::SeqCst), asked + 1);
    assert_eq!(world.provider.revoked.load(Ordering::SeqCst), 1);
    world.advance(89 * 86_400);
    world.reads(&new).await.unwrap();
    let all = ConsentQuery::default();
    let listed = consents::list(&world.state, &world.client, all, None, 10);
    assert_eq!(
        listed.await.unwrap().0.len(),
        1,
        "there is no second record"
    );
}

async fn a_renewal_goes_by_the_terms_of_the_day_it_is_exchanged(db: Db) {
    let world = World::scripted(db).await;
    let old = world.pair().await;
    let token = world.renew(&old).await;
    world.terms(30 * 24 * 60, 45 * 24 * 60).await;
    let exchanged = world.client.exchange(&token).await.unwrap();
    let now = world.state.clock.now();
    assert_eq!(exchanged.consent_exp - now, Duration::days(30));
    assert_eq!(exchanged.max_data_retention - now, Duration::days(45));
    // A further one after the skill was taken off the whitelist is not to be had.
    let new = pair(exchanged);
    let token = world.renew(&new).await;
    let mut tx = world.state.db.write().await.unwrap();
    let skill = SkillName::parse(AISP).unwrap();
    tx.remove_tenant_skill(world.client.tenant(), &skill)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        code(world.client.exchange(&token).await),
        Code::UnauthorizedTenant
    );
    world.reads(&new).await.unwrap();
    let begun = renewals::begin(&world.state, &world.client, &new, new_renewal());
    assert_eq!(code(begun.await), Code::UnauthorizedTenant);
}

async fn a_renewal_begun_in_time_outlives_the_end(db: Db) {
    let world = World::scripted(db).await;
    let old = world.pair().await;
    world.reads(&old).await.unwrap();
    world.advance(90 * 86_400 - 60);
    let token = world.renew(&old).await;
    world.advance(61);
    erasure::erase(&world.state).await.unwrap();
    assert_eq!(code(world.reads(&old).await), Code::ExpiredCredentials);
    let new = pair(world.client.exchange(&token).await.unwrap());
    assert_eq!(new.id, old.id);
    world.reads(&new).await.unwrap();
}

async fn what_is_dead_is_not_renewed(db: Db) {
    let world = World::scripted(db).await;
    let old = world.pair().await;
    world.advance(90 * 86_400);
    let begun = renewals::begin(&world.state, &world.client, &old, new_renewal());
    assert_eq!(code(begun.await), Code::ExpiredCredentials);
    let other = world.pair().await;
    let token = world.renew(&other).await;
    consents::delete(&world.state, &world.client, &other, None)
        .await
        .unwrap();
    assert_eq!(
        code(world.client.exchange(&token).await),
        Code::InactiveCredentials
    );
    let begun = renewals::begin(&world.state, &world.client, &other, new_renewal());
    assert_eq!(code(begun.await), Code::InactiveCredentials);
    let stranger = world.beside().await;
    let begun = renewals::begin(&world.state, &stranger.client, &other, new_renewal());
    assert_eq!(code(begun.await), Code::InvalidCredentialsId);
}

async fn a_bank_that_ends_the_former_consent_does_not_end_its_renewal(db: Db) {
    let world = World::scripted(db).await;
    let old = world.pair().await;
    world.reads(&old).await.unwrap();
    world.advance(6 * 3600 + 1);
    let token = world.renew(&old).await;
    let down = |error| *world.provider.down.lock().unwrap() = error;
    down(Some(ConnectorError::Unauthorized));
    world.reads(&old).await.unwrap();
    down(None);
    let new = pair(world.client.exchange(&token).await.unwrap());
    world.reads(&new).await.unwrap();
    // From here on the bank's word counts again.
    down(Some(ConnectorError::Unauthorized));
    world.advance(6 * 3600 + 1);
    assert_eq!(code(world.reads(&new).await), Code::InactiveCredentials);
}

async fn a_late_second_use_of_a_renewal_ends_the_consent(db: Db) {
    let world = World::scripted(db).await;
    let old = world.pair().await;
    let token = world.renew(&old).await;
    let new = pair(world.client.exchange(&token).await.unwrap());
    world.advance(11);
    assert_eq!(
        code(world.client.exchange(&token).await),
        Code::TempTokenUsed
    );
    assert_eq!(code(world.reads(&new).await), Code::InactiveCredentials);
}

async fn consents_are_listed_as_they_are_at_that_time(db: Db) {
    let world = World::scripted(db).await;
    let mut pairs = Vec::new();
    for _ in 0..5 {
        pairs.push(world.pair().await);
        world.advance(86_400);
    }
    // Nobody has exchanged this one: nobody can name it.
    world.temp_token().await;
    let list = async |status: Option<ConsentStatus>, after, limit| {
        let query = ConsentQuery {
            status,
            ..ConsentQuery::default()
        };
        let listed = consents::list(&world.state, &world.client, query, after, limit);
        let (infos, more) = listed.await.unwrap();
        (infos.iter().map(|info| info.id).collect::<Vec<_>>(), more)
    };
    let ids: Vec<_> = pairs.iter().rev().map(|pair| pair.id).collect();
    assert_eq!(list(None, None, 10).await, (ids.clone(), false));
    assert_eq!(list(None, None, 2).await, (ids[..2].to_vec(), true));
    assert_eq!(
        list(None, Some(ids[1]), 3).await,
        (ids[2..].to_vec(), false)
    );
    consents::delete(&world.state, &world.client, &pairs[4], None)
        .await
        .unwrap();
    // The first one is over now, at this very second, though no job has written that down.
    world.advance(85 * 86_400);
    let of = async |status| list(Some(status), None, 10).await.0;
    assert_eq!(of(ConsentStatus::Expired).await, [ids[4]]);
    assert_eq!(of(ConsentStatus::Active).await, ids[1..4]);
    assert_eq!(of(ConsentStatus::Deleted).await, [ids[0]]);
    erasure::erase(&world.state).await.unwrap();
    assert_eq!(of(ConsentStatus::Expired).await, [ids[4]]);
    let stranger = world.beside().await.client;
    let all = ConsentQuery::default();
    let none = consents::list(&world.state, &stranger, all, None, 10);
    assert!(none.await.unwrap().0.is_empty());
    let query = ConsentQuery {
        skill: Some(SkillName::parse(FORM).unwrap()),
        ..ConsentQuery::default()
    };
    let none = consents::list(&world.state, &world.client, query, None, 10);
    assert!(none.await.unwrap().0.is_empty());
}

async fn owners_are_told_once_a_day_with_counts_alone(db: Db) {
    let world = World::scripted(db).await;
    let letters = &world.mail;
    owner(&world).await;
    world.terms(90 * 24 * 60, 120 * 24 * 60).await;
    for _ in 0..2 {
        world.pair().await;
    }
    world.terms(40 * 24 * 60, 120 * 24 * 60).await;
    world.pair().await;
    // Shorter than the first reminder: that one would only say what everybody knows.
    world.terms(10 * 24 * 60, 120 * 24 * 60).await;
    world.pair().await;
    let mut told = Vec::new();
    for day in 0..95 {
        for _ in 0..2 {
            reminders::send(&world.state).await.unwrap();
            world.run_jobs().await;
        }
        for letter in letters.letters().drain(told.len()..) {
            told.push((day, letter));
        }
        world.advance(86_400);
    }
    let lines = |letter: &crate::mail::Letter| -> Vec<String> {
        let lines = letter.body.lines().filter(|line| line.starts_with("  "));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    let days: Vec<_> = told
        .iter()
        .map(|(day, letter)| (*day, lines(letter)))
        .collect();
    let line = |text: &str| vec![text.to_owned()];
    assert_eq!(
        days,
        [
            (3, line("1 consent within 7 days")),
            (9, line("1 consent within a day")),
            (10, line("1 consent within 30 days")),
            (26, line("1 consent within 14 days")),
            (33, line("1 consent within 7 days")),
            (39, line("1 consent within a day")),
            (60, line("2 consents within 30 days")),
            (76, line("2 consents within 14 days")),
            (83, line("2 consents within 7 days")),
            (89, line("2 consents within a day")),
        ]
    );
    assert!(
        told.iter()
            .all(|(_, letter)| letter.to == "owner@example.com")
    );
}

/// Makes somebody owner of the world's servicer.
async fn owner(world: &World) {
    let (clock, now) = (&world.state.clock, world.state.clock.now());
    let id = PersonId(clock.id());
    let mut tx = world.state.db.write().await.unwrap();
    tx.add_person(&NewPerson {
        id,
        email: "owner@example.com".into(),
        email_key: "owner@example.com".into(),
        password: None,
        verified_at: Some(now),
        admin: false,
        created_at: now,
    })
    .await
    .unwrap();
    tx.join_servicer(id, world.client.servicer(), Role::Owner, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn a_consent_is_dead_to_the_microsecond(db: Db) {
    let world = World::scripted(db).await;
    let tick = Duration::microseconds(1);
    world.state.clock.advance(Duration::microseconds(123_457));
    let pair = world.pair().await;
    world.reads(&pair).await.unwrap();
    world.state.clock.advance(Duration::days(90) - tick);
    world.reads(&pair).await.unwrap();
    world.state.clock.advance(tick);
    assert_eq!(code(world.reads(&pair).await), Code::ExpiredCredentials);
    // Data that may be kept for less than the consent lasts ends it, at its own instant.
    world.terms(90 * 24 * 60, 60).await;
    let pair = world.pair().await;
    world.reads(&pair).await.unwrap();
    world.state.clock.advance(Duration::hours(1) - tick);
    world.reads(&pair).await.unwrap();
    world.state.clock.advance(tick);
    assert_eq!(code(world.reads(&pair).await), Code::ExpiredCredentials);
}
