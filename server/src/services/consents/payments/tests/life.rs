//! The life of a payment, and what others may know of it.

use super::*;
use crate::services::consents::data::ServedFrom;
use crate::services::consents::lifecycle;
use crate::services::sessions::SessionProof;
use crate::storage::testing::on_both;
use app::domain::payment::{PaymentKind, PaymentStatus};
use app::domain::session::SessionStatus;

on_both!(
    a_payment_is_read_until_it_is_final,
    a_bank_that_is_down_breaks_no_answer,
    a_payment_is_ordered_and_grows_old_by_its_tenants_time,
    a_pair_reads_its_own_kind_and_its_own_payment,
    a_later_payment_is_called_off_once_and_for_all,
    a_job_follows_it_to_the_end,
    an_end_user_who_does_not_come_back_has_paid_all_the_same,
    a_refusal_in_the_url_is_not_believed,
    a_refused_payment_can_be_ordered_again,
    a_session_called_off_takes_its_payment_along,
    what_was_ordered_is_erased_with_its_consent,
    data_that_no_schema_refuses_is_refused_at_the_field
);

async fn a_payment_is_read_until_it_is_final(db: Db) {
    let street = Street::open(db).await;
    let pair = street.paid(transfer(json!({}))).await;
    let payment = street.get(&pair).await;
    assert_eq!(
        (payment.kind, payment.status),
        (
            PaymentKind::Single,
            PaymentStatus::AcceptedTechnicalValidation
        )
    );
    assert_eq!(
        (payment.total.to_string().as_str(), payment.served_from),
        ("12.50", ServedFrom::Bank)
    );
    assert!(payment.ordered.get("psu_redirect_link").is_none());
    assert!(payment.said.debtor_iban.unwrap().contains("XYZB"));
    assert_eq!(
        street.get(&pair).await.served_from,
        ServedFrom::Cache,
        "asked a moment ago"
    );
    street.world.advance(3);
    let payment = street.get(&pair).await;
    assert_eq!(
        (payment.status, payment.is_final),
        (PaymentStatus::SettledForDebtor, true)
    );
    assert!(payment.updated_at > payment.created_at);
    street.world.advance(60);
    assert_eq!(
        street.get(&pair).await.served_from,
        ServedFrom::Cache,
        "final"
    );
    assert_eq!(
        code(street.cancel(&pair).await),
        Code::PaymentNotCancellable
    );
    street.world.bank().close().await;
}

async fn a_bank_that_is_down_breaks_no_answer(db: Db) {
    let street = Street::open(db).await;
    let pair = street
        .paid(transfer(
            json!({ "requested_execution_date": "2026-01-05" }),
        ))
        .await;
    let before = street.get(&pair).await;
    street.world.bank().close().await;
    street.world.advance(60);
    let after = street.get(&pair).await;
    assert_eq!((after.status, after.as_of), (before.status, before.as_of));
    assert_eq!(after.served_from, ServedFrom::Cache);
    assert_eq!(
        code(street.cancel(&pair).await),
        Code::ExternalApiConnectionError
    );
    street.world.advance(3600);
    street.world.work().await;
    assert_eq!(street.get(&pair).await.status, before.status);
}

async fn a_payment_is_ordered_and_grows_old_by_its_tenants_time(db: Db) {
    let street = Street::open(db).await;
    let pair = street.paid(transfer(json!({}))).await;
    street.get(&pair).await;
    assert_eq!(street.get(&pair).await.served_from, ServedFrom::Cache);
    let tenant = street.world.client.tenant();
    let ahead = |hours| {
        let by = std::time::Duration::from_hours(hours);
        street.world.state.clock.set_ahead(tenant.0, by);
    };
    ahead(1);
    let payment = street.get(&pair).await;
    assert_eq!(payment.served_from, ServedFrom::Bank);
    assert_eq!(payment.as_of, Some(street.world.state.now_of(tenant)));
    // The day has come by then, and is over by then.
    let on = json!({ "requested_execution_date": "2026-01-05" });
    let opened = street.world.client.open(PISP).await;
    ahead(10 * 24);
    let opened_then = street.world.client.open(PISP).await;
    let late = street.submit(&opened_then, transfer(on)).await;
    assert_eq!(code(late), Code::InvalidInput);
    let expired = street.submit(&opened, transfer(json!({}))).await;
    assert_eq!(code(expired), Code::SessionEnded);
    street.world.bank().close().await;
}

async fn a_pair_reads_its_own_kind_and_its_own_payment(db: Db) {
    let street = Street::open(db).await;
    let pair = street.paid(transfer(json!({}))).await;
    let accounts =
        crate::services::consents::accounts::list(&street.world.state, &street.world.client, &pair)
            .await;
    assert_eq!(code(accounts.map(|_| ())), Code::WrongKindOfConsent);
    let own = street.get(&pair).await.id;
    let by_id = |id| payments::get(&street.world.state, &street.world.client, &pair, Some(id));
    assert_eq!(by_id(own).await.unwrap().id, own);
    let other = street.paid(transfer(json!({}))).await;
    for id in [
        street.get(&other).await.id,
        PaymentId(street.world.state.clock.id()),
    ] {
        assert_eq!(code(by_id(id).await.map(|_| ())), Code::NotFound);
    }
    let stranger = street.world.beside().await.client;
    let foreign = payments::get(&street.world.state, &stranger, &pair, None).await;
    assert_eq!(code(foreign.map(|_| ())), Code::InvalidCredentialsId);
    // An account consent has no payment.
    let opened = sessions::create(&street.world.state, &street.world.client, new_session(AISP))
        .await
        .unwrap();
    let consent = NewStep {
        session_id: opened.session_id,
        nonce: opened.nonce.into(),
        ..sca()
    };
    let taken = steps::submit(&street.world.state, &street.world.client.named(), consent)
        .await
        .unwrap();
    let page = taken.data["url"].as_str().unwrap();
    let back = walk_with(page, "approve", ("accounts", "201")).await;
    let link = street.come_back(&back).await;
    let pair = street
        .world
        .client
        .redeem(&query(&link, "temp_token").unwrap())
        .await;
    let payment = payments::get(&street.world.state, &street.world.client, &pair, None).await;
    assert_eq!(code(payment.map(|_| ())), Code::WrongKindOfConsent);
    street.world.bank().close().await;
}

async fn a_later_payment_is_called_off_once_and_for_all(db: Db) {
    let street = Street::open(db).await;
    let pair = street
        .paid(transfer(
            json!({ "requested_execution_date": "2026-01-05" }),
        ))
        .await;
    assert_eq!(street.get(&pair).await.kind, PaymentKind::FutureDated);
    let off = street.cancel(&pair).await.unwrap();
    assert_eq!((off.status, off.is_final), (PaymentStatus::Cancelled, true));
    assert_eq!(
        street.cancel(&pair).await.unwrap().status,
        PaymentStatus::Cancelled
    );
    street.advance(chrono::Duration::days(5));
    assert_eq!(street.get(&pair).await.status, PaymentStatus::Cancelled);
    assert_eq!(street.at_bank().await, ["CANC"]);
    street.world.bank().close().await;
}

async fn a_job_follows_it_to_the_end(db: Db) {
    let street = Street::open(db).await;
    let standing = transfer(
        json!({ "frequency": "Weekly", "start_date": "2026-01-05", "end_date": "2026-01-12" }),
    );
    let pair = street.paid(standing).await;
    let id = street.get(&pair).await.id;
    for _ in 0..13 * 24 {
        street.advance(chrono::Duration::hours(1));
        street.world.work().await;
    }
    let mut tx = street.world.state.db.read().await.unwrap();
    let row = tx.payment(id).await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.is_final),
        (PaymentStatus::SettledForDebtor, true)
    );
    let jobs = tx.jobs(false, 1_000).await.unwrap();
    let follows = jobs.iter().any(|job| job.kind == "follow_payment");
    assert!(!follows, "nobody looks at what is final");
    drop(tx);
    assert_eq!(street.get(&pair).await.said.executions.unwrap().done, 2);
    street.world.bank().close().await;
}

async fn an_end_user_who_does_not_come_back_has_paid_all_the_same(db: Db) {
    let street = Street::open(db).await;
    let (opened, url) = street.order(transfer(json!({}))).await;
    street.world.advance(60);
    street.world.work().await;
    let standing = || {
        sessions::get(
            &street.world.state,
            &street.world.client,
            opened.session_id,
            SessionProof::Secret,
        )
    };
    assert_eq!(
        standing().await.unwrap().status,
        SessionStatus::InProgress,
        "not decided yet"
    );
    let back = walk(&url, "approve").await;
    street.world.advance(60);
    street.world.work().await;
    let found = standing().await.unwrap();
    assert_eq!(found.status, SessionStatus::Completed);
    let pair = street.world.client.redeem(&found.temp_token.unwrap()).await;
    assert_eq!(
        street.get(&pair).await.status,
        PaymentStatus::SettledForDebtor
    );
    // The browser was only slow: its session came to a good end, and it says so.
    let link = street.come_back(&back).await;
    assert_eq!(
        query(&link, "error_code").as_deref(),
        Some("already_completed")
    );
    assert_eq!(query(&link, "error"), None);
    street.world.bank().close().await;
}

async fn a_refusal_in_the_url_is_not_believed(db: Db) {
    let street = Street::open(db).await;
    let (_, url) = street.order(transfer(json!({}))).await;
    let back = walk(&url, "approve").await;
    let lie = Back {
        state: back.state.clone(),
        code: None,
    };
    let link = street.come_back(&lie).await;
    assert_eq!(query(&link, "error"), None, "{link}");
    assert_eq!(
        query(&link, "temp_token"),
        None,
        "whoever knows the address could have sent it"
    );
    let guess = Back {
        state: back.state.clone(),
        code: Some("guessed".into()),
    };
    let link = street.come_back(&guess).await;
    assert_eq!(query(&link, "temp_token"), None, "{link}");
    // The honest return of the browser that was at the bank has the bank's code.
    let link = street.come_back(&back).await;
    let pair = street
        .world
        .client
        .redeem(&query(&link, "temp_token").unwrap())
        .await;
    assert_eq!(
        street.get(&pair).await.status,
        PaymentStatus::AcceptedTechnicalValidation
    );
    street.world.bank().close().await;
}

async fn a_refused_payment_can_be_ordered_again(db: Db) {
    let street = Street::open(db).await;
    let (opened, url) = street.order(transfer(json!({}))).await;
    let link = street.come_back(&walk(&url, "refuse").await).await;
    assert_eq!(query(&link, "error").as_deref(), Some("access_denied"));
    // Nobody decided, and the browser says that it was refused: it is closed at the bank.
    let standing = sessions::get(
        &street.world.state,
        &street.world.client,
        opened.session_id,
        SessionProof::Secret,
    )
    .await
    .unwrap();
    let nonce = standing.nonce.unwrap();
    let again = intent(&opened, &nonce, transfer(json!({})));
    let taken = steps::submit(&street.world.state, &street.world.client.named(), again)
        .await
        .unwrap();
    let url = taken.data["url"].as_str().unwrap();
    let state = query(url, "state").unwrap();
    street.come_back(&Back { state, code: None }).await;
    let mut ended = street.at_bank().await;
    ended.sort_unstable();
    assert_eq!(ended, ["CANC", "RJCT"]);
    street.world.bank().close().await;
}

async fn a_session_called_off_takes_its_payment_along(db: Db) {
    let street = Street::open(db).await;
    let (opened, _) = street.order(transfer(json!({}))).await;
    let cancel = |id| {
        sessions::cancel(
            &street.world.state,
            &street.world.client,
            id,
            SessionProof::Secret,
        )
    };
    cancel(opened.session_id).await.unwrap();
    street.world.work().await;
    assert_eq!(
        street.at_bank().await,
        ["CANC"],
        "nobody can agree to it any more"
    );
    // Agreed to, but not exchanged: a later one is called off.
    let (opened, url) = street
        .order(transfer(
            json!({ "requested_execution_date": "2026-01-05" }),
        ))
        .await;
    street.come_back(&walk(&url, "approve").await).await;
    cancel(opened.session_id).await.unwrap();
    street.world.work().await;
    assert_eq!(street.at_bank().await, ["CANC", "CANC"]);
    street.world.bank().close().await;
}

async fn what_was_ordered_is_erased_with_its_consent(db: Db) {
    let street = Street::open(db).await;
    let pair = street.paid(transfer(json!({}))).await;
    let id = street.get(&pair).await.id;
    let (abandoned, _) = street.order(transfer(json!({}))).await;
    lifecycle::delete(&street.world.state, &street.world.client, &pair, Some(0))
        .await
        .unwrap();
    street.advance(chrono::Duration::days(3));
    crate::services::sessions::erasure::erase(&street.world.state)
        .await
        .unwrap();
    let mut tx = street.world.state.db.write().await.unwrap();
    assert!(tx.payment(id).await.unwrap().is_none());
    let left = tx
        .poll_now(abandoned.session_id, street.world.state.clock.now())
        .await
        .unwrap();
    assert!(
        left.is_none(),
        "what nobody authorised goes with its session"
    );
    drop(tx);
    assert_eq!(
        code(
            payments::get(&street.world.state, &street.world.client, &pair, None)
                .await
                .map(|_| ())
        ),
        Code::InactiveCredentials
    );
    street.world.bank().close().await;
}

async fn data_that_no_schema_refuses_is_refused_at_the_field(db: Db) {
    let street = Street::open(db).await;
    let opened = street.world.client.open(PISP).await;
    let past = transfer(json!({ "requested_execution_date": "2025-12-31" }));
    let Err(ApiError::Refused(refusal)) = street.submit(&opened, past).await else {
        panic!("was not refused")
    };
    assert_eq!(refusal.code, Code::InvalidInput);
    assert_eq!(
        refusal.fields[0].path,
        "data.payment_info[0].requested_execution_date"
    );
    assert!(street.at_bank().await.is_empty());
    street.submit(&opened, transfer(json!({}))).await.unwrap();
    street.world.bank().close().await;
}
