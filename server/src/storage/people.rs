//! People and their places in servicers.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::person::Role;
use chrono::{DateTime, Utc};

use super::{Stored, Tx, run};

/// A person about to be made. The password is a PHC string; none until a password link was used.
pub struct NewPerson {
    pub id: PersonId,
    pub email: String,
    pub email_key: String,
    pub password: Option<String>,
    pub verified_at: Option<DateTime<Utc>>,
    pub admin: bool,
    pub created_at: DateTime<Utc>,
}

/// A person as signing in needs them.
#[derive(Clone, sqlx::FromRow)]
pub struct PersonRow {
    pub id: PersonId,
    pub email: String,
    pub password: Option<String>,
    pub verified_at: Option<DateTime<Utc>>,
    pub admin: bool,
}

impl Tx {
    /// Adds a person.
    pub async fn add_person(&mut self, new: &NewPerson) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO people (id, email, email_key, password, verified_at, admin, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(new.id)
            .bind(&new.email)
            .bind(&new.email_key)
            .bind(&new.password)
            .bind(new.verified_at)
            .bind(new.admin)
            .bind(new.created_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A person by id.
    pub async fn person(&mut self, id: PersonId) -> Stored<Option<PersonRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, email, password, verified_at, admin FROM people WHERE id = $1",
            )
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// Whoever may sign in with an address: the one who proved it, then the three newest who did not.
    pub async fn people_by_email(&mut self, email_key: &str) -> Stored<Vec<PersonRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, email, password, verified_at, admin FROM people WHERE email_key = $1
                 ORDER BY CASE WHEN verified_at IS NULL THEN 1 ELSE 0 END, created_at DESC, id DESC
                 LIMIT CASE WHEN EXISTS (SELECT 1 FROM people WHERE email_key = $1 AND verified_at IS NOT NULL)
                            THEN 4 ELSE 3 END",
            )
            .bind(email_key)
            .fetch_all(conn)
            .await
        })
    }

    /// Puts one password hash in another's place, unless it has been changed meanwhile.
    pub async fn replace_password(&mut self, id: PersonId, old: &str, new: &str) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query("UPDATE people SET password = $3 WHERE id = $1 AND password = $2")
                .bind(id)
                .bind(old)
                .bind(new)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })
    }

    /// Sets a password hash, whatever it was.
    pub async fn set_password(&mut self, id: PersonId, password: &str) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE people SET password = $2 WHERE id = $1")
                .bind(id)
                .bind(password)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Marks an address as proved by this person. Fails with a unique violation if another proved it at this instant.
    pub async fn verify_person(
        &mut self,
        id: PersonId,
        email_key: &str,
        now: DateTime<Utc>,
    ) -> Stored<()> {
        run!(self, |conn| {
            // A row that was cut off its address gets it back by proving it.
            sqlx::query("UPDATE people SET verified_at = $3, email_key = $2 WHERE id = $1 AND verified_at IS NULL")
                .bind(id)
                .bind(email_key)
                .bind(now)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Makes a person an operator.
    pub async fn make_admin(&mut self, id: PersonId) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE people SET admin = TRUE WHERE id = $1")
                .bind(id)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Cuts everybody who did not prove an address off it: they are signed out and cannot sign in with it again.
    /// A link that was mailed to that address still works, for only its owner can have read it.
    pub async fn release_email(&mut self, email_key: &str) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM portal_sessions WHERE person_id IN
                 (SELECT id FROM people WHERE email_key = $1 AND verified_at IS NULL)",
            )
            .bind(email_key)
            .execute(conn)
            .await
            .map(|_| ())
        })?;
        run!(self, |conn| {
            sqlx::query(
                "UPDATE people SET email_key = '' WHERE email_key = $1 AND verified_at IS NULL",
            )
            .bind(email_key)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Gives one person's places in servicers to another, who keeps the role they have where both are members.
    pub async fn move_memberships(&mut self, from: PersonId, to: PersonId) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO memberships (person_id, servicer_id, role, created_at)
                 SELECT $2, servicer_id, role, created_at FROM memberships WHERE person_id = $1
                 ON CONFLICT DO NOTHING",
            )
            .bind(from)
            .bind(to)
            .execute(conn)
            .await
            .map(|_| ())
        })?;
        run!(self, |conn| {
            sqlx::query("DELETE FROM memberships WHERE person_id = $1")
                .bind(from)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Adds a person to a servicer: as owner if it has no member yet, else in the given role. Answers the role.
    /// Call [`Tx::hold_servicer`] first, so that only one can be the first.
    pub async fn join_servicer(
        &mut self,
        person: PersonId,
        servicer: ServicerId,
        otherwise: Role,
        now: DateTime<Utc>,
    ) -> Stored<Role> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "INSERT INTO memberships (person_id, servicer_id, role, created_at)
                 SELECT $1, $2, CASE WHEN EXISTS (SELECT 1 FROM memberships WHERE servicer_id = $2) THEN $3 ELSE 'owner' END, $4
                 RETURNING role",
            )
            .bind(person)
            .bind(servicer)
            .bind(otherwise)
            .bind(now)
            .fetch_one(conn)
            .await
        })
    }

    /// The servicers a person works for, by id.
    pub async fn servicers_of(&mut self, person: PersonId) -> Stored<Vec<ServicerId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT servicer_id FROM memberships WHERE person_id = $1 ORDER BY created_at DESC, servicer_id DESC",
            )
            .bind(person)
            .fetch_all(conn)
            .await
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::storage::testing::on_both;
    use crate::storage::{Db, is_taken};

    on_both!(
        an_address_is_held_by_whoever_proved_it,
        at_most_four_may_try_one_address
    );

    fn clock() -> Clock {
        Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
    }

    async fn add(db: &Db, clock: &Clock) -> PersonId {
        let id = PersonId(clock.id());
        let mut tx = db.write().await.unwrap();
        tx.add_person(&NewPerson {
            id,
            email: "Ana@example.com".to_owned(),
            email_key: "ana@example.com".to_owned(),
            password: Some("$phc".to_owned()),
            verified_at: None,
            admin: false,
            created_at: clock.now(),
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        clock.advance(Duration::seconds(1));
        id
    }

    async fn an_address_is_held_by_whoever_proved_it(db: Db) {
        let clock = clock();
        let (one, two) = (add(&db, &clock).await, add(&db, &clock).await);
        let key = "ana@example.com";
        let mut tx = db.write().await.unwrap();
        tx.verify_person(one, key, clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write().await.unwrap();
        let error = tx.verify_person(two, key, clock.now()).await.unwrap_err();
        assert!(is_taken(&error));
        drop(tx);
        let mut tx = db.write().await.unwrap();
        tx.release_email(key).await.unwrap();
        let left: Vec<_> = tx.people_by_email(key).await.unwrap();
        assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [one]);
    }

    async fn at_most_four_may_try_one_address(db: Db) {
        let clock = clock();
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(add(&db, &clock).await);
        }
        let ids = async |db: &Db| -> Vec<PersonId> {
            let mut tx = db.read().await.unwrap();
            let rows = tx.people_by_email("ana@example.com").await.unwrap();
            rows.into_iter().map(|row| row.id).collect()
        };
        assert_eq!(ids(&db).await, [all[4], all[3], all[2]]);
        let mut tx = db.write().await.unwrap();
        tx.verify_person(all[0], "ana@example.com", clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ids(&db).await, [all[0], all[4], all[3], all[2]]);
    }
}
