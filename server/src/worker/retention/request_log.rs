//! How much the request log keeps of one servicer.

use crate::state::AppState;
use crate::storage::DbResult;

/// Deletes the oldest calls of every servicer who has more bytes in the log than the settings allow, in short transactions;
/// says in how many.
pub async fn trim(state: &AppState) -> DbResult<u64> {
    let most = i64::from(state.config.data.request_log_mib) << 20;
    let heavy = state.db.read().await?.heavy_servicers(most).await?;
    let mut turns = 0;
    for (servicer, mut too_much) in heavy {
        while too_much > 0 {
            let mut tx = state.db.write().await?;
            let gone = tx.trim_requests(servicer).await?;
            tx.commit().await?;
            let Some(bytes) = gone else {
                break;
            };
            too_much -= bytes;
            turns += 1;
        }
    }
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use app::domain::ids::RequestId;

    use super::*;
    use crate::config::Config;
    use crate::storage::Db;
    use crate::storage::request_log::RequestLogRow;
    use crate::storage::testing::on_both;
    use crate::testing::World;

    on_both!(
        everything_that_is_old_goes_at_once_and_writers_have_their_turn,
        the_oldest_calls_of_who_has_too_many_go_first,
    );

    fn row(world: &World, age: chrono::Duration, body: usize) -> RequestLogRow {
        let state = &world.state;
        RequestLogRow {
            id: RequestId(state.clock.id()),
            at: state.clock.now() - age,
            tenant_id: Some(world.client.tenant()),
            session_id: None,
            key_id: None,
            source: "api".into(),
            method: "POST".into(),
            path: "/v1/sessions".into(),
            operation: "/v1/sessions".into(),
            status: 200,
            error_code: None,
            latency_us: 1,
            user_agent: String::new(),
            ip: "192.0.2.1".into(),
            client_request_id: None,
            request_body: "x".repeat(body),
            response_body: String::new(),
        }
    }

    async fn add(world: &World, rows: Vec<RequestLogRow>) {
        let state = &world.state;
        let tenants = [world.client.tenant()];
        let mut tx = state.db.read().await.unwrap();
        let servicers = tx.tenants_servicers(&tenants).await.unwrap();
        drop(tx);
        let mut tx = state.db.write().await.unwrap();
        tx.add_requests(&rows).await.unwrap();
        tx.count_requests(&rows, &servicers).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn ids(world: &World) -> Vec<RequestId> {
        let mut tx = world.state.db.read().await.unwrap();
        crate::storage::run!(tx, |conn| sqlx::query_scalar(
            "SELECT id FROM requests ORDER BY id"
        )
        .fetch_all(conn)
        .await)
        .unwrap()
    }

    async fn everything_that_is_old_goes_at_once_and_writers_have_their_turn(db: Db) {
        let world = World::new(db).await;
        let old = chrono::Duration::days(31);
        add(&world, (0..3_500).map(|_| row(&world, old, 1)).collect()).await;
        add(&world, vec![row(&world, chrono::Duration::days(29), 1)]).await;
        let is_tidy = AtomicBool::new(false);
        let tidying = async {
            let tidied = crate::worker::retention::sweep(&world.state).await;
            is_tidy.store(true, Ordering::Relaxed);
            tidied
        };
        let writing = async {
            let mut turns = 0;
            while !is_tidy.load(Ordering::Relaxed) {
                let tx = world.state.db.write().await.unwrap();
                tx.commit().await.unwrap();
                turns += 1;
            }
            turns
        };
        let (tidied, turns) = futures_util::join!(tidying, writing);
        tidied.unwrap();
        assert!(turns >= 2, "others wrote {turns} times meanwhile");
        assert_eq!(ids(&world).await.len(), 1);
    }

    async fn the_oldest_calls_of_who_has_too_many_go_first(db: Db) {
        let mut config = Config::default();
        config.data.request_log_mib = 1;
        let world = World::with(db, config).await;
        let rows: Vec<_> = (0..1_500)
            .map(|_| row(&world, chrono::Duration::hours(1), 1_000))
            .collect();
        let mut written: Vec<RequestId> = rows.iter().map(|row| row.id).collect();
        written.sort_unstable();
        add(&world, rows).await;
        trim(&world.state).await.unwrap();
        let kept = ids(&world).await;
        assert!((500..700).contains(&kept.len()), "{}", kept.len());
        assert_eq!(
            kept,
            written[written.len() - kept.len()..],
            "the newest are there"
        );
        trim(&world.state).await.unwrap();
        assert_eq!(
            ids(&world).await.len(),
            kept.len(),
            "what is little enough stays"
        );
    }
}
