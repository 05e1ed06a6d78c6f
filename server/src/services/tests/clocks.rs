//! One tenant's clock is moved forward, and another's is not: what ends by whose time, and what by the real one.

use std::time::Duration as StdDuration;

use super::*;
use crate::config::Config;
use crate::jobs::refresh_data::RefreshConsent;
use crate::services::access::idempotency::{self, Attempt, KeyedRequest};
use crate::services::consents::data::{Freshness, ServedFrom};
use crate::services::consents::fetch::{FetchOutcome, FetchReason, fetch};
use crate::services::consents::{self, ConsentQuery, accounts};
use crate::services::sessions::erasure;
use crate::storage::testing::on_both;
use crate::worker::JobHandler as _;
use app::domain::session::{ConsentStatus, SessionStatus};
use chrono::Duration;

on_both!(
    a_session_and_its_nonce_end_by_their_tenants_time,
    a_way_back_ends_with_its_session,
    a_token_ends_by_its_tenants_time,
    a_consent_ends_by_its_tenants_time_and_is_swept_by_the_real_one,
    data_grows_old_and_a_banks_day_ends_by_their_tenants_time,
    nobody_takes_a_step_or_a_fetch_over_because_a_clock_was_moved,
    a_verification_lasts_by_its_tenants_time_and_is_asked_about_by_the_real_one,
    a_kept_answer_is_kept_by_the_real_time
);

const MINUTE: StdDuration = StdDuration::from_mins(1);
const HOUR: StdDuration = StdDuration::from_hours(1);
const DAY: StdDuration = StdDuration::from_hours(24);

/// Two tenants in one state: one whose clock is moved, and one whose clock is not.
async fn two(db: Db, config: Config) -> (World, World) {
    let mover = World::builder(state_with(db, config)).scripted();
    let mover = mover.build().await;
    let stayer = mover.beside().await;
    (mover, stayer)
}

impl World {
    /// Moves the tenant's clock until it is ahead by as much.
    fn ahead(&self, by: StdDuration) {
        self.state.clock.set_ahead(self.client.tenant().0, by);
    }

    async fn status(&self, session: &OpenedSession) -> SessionStatus {
        self.client.standing(session.session_id).await.status
    }

    async fn read(&self, pair: &Credentials) -> Result<Freshness, ApiError> {
        let list = accounts::list(&self.state, &self.client, pair).await;
        list.map(|list| list.fresh)
    }

    async fn statuses(&self) -> Vec<ConsentStatus> {
        let query = ConsentQuery::default();
        let listed = consents::list(&self.state, &self.client, query, None, 10).await;
        listed.unwrap().0.iter().map(|info| info.status).collect()
    }
}

async fn a_session_and_its_nonce_end_by_their_tenants_time(db: Db) {
    let (mover, stayer) = two(db, Config::default()).await;
    let (mine, theirs) = (
        mover.client.open(AISP).await,
        stayer.client.open(AISP).await,
    );
    assert_eq!(mine.expires_at, theirs.expires_at);
    mover.ahead(MINUTE * 30);
    let late = mover
        .client
        .submit(mine.session_id, &mine.nonce, sca())
        .await;
    assert_eq!(code(late), Code::ExpiredNonce);
    let taken = stayer
        .client
        .submit(theirs.session_id, &theirs.nonce, sca())
        .await;
    taken.unwrap();
    mover.ahead(DAY);
    assert_eq!(mover.status(&mine).await, SessionStatus::Expired);
    assert!(!stayer.status(&theirs).await.is_final());
    // It goes on from there: what is opened now lasts as long as ever.
    let next = mover.client.open(AISP).await;
    assert_eq!(next.expires_at - mine.expires_at, Duration::days(1));
    mover.ahead(DAY + MINUTE * 29);
    let taken = mover
        .client
        .submit(next.session_id, &next.nonce, sca())
        .await;
    taken.unwrap();
}

async fn a_way_back_ends_with_its_session(db: Db) {
    let (mover, stayer) = two(db, Config::default()).await;
    mover.at_bank().await;
    mover.ahead(DAY);
    let link = mover.come_back("code-1").await.unwrap();
    assert_eq!(query(&link, "temp_token"), None);
    assert!(link.contains("session_ended"), "{link}");
    stayer.at_bank().await;
    let link = stayer.come_back("code-2").await.unwrap();
    assert!(query(&link, "temp_token").is_some(), "{link}");
}

async fn a_token_ends_by_its_tenants_time(db: Db) {
    let (mover, stayer) = two(db, Config::default()).await;
    let (mine, theirs) = (mover.temp_token().await, stayer.temp_token().await);
    mover.ahead(MINUTE * 10);
    assert_eq!(
        code(mover.client.exchange(&mine).await),
        Code::TempTokenExpired
    );
    stayer.client.exchange(&theirs).await.unwrap();
    // A second use that is late by the tenant's time ends what the first opened.
    let token = mover.temp_token().await;
    let pair = pair(mover.client.exchange(&token).await.unwrap());
    mover.read(&pair).await.unwrap();
    mover.ahead(MINUTE * 11);
    assert_eq!(
        code(mover.client.exchange(&token).await),
        Code::TempTokenUsed
    );
    assert_eq!(code(mover.read(&pair).await), Code::InactiveCredentials);
}

async fn a_consent_ends_by_its_tenants_time_and_is_swept_by_the_real_one(db: Db) {
    let (mover, stayer) = two(db, Config::default()).await;
    let (mine, theirs) = (mover.pair().await, stayer.pair().await);
    mover.ahead(DAY * 89);
    mover.read(&mine).await.unwrap();
    mover.ahead(DAY * 90);
    assert_eq!(code(mover.read(&mine).await), Code::ExpiredCredentials);
    stayer.read(&theirs).await.unwrap();
    assert_eq!(mover.statuses().await, [ConsentStatus::Expired]);
    assert_eq!(stayer.statuses().await, [ConsentStatus::Active]);
    // Its data is over by the tenant's time. The sweep looks at all tenants, finds that later, and takes nothing early.
    mover.ahead(DAY * 121);
    erasure::erase(&mover.state).await.unwrap();
    let row = |pair: &Credentials| {
        let (state, id) = (mover.state.clone(), pair.id);
        async move {
            let row = state.db.read().await.unwrap().consent(id).await;
            row.unwrap().unwrap()
        }
    };
    assert_eq!(row(&mine).await.erased_at, None);
    mover.state.clock.advance(Duration::days(121));
    erasure::erase(&mover.state).await.unwrap();
    for pair in [&mine, &theirs] {
        let swept = row(pair).await;
        assert_eq!(swept.erased_at, Some(mover.state.clock.now()));
    }
}

async fn data_grows_old_and_a_banks_day_ends_by_their_tenants_time(db: Db) {
    let mut config = Config::default();
    config.data.refresh_minutes = 60;
    let (mover, stayer) = two(db, config).await;
    let (mine, theirs) = (mover.pair().await, stayer.pair().await);
    for (world, pair) in [(&mover, &mine), (&stayer, &theirs)] {
        world.read(pair).await.unwrap();
    }
    for hours in 1..=5_u32 {
        mover.ahead(HOUR * hours);
        let fresh = mover.read(&mine).await.unwrap();
        let old = stayer.read(&theirs).await.unwrap();
        let from = if hours <= 4 {
            ServedFrom::Bank
        } else {
            ServedFrom::Cache
        };
        assert_eq!((fresh.served_from, hours), (from, hours));
        assert_eq!(old.served_from, ServedFrom::Cache);
        assert_eq!(old.budget.unwrap().left, 4);
        let asked = mover.state.clock.now() + HOUR * hours.min(4);
        assert_eq!(fresh.as_of, asked);
    }
    mover.ahead(DAY + HOUR);
    let fresh = mover.read(&mine).await.unwrap();
    assert_eq!(fresh.served_from, ServedFrom::Bank);
    // So does what nobody reads; the look that finds it is one for all tenants.
    mover.ahead(DAY * 3);
    let before = mover.provider.fetched.load(Ordering::SeqCst);
    for pair in [&mine, &theirs] {
        let due = RefreshConsent { consent: pair.id };
        due.run(&mover.state).await.unwrap();
    }
    assert_eq!(mover.provider.fetched.load(Ordering::SeqCst), before + 1);
}

async fn nobody_takes_a_step_or_a_fetch_over_because_a_clock_was_moved(db: Db) {
    let (mover, _) = two(db, Config::default()).await;
    let opened = mover.client.open(AISP).await;
    let held = mover.provider.gate.acquire_many(1_000).await.unwrap();
    let submit = || {
        let (world, nonce) = (mover.clone(), opened.nonce.clone());
        let session = opened.session_id;
        tokio::spawn(async move { world.client.submit(session, &nonce, sca()).await })
    };
    let first = submit();
    while mover.provider.submitted.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    mover.ahead(MINUTE * 20);
    assert_eq!(code(submit().await.unwrap()), Code::StepInFlight);
    drop(held);
    first.await.unwrap().unwrap();

    let link = mover.come_back("code-1").await.unwrap();
    let token = query(&link, "temp_token").unwrap();
    let pair = pair(mover.client.exchange(&token).await.unwrap());
    let held = mover.provider.gate.acquire_many(1_000).await.unwrap();
    let first = {
        let (state, id) = (mover.state.clone(), pair.id);
        tokio::spawn(async move { fetch(&state, id, FetchReason::Consented(None)).await })
    };
    while mover.provider.paged.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    mover.ahead(HOUR);
    let second = fetch(&mover.state, pair.id, FetchReason::Consented(None)).await;
    assert_eq!(second.unwrap(), FetchOutcome::InProgress);
    drop(held);
    let done = first.await.unwrap().unwrap();
    assert!(matches!(done, FetchOutcome::Fresh(_)), "{done:?}");
}

async fn a_verification_lasts_by_its_tenants_time_and_is_asked_about_by_the_real_one(db: Db) {
    let (mover, stayer) = two(db, Config::default()).await;
    let mut waiting = Vec::new();
    for world in [&mover, &stayer] {
        world
            .provider
            .submits
            .lock()
            .unwrap()
            .push_back(Ok(Next::Pending {
                poll_after: POLL_AFTER,
                data: json!({}),
                bank_ref: Opaque::new(b"case-1".to_vec()),
            }));
        let opened = world.client.open(FORM).await;
        let form = step(FORM, "product_form", json!({ "value": "1" }));
        let taken = world
            .client
            .submit(opened.session_id, &opened.nonce, form)
            .await;
        assert_eq!(taken.unwrap().status, SessionStatus::Pending);
        waiting.push(opened);
    }
    let asked = || mover.provider.asked.load(Ordering::SeqCst);
    mover.ahead(HOUR);
    mover.work().await;
    assert_eq!(asked(), 0, "jobs are due by the real time");
    mover.advance(5);
    mover.work().await;
    assert_eq!(asked(), 2);
    mover.ahead(DAY * 31);
    mover.advance(5);
    mover.work().await;
    assert_eq!(asked(), 3, "the other one alone");
    assert_eq!(mover.status(&waiting[0]).await, SessionStatus::Failed);
    assert_eq!(stayer.status(&waiting[1]).await, SessionStatus::Pending);
}

async fn a_kept_answer_is_kept_by_the_real_time(db: Db) {
    let (mover, _) = two(db, Config::default()).await;
    let ask = || KeyedRequest {
        tenant: mover.client.tenant(),
        operation: "steps.submit",
        key: "one",
        fingerprint: b"path and body".to_vec(),
        secret: None,
        request: app::domain::ids::RequestId(mover.state.clock.id()),
        keep: Duration::days(1),
    };
    let begin = async || idempotency::begin(&mover.state, ask()).await.unwrap();
    let Attempt::First(first) = begin().await else {
        panic!("nobody was before")
    };
    mover.ahead(HOUR);
    let held = idempotency::begin(&mover.state, ask()).await;
    assert_eq!(code(held), Code::IdempotencyInFlight);
    first.keep(&mover.state, 200, b"{}").await.unwrap();
    mover.ahead(DAY * 30);
    assert!(matches!(begin().await, Attempt::Replay(200, _)));
    mover.advance(24 * 3600);
    assert!(matches!(begin().await, Attempt::First(_)));
}
