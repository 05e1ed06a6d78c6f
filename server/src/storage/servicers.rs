//! Servicers, and the one-time tokens that let their first people in.

use app::domain::ids::ServicerId;
use app::domain::servicer::{LegalForm, ServicerKind, ServicerStatus};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;
use sqlx::QueryBuilder;

use super::{DbResult, Tx, run};
use crate::text::fold;

/// A servicer about to be made.
#[derive(Clone, Debug)]
pub struct NewServicer {
    pub id: ServicerId,
    pub name: String,
    pub kind: ServicerKind,
    pub legal_form: LegalForm,
    /// ISO 3166-1 alpha-2; empty when an operator did not say.
    pub country: String,
    pub created_at: DateTime<Utc>,
}

/// A servicer's owner, as letters and decisions need them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OwnerRow {
    /// The servicer's name.
    pub servicer: String,
    pub email: String,
    /// The address as the key of its mailbox.
    pub registered_key: String,
    /// `true` if the owner proved the address.
    pub proved: bool,
}

/// A servicer in the operators' list, with what the list counts.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ServicerListRow {
    pub id: ServicerId,
    pub name: String,
    pub kind: ServicerKind,
    pub status: ServicerStatus,
    pub country: String,
    pub owner: Option<String>,
    /// `true` if an owner proved their address.
    pub owner_proved: bool,
    pub tenants: i64,
    pub requests_24h: i64,
    pub created_at: DateTime<Utc>,
}

impl Tx {
    /// Adds a servicer; it starts in the sandbox.
    pub async fn add_servicer(&mut self, new: &NewServicer) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO servicers (id, name, kind, legal_form, country, status, created_at)
                 VALUES ($1, $2, $3, $4, $5, 'sandbox', $6)",
            )
            .bind(new.id)
            .bind(&new.name)
            .bind(new.kind)
            .bind(new.legal_form)
            .bind(&new.country)
            .bind(new.created_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Takes the servicer's row for the rest of the transaction, so that two who join at once come one after the
    /// other; answers its status, or nothing if there is no such servicer.
    pub async fn hold_servicer(&mut self, id: ServicerId) -> DbResult<Option<ServicerStatus>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE servicers SET status = status WHERE id = $1 RETURNING status",
            )
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// A servicer's name and status.
    pub async fn servicer(&mut self, id: ServicerId) -> DbResult<Option<(String, ServicerStatus)>> {
        run!(self, |conn| {
            sqlx::query_as("SELECT name, status FROM servicers WHERE id = $1")
                .bind(id)
                .fetch_optional(conn)
                .await
        })
    }

    /// Opens production to a servicer that is in the sandbox; says whether it was.
    pub async fn approve_servicer(&mut self, id: ServicerId) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE servicers SET status = 'approved' WHERE id = $1 AND status = 'sandbox'",
            )
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Suspends a servicer that is not; says whether it was not.
    pub async fn suspend_servicer(&mut self, id: ServicerId, reason: &str) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE servicers SET resumes_as = status, suspended_reason = $2, status = 'suspended'
                 WHERE id = $1 AND status <> 'suspended'",
            )
            .bind(id)
            .bind(reason)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Gives a suspended servicer the status it had; says whether it was suspended.
    pub async fn resume_servicer(&mut self, id: ServicerId) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE servicers SET status = COALESCE(resumes_as, 'sandbox'), resumes_as = NULL, suspended_reason = NULL
                 WHERE id = $1 AND status = 'suspended'",
            )
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// A servicer's first owner, if it has one: one with a proved address before all others.
    pub async fn owner_of(&mut self, id: ServicerId) -> DbResult<Option<OwnerRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT s.name AS servicer, p.email, p.registered_key, p.verified_at IS NOT NULL AS proved
                 FROM servicers s
                 JOIN memberships m ON m.servicer_id = s.id AND m.role = 'owner'
                 JOIN people p ON p.id = m.person_id
                 WHERE s.id = $1
                 ORDER BY CASE WHEN p.verified_at IS NULL THEN 1 ELSE 0 END, m.created_at, p.id LIMIT 1",
            )
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// The newest 200 servicers whose name holds `query`, or whose id it is; their calls counted since a time.
    pub async fn servicers(
        &mut self,
        query: &str,
        since: DateTime<Utc>,
    ) -> DbResult<Vec<ServicerListRow>> {
        let found = self.servicers_found(query).await?;
        if found.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        run!(self, |conn| {
            let mut select = QueryBuilder::new(
                "SELECT s.id, s.name, s.kind, s.status, s.country, s.created_at,
                        (SELECT p.email FROM memberships m JOIN people p ON p.id = m.person_id
                         WHERE m.servicer_id = s.id AND m.role = 'owner'
                         ORDER BY CASE WHEN p.verified_at IS NULL THEN 1 ELSE 0 END, m.created_at, p.id LIMIT 1) AS owner,
                        EXISTS (SELECT 1 FROM memberships m JOIN people p ON p.id = m.person_id
                                WHERE m.servicer_id = s.id AND m.role = 'owner' AND p.verified_at IS NOT NULL)
                            AS owner_proved,
                        (SELECT COUNT(*) FROM tenants t WHERE t.servicer_id = s.id) AS tenants,
                        (SELECT COUNT(*) FROM requests r WHERE r.servicer_id = s.id AND r.at > ",
            );
            select
                .push_bind(since)
                .push(") AS requests_24h FROM servicers s");
            if let Some(found) = &found {
                select.push(" WHERE s.id IN (");
                let mut list = select.separated(", ");
                for id in found {
                    list.push_bind(*id);
                }
                select.push(")");
            }
            select.push(" ORDER BY s.created_at DESC, s.id DESC LIMIT 200");
            select.build_query_as().fetch_all(conn).await
        })
    }

    /// The newest 200 servicers whose name, id or owner's address holds a text; none if nothing is looked for. Texts are
    /// folded here: each database has its own idea of letters.
    async fn servicers_found(&mut self, query: &str) -> DbResult<Option<Vec<ServicerId>>> {
        let wanted = fold(query);
        if wanted.is_empty() {
            return Ok(None);
        }
        let all: Vec<(ServicerId, String, Option<String>)> = run!(self, |conn| {
            sqlx::query_as(
                "SELECT s.id, s.name, p.email FROM servicers s
                 LEFT JOIN memberships m ON m.servicer_id = s.id AND m.role = 'owner'
                 LEFT JOIN people p ON p.id = m.person_id
                 ORDER BY s.created_at DESC, s.id DESC",
            )
            .fetch_all(conn)
            .await
        })?;
        // Ids are written in several ways: with braces, as a URN, without dashes.
        let id = query.trim().parse::<ServicerId>().ok();
        let holds = |text: &str| fold(text).contains(&wanted);
        let found = all.into_iter().filter(|(own, name, owner)| {
            Some(*own) == id
                || holds(name)
                || own.to_string().contains(&wanted)
                || owner.as_deref().is_some_and(holds)
        });
        let mut found: Vec<ServicerId> = found.map(|(own, _, _)| own).collect();
        found.dedup();
        found.truncate(200);
        Ok(Some(found))
    }

    /// Adds a one-time way into a servicer.
    pub async fn add_claim_token(
        &mut self,
        digest: &Digest,
        servicer: ServicerId,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO claim_tokens (digest, servicer_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
            )
            .bind(digest)
            .bind(servicer)
            .bind(created_at)
            .bind(expires_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Uses a claim token up, if it is this servicer's, unused and still good.
    pub async fn use_claim_token(
        &mut self,
        digest: &Digest,
        servicer: ServicerId,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE claim_tokens SET used_at = $3
                 WHERE digest IN ($1, $4) AND servicer_id = $2 AND used_at IS NULL AND expires_at > $3",
            )
            .bind(digest)
            .bind(servicer)
            .bind(now)
            .bind(digest.other())
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
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
    use crate::storage::testing::on_both;

    on_both!(
        a_claim_token_is_used_once,
        a_suspended_servicer_resumes_as_what_it_was,
        servicers_are_found_by_name_and_id
    );

    fn clock() -> Clock {
        Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
    }

    async fn add(db: &Db, clock: &Clock, name: &str) -> ServicerId {
        let id = ServicerId(clock.id());
        let mut tx = db.write().await.unwrap();
        tx.add_servicer(&NewServicer {
            id,
            name: name.to_owned(),
            kind: ServicerKind::Consumer,
            legal_form: LegalForm::Company,
            country: "RO".to_owned(),
            created_at: clock.now(),
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn a_claim_token_is_used_once(db: Db) {
        let clock = clock();
        let pepper = Secrets::make(&clock).pepper;
        let servicer = add(&db, &clock, "Example Ltd").await;
        let other = add(&db, &clock, "Other Ltd").await;
        let digest = pepper.digest("claim_token", "token");
        let mut tx = db.write().await.unwrap();
        let end = clock.now() + Duration::days(7);
        tx.add_claim_token(&digest, servicer, clock.now(), end)
            .await
            .unwrap();
        assert!(
            !tx.use_claim_token(&digest, other, clock.now())
                .await
                .unwrap()
        );
        assert!(!tx.use_claim_token(&digest, servicer, end).await.unwrap());
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (db, digest, now) = (db.clone(), digest.clone(), clock.now());
                tokio::spawn(async move {
                    let mut tx = db.write().await.unwrap();
                    let won = tx.use_claim_token(&digest, servicer, now).await.unwrap();
                    tx.commit().await.unwrap();
                    won
                })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            winners += usize::from(task.await.unwrap());
        }
        assert_eq!(winners, 1);
    }

    async fn a_suspended_servicer_resumes_as_what_it_was(db: Db) {
        let clock = clock();
        let id = add(&db, &clock, "Example Ltd").await;
        let mut tx = db.write().await.unwrap();
        assert!(tx.approve_servicer(id).await.unwrap());
        assert!(!tx.approve_servicer(id).await.unwrap());
        assert!(tx.suspend_servicer(id, "unpaid").await.unwrap());
        assert!(!tx.suspend_servicer(id, "again").await.unwrap());
        assert!(!tx.approve_servicer(id).await.unwrap());
        assert_eq!(
            tx.servicer(id).await.unwrap().unwrap().1,
            ServicerStatus::Suspended
        );
        assert!(tx.resume_servicer(id).await.unwrap());
        assert_eq!(
            tx.servicer(id).await.unwrap().unwrap().1,
            ServicerStatus::Approved
        );
        assert!(!tx.resume_servicer(id).await.unwrap());
    }

    async fn servicers_are_found_by_name_and_id(db: Db) {
        let clock = clock();
        let one = add(&db, &clock, "Example Ltd").await;
        let two = add(&db, &clock, "100% Apps").await;
        let mut tx = db.read().await.unwrap();
        let found = async |tx: &mut Tx, query: &str| -> Vec<ServicerId> {
            let rows = tx.servicers(query, clock.now()).await.unwrap();
            rows.into_iter().map(|row| row.id).collect()
        };
        assert_eq!(found(&mut tx, "").await.len(), 2);
        assert_eq!(found(&mut tx, "eXample").await, [one]);
        assert_eq!(found(&mut tx, "%").await, [two]);
        for id in [
            two.to_string(),
            two.to_string().replace('-', "").to_uppercase(),
        ] {
            assert_eq!(found(&mut tx, &id).await, [two], "{id}");
        }
        assert_eq!(found(&mut tx, "no such name").await, []);
    }
}
