//! Links that were mailed or printed: to prove an address, or to set a password. Each works once.

use app::domain::ids::PersonId;
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// Purpose of a mailed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    Verify,
    Password,
}

impl LinkPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Password => "password",
        }
    }
}

impl Tx {
    /// Adds a link; `digest` is of the token in it.
    pub async fn add_email_link(
        &mut self,
        digest: &Digest,
        person: PersonId,
        purpose: LinkPurpose,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO email_links (digest, person_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(digest)
            .bind(person)
            .bind(purpose.as_str())
            .bind(created_at)
            .bind(expires_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// The person a link is for, while it is unused and good; looking does not use it up.
    pub async fn email_link(
        &mut self,
        digest: &Digest,
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> DbResult<Option<PersonId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT person_id FROM email_links
                 WHERE digest IN ($1, $4) AND purpose = $2 AND used_at IS NULL AND expires_at > $3",
            )
            .bind(digest)
            .bind(purpose.as_str())
            .bind(now)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Makes a password link one that makes its person an operator.
    pub async fn make_operator_link(&mut self, digest: &Digest) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE email_links SET operator = TRUE WHERE digest IN ($1, $2)")
                .bind(digest)
                .bind(digest.other())
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Returns `true` if using a link makes its person an operator; `false` if there is no such link.
    pub async fn is_operator_link(&mut self, digest: &Digest) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT operator FROM email_links WHERE digest IN ($1, $2)")
                .bind(digest)
                .bind(digest.other())
                .fetch_optional(conn)
                .await
                .map(|operator| operator.unwrap_or(false))
        })
    }

    /// Uses a link up and returns the person it is for; `None` if it was used, is too old or never was.
    pub async fn use_email_link(
        &mut self,
        digest: &Digest,
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> DbResult<Option<PersonId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE email_links SET used_at = $3
                 WHERE digest IN ($1, $4) AND purpose = $2 AND used_at IS NULL AND expires_at > $3
                 RETURNING person_id",
            )
            .bind(digest)
            .bind(purpose.as_str())
            .bind(now)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Ends every mailed password link of a person: after one was used, the others in the mailbox are dead too. The link
    /// that an operator printed was mailed to nobody, and stays.
    pub async fn end_password_links(
        &mut self,
        person: PersonId,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE email_links SET used_at = $2 WHERE person_id = $1 AND purpose = 'password' AND NOT operator AND used_at IS NULL",
            )
            .bind(person)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Ends every printed link that makes a person an operator: a newer one takes its place, or one was used.
    pub async fn end_operator_links(
        &mut self,
        person: PersonId,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE email_links SET used_at = $2 WHERE person_id = $1 AND operator AND used_at IS NULL",
            )
            .bind(person)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use kernel::clock::Clock;
    use kernel::crypto::Secrets;

    use super::*;
    use crate::storage::Db;
    use crate::storage::people::NewPerson;
    use crate::storage::testing::on_both;

    on_both!(a_link_is_used_once);

    async fn add(db: &Db, clock: &Clock) -> PersonId {
        let id = PersonId(clock.id());
        let mut tx = db.write().await.unwrap();
        tx.add_person(&NewPerson {
            id,
            email: "ana@example.com".to_owned(),
            email_key: "ana@example.com".to_owned(),
            password: None,
            verified_at: None,
            admin: false,
            created_at: clock.now(),
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn a_link_is_used_once(db: Db) {
        let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let person = add(&db, &clock).await;
        let digest = Secrets::make(&clock).pepper.digest("password_link", "x");
        let end = clock.now() + Duration::minutes(10);
        let mut tx = db.write().await.unwrap();
        tx.add_email_link(&digest, person, LinkPurpose::Password, clock.now(), end)
            .await
            .unwrap();
        let mut refused = Vec::new();
        for (purpose, at) in [
            (LinkPurpose::Verify, clock.now()),
            (LinkPurpose::Password, end),
        ] {
            refused.extend(tx.use_email_link(&digest, purpose, at).await.unwrap());
        }
        assert!(refused.is_empty(), "another purpose, or too late");
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (db, digest, now) = (db.clone(), digest.clone(), clock.now());
                tokio::spawn(async move {
                    let mut tx = db.write().await.unwrap();
                    let got = tx
                        .use_email_link(&digest, LinkPurpose::Password, now)
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                    got
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap());
        }
        assert_eq!(winners, [person]);
    }
}
