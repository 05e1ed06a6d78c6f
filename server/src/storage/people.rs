//! People and their places in servicers.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::person::Role;
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

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
    /// The address it registered with, as the key of its mailbox.
    pub registered_key: String,
}

/// An account that registered with an address and has not proved it, with the first servicer it is in.
#[derive(Clone, sqlx::FromRow)]
pub struct UnprovedRow {
    pub id: PersonId,
    pub password: Option<String>,
    pub created_at: DateTime<Utc>,
    pub servicer: Option<String>,
}

/// An account whose address is not in ASCII alone, in its stored spellings.
#[derive(Clone, sqlx::FromRow)]
pub struct AddressRow {
    pub id: PersonId,
    pub email: String,
    pub verified_at: Option<DateTime<Utc>>,
    pub registered_key: String,
}

impl Tx {
    /// Adds a person.
    pub async fn add_person(&mut self, new: &NewPerson) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO people (id, email, email_key, registered_key, password, verified_at, admin, created_at, last_used_at)
                 VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $7)",
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
    pub async fn person(&mut self, id: PersonId) -> DbResult<Option<PersonRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, email, password, verified_at, admin, registered_key FROM people WHERE id = $1",
            )
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// Whoever may sign in with an address: the one who proved it, then two who did not. Of those the one that the
    /// browser is known for comes first, then the oldest, so that newer registrations push nobody out.
    pub async fn sign_in_rows(
        &mut self,
        email_key: &str,
        known: Option<PersonId>,
    ) -> DbResult<Vec<PersonRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, email, password, verified_at, admin, registered_key FROM people WHERE email_key = $1
                 ORDER BY CASE WHEN verified_at IS NOT NULL THEN 0 WHEN id = $2 THEN 1 ELSE 2 END, created_at, id
                 LIMIT CASE WHEN EXISTS (SELECT 1 FROM people WHERE email_key = $1 AND verified_at IS NOT NULL)
                            THEN 3 ELSE 2 END",
            )
            .bind(email_key)
            .bind(known)
            .fetch_all(conn)
            .await
        })
    }

    /// The account that proved an address, if one did.
    pub async fn owner_of_email(&mut self, email_key: &str) -> DbResult<Option<PersonRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, email, password, verified_at, admin, registered_key FROM people
                 WHERE email_key = $1 AND verified_at IS NOT NULL",
            )
            .bind(email_key)
            .fetch_optional(conn)
            .await
        })
    }

    /// Accounts that registered with an address, have not proved it and are in a servicer, the oldest first, at most
    /// `limit`. With `signing_in` only those that may still sign in with it.
    pub async fn unproved(
        &mut self,
        registered_key: &str,
        signing_in: bool,
        limit: i64,
    ) -> DbResult<Vec<UnprovedRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT p.id, p.password, p.created_at,
                        (SELECT s.name FROM memberships m JOIN servicers s ON s.id = m.servicer_id
                         WHERE m.person_id = p.id ORDER BY m.created_at, s.id LIMIT 1) AS servicer
                 FROM people p
                 WHERE p.registered_key = $1 AND p.verified_at IS NULL AND (p.email_key = $1 OR NOT $2)
                   AND EXISTS (SELECT 1 FROM memberships m WHERE m.person_id = p.id)
                 ORDER BY p.created_at, p.id LIMIT $3",
            )
            .bind(registered_key)
            .bind(signing_in)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Puts one password hash in another's place, unless it has been changed meanwhile.
    pub async fn replace_password(&mut self, id: PersonId, old: &str, new: &str) -> DbResult<bool> {
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
    pub async fn set_password(&mut self, id: PersonId, password: &str) -> DbResult<()> {
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
    ) -> DbResult<()> {
        run!(self, |conn| {
            // A row that was cut off its address gets it back by proving it.
            sqlx::query(
                "UPDATE people SET verified_at = $3, email_key = $2, registered_key = $2
                 WHERE id = $1 AND verified_at IS NULL",
            )
            .bind(id)
            .bind(email_key)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Makes a person an operator, or takes that back.
    pub async fn set_admin(&mut self, id: PersonId, admin: bool) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE people SET admin = $2 WHERE id = $1")
                .bind(id)
                .bind(admin)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Makes a person's password useless: a link is needed to set another.
    pub async fn clear_password(&mut self, id: PersonId) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE people SET password = NULL WHERE id = $1")
                .bind(id)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Notes the servicer that a person works in.
    pub async fn set_last_servicer(&mut self, id: PersonId, servicer: ServicerId) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE people SET last_servicer = $2 WHERE id = $1")
                .bind(id)
                .bind(servicer)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Notes that an account was used.
    pub async fn touch_person(&mut self, id: PersonId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE people SET last_used_at = $2 WHERE id = $1")
                .bind(id)
                .bind(now)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Cuts everybody who did not prove an address off it: they are signed out and cannot sign in with it again.
    /// What they hold stays theirs until it ends, or until the owner of the address shows their password.
    pub async fn release_email(&mut self, email_key: &str) -> DbResult<()> {
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

    /// Accounts whose address is not in ASCII alone, those that proved it before the others, the oldest first.
    pub async fn addresses_beyond_ascii(&mut self) -> DbResult<Vec<AddressRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, email, verified_at, registered_key FROM people WHERE octet_length(email) > length(email)
                 ORDER BY CASE WHEN verified_at IS NULL THEN 1 ELSE 0 END, created_at, id",
            )
            .fetch_all(conn)
            .await
        })
    }

    /// Writes an account's address in another spelling, unless it was changed meanwhile. One that was cut off its address
    /// stays so. Fails with a unique violation if another account proved it in that spelling.
    pub async fn respell_email(
        &mut self,
        row: &AddressRow,
        email: &str,
        email_key: &str,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE people SET email = $3, registered_key = $4,
                        email_key = CASE WHEN email_key = '' THEN '' ELSE $4 END
                 WHERE id = $1 AND email = $2",
            )
            .bind(row.id)
            .bind(&row.email)
            .bind(email)
            .bind(email_key)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Gives one person's places in servicers to another, who keeps the role they have where both are members.
    pub async fn move_memberships(&mut self, from: PersonId, to: PersonId) -> DbResult<()> {
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
    ) -> DbResult<Role> {
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

    /// The servicers a person is in, by name, the one they joined first before the others: those that wait for a proved
    /// address, too.
    pub async fn memberships_of(
        &mut self,
        person: PersonId,
    ) -> DbResult<Vec<(ServicerId, String)>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT s.id, s.name FROM memberships m JOIN servicers s ON s.id = m.servicer_id
                 WHERE m.person_id = $1 ORDER BY m.created_at, s.id LIMIT 100",
            )
            .bind(person)
            .fetch_all(conn)
            .await
        })
    }

    /// The servicers that a person may work in, by name, the one they joined first before the others: as long as the
    /// address is not proved, those alone that they own.
    pub async fn open_memberships_of(
        &mut self,
        person: PersonId,
    ) -> DbResult<Vec<(ServicerId, String)>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT s.id, s.name FROM memberships m JOIN servicers s ON s.id = m.servicer_id
                 JOIN people p ON p.id = m.person_id
                 WHERE m.person_id = $1 AND (p.verified_at IS NOT NULL OR m.role = 'owner')
                 ORDER BY m.created_at, s.id LIMIT 100",
            )
            .bind(person)
            .fetch_all(conn)
            .await
        })
    }

    /// The servicers a person is in, by id.
    pub async fn servicers_of(&mut self, person: PersonId) -> DbResult<Vec<ServicerId>> {
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
    use kernel::clock::Clock;

    use super::*;
    use crate::storage::testing::on_both;
    use crate::storage::{Db, is_taken};

    on_both!(
        an_address_is_held_by_whoever_proved_it,
        newer_registrations_push_nobody_out
    );

    impl Db {
        /// Stores an account's address as versions did in which a domain was only put into lower case.
        pub async fn age_email(&self, person: PersonId, email: &str) {
            let mut tx = self.write().await.unwrap();
            let key = email.to_lowercase();
            run!(tx, |conn| {
                sqlx::query(
                    "UPDATE people SET email = $2, email_key = $3, registered_key = $3 WHERE id = $1",
                )
                .bind(person)
                .bind(email)
                .bind(key)
                .execute(conn)
                .await
                .map(|_| ())
            })
            .unwrap();
            tx.commit().await.unwrap();
        }
    }

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
        let left: Vec<_> = tx.sign_in_rows(key, None).await.unwrap();
        assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [one]);
    }

    async fn newer_registrations_push_nobody_out(db: Db) {
        let clock = clock();
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(add(&db, &clock).await);
        }
        let ids = async |db: &Db, known| -> Vec<PersonId> {
            let mut tx = db.read().await.unwrap();
            let rows = tx.sign_in_rows("ana@example.com", known).await.unwrap();
            rows.into_iter().map(|row| row.id).collect()
        };
        assert_eq!(ids(&db, None).await, [all[0], all[1]]);
        assert_eq!(ids(&db, Some(all[3])).await, [all[3], all[0]]);
        let mut tx = db.write().await.unwrap();
        tx.verify_person(all[4], "ana@example.com", clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ids(&db, None).await, [all[4], all[0], all[1]]);
        assert_eq!(ids(&db, Some(all[3])).await, [all[4], all[3], all[0]]);
    }
}
