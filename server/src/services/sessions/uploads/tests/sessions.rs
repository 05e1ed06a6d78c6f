//! Who may send a file and when, and what waits for it.

use super::*;

on_both!(
    the_nonce_of_a_step_authorises_its_files_and_no_others,
    a_step_takes_files_until_the_next_is_submitted,
    a_session_that_is_over_takes_none,
    only_the_kinds_of_the_manifest_are_taken,
    the_next_step_waits_for_required_files,
    the_last_step_waits_for_its_files_and_so_does_the_token,
    a_session_that_waits_can_be_called_off_and_expires,
    a_lost_answer_to_the_last_file_is_given_again,
    a_redirect_may_end_before_its_files_or_after,
    files_and_the_end_user_may_come_at_the_same_moment,
    a_session_that_is_called_off_as_its_last_file_comes_is_one_or_the_other
);

async fn the_nonce_of_a_step_authorises_its_files_and_no_others(db: Db) {
    let desk = CardDesk::new(db).await;
    let (step, other) = (desk.at_first().await, desk.at_first().await);
    let with = async |nonce: &str| {
        let new = UploadRequest {
            nonce: nonce.to_owned().into(),
            ..desk.upload(&step, "id_front")
        };
        refusal(desk.world.client.begin_upload(new).await.map(drop))
    };
    for (nonce, why) in [
        ("nonsense", "No nonce like this"),
        (other.nonce.as_str(), "another session"),
        (step.next_nonce.as_deref().unwrap(), "another step"),
    ] {
        let refused = with(nonce).await;
        assert_eq!(refused.code, Code::InvalidNonce);
        assert!(refused.message.unwrap().contains(why), "{why}");
    }
    // Another tenant's step is an unknown one, even with its nonce.
    let stranger = desk.beside().await;
    let foreign = stranger.upload(&step, "id_front");
    let foreign = stranger.world.client.begin_upload(foreign).await;
    let unknown = UploadRequest {
        step_id: StepId(uuid::Uuid::nil()),
        ..desk.upload(&step, "id_front")
    };
    let (foreign, unknown) = (
        refusal(foreign.map(drop)),
        refusal(desk.world.client.begin_upload(unknown).await.map(drop)),
    );
    assert_eq!(
        (foreign.code, foreign.message),
        (unknown.code, unknown.message)
    );
    assert_eq!(unknown.code, Code::NotFound);
    // The path that names the session too names both rightly or neither.
    for (session, code) in [
        (step.session, None),
        (other.session, Some(Code::NotFound)),
        (SessionId(uuid::Uuid::nil()), Some(Code::InvalidSessionId)),
    ] {
        let new = UploadRequest {
            session_id: Some(session),
            ..desk.upload(&step, "id_front")
        };
        let begun = desk.world.client.begin_upload(new).await.map(drop);
        assert_eq!(
            begun.err().map(|failure| self::code::<()>(Err(failure))),
            code
        );
    }
    // The nonce's half hour was for submitting the step.
    desk.world.advance(31 * 60);
    desk.send(&step, "id_front", &png(12, 1)).await.unwrap();
}

async fn a_step_takes_files_until_the_next_is_submitted(db: Db) {
    let desk = CardDesk::new(db).await;
    let first = desk.at_first().await;
    desk.send(&first, "id_front", &png(12, 1)).await.unwrap();
    let mut late = desk
        .world
        .client
        .begin_upload(desk.upload(&first, "id_back"))
        .await
        .unwrap();
    late.take(&png(2 * CHUNK, 2)).await.unwrap();
    desk.submit(
        first.session,
        first.next_nonce.as_deref().unwrap(),
        "confirm",
    )
    .await
    .unwrap();
    for refused in [
        refusal(late.finish().await),
        refusal(desk.send(&first, "id_back", &png(12, 3)).await),
    ] {
        assert_eq!(refused.code, Code::InvalidNonce);
        assert!(refused.message.unwrap().contains("next step was submitted"));
    }
    desk.left((1, 1)).await;
}

async fn a_session_that_is_over_takes_none(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    let mut late = desk
        .world
        .client
        .begin_upload(desk.upload(&step, "id_front"))
        .await
        .unwrap();
    late.take(&png(CHUNK + 1, 1)).await.unwrap();
    let cancel = crate::services::sessions::lifecycle::cancel;
    cancel(
        &desk.world.state,
        &desk.world.client,
        step.session,
        SessionProof::Secret,
    )
    .await
    .unwrap();
    assert_eq!(code(late.finish().await), Code::SessionEnded);
    assert_eq!(
        code(desk.send(&step, "id_front", &png(12, 1)).await),
        Code::SessionEnded
    );
    let step = desk.at_first().await;
    desk.world.advance(3600);
    assert_eq!(
        code(desk.send(&step, "id_front", &png(12, 1)).await),
        Code::SessionEnded
    );
    desk.left((0, 0)).await;
}

async fn only_the_kinds_of_the_manifest_are_taken(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    let refused = refusal(desk.send(&step, "selfie", &png(12, 1)).await);
    assert_eq!(
        (refused.code, refused.fields[0].path.as_str()),
        (Code::InvalidField, "kind")
    );
    assert!(refused.message.unwrap().contains("id_front, id_back"));
}

async fn the_next_step_waits_for_required_files(db: Db) {
    let desk = CardDesk::new(db).await;
    let first = desk.at_first().await;
    let next = first.next_nonce.clone().unwrap();
    desk.send(&first, "id_back", &png(12, 1)).await.unwrap();
    let refused = refusal(desk.submit(first.session, &next, "confirm").await);
    assert_eq!(refused.code, Code::UploadsMissing);
    assert!(refused.message.unwrap().contains("uploads: id_front."));
    assert_eq!(refused.fields[0].path, "uploads.id_front");
    desk.send(&first, "id_front", &png(12, 1)).await.unwrap();
    desk.submit(first.session, &next, "confirm").await.unwrap();
}

async fn the_last_step_waits_for_its_files_and_so_does_the_token(db: Db) {
    let desk = CardDesk::new(db).await;
    let last = desk.at_last().await;
    assert_eq!(last.status, "SESSION_IN_PROGRESS");
    let token = last.temp_token.clone().unwrap();
    let get = crate::services::sessions::lifecycle::get;
    // Half an hour of waiting and asking does not wear the token out.
    for _ in 0..3 {
        desk.world.advance(700);
        let refused = refusal(desk.world.client.exchange(&token).await);
        assert_eq!(refused.code, Code::UploadsMissing);
        assert!(refused.message.unwrap().contains("uploads: selfie."));
        let standing = get(
            &desk.world.state,
            &desk.world.client,
            last.session,
            SessionProof::Nonce(&last.nonce),
        )
        .await
        .unwrap();
        assert_eq!(
            (standing.status.as_str(), standing.temp_token),
            ("SESSION_IN_PROGRESS", Some(token.clone()))
        );
        assert_eq!(standing.step_id, Some(last.step));
    }
    let optional = desk.send(&last, "letter", &png(12, 1)).await.unwrap();
    assert_eq!(optional.status, SessionStatus::InProgress);
    let required = desk.send(&last, "selfie", &png(12, 1)).await.unwrap();
    assert_eq!(required.status, SessionStatus::Completed);
    // Now its clock runs.
    desk.world.advance(599);
    desk.world.client.exchange(&token).await.unwrap();

    let late = desk.at_last().await;
    desk.send(&late, "selfie", &png(12, 1)).await.unwrap();
    desk.world.advance(600);
    assert_eq!(
        code(desk.world.client.exchange(&late.temp_token.unwrap()).await),
        Code::TempTokenExpired
    );
}

async fn a_session_that_waits_can_be_called_off_and_expires(db: Db) {
    let desk = CardDesk::new(db).await;
    let last = desk.at_last().await;
    let token = last.temp_token.clone().unwrap();
    let cancel = crate::services::sessions::lifecycle::cancel;
    let status = cancel(
        &desk.world.state,
        &desk.world.client,
        last.session,
        SessionProof::Nonce(&last.nonce),
    )
    .await;
    assert_eq!(status.unwrap().status, SessionStatus::Cancelled);
    assert_eq!(
        code(desk.world.client.exchange(&token).await),
        Code::TempTokenExpired
    );
    assert_eq!(
        code(desk.send(&last, "selfie", &png(12, 1)).await),
        Code::SessionEnded
    );
    let last = desk.at_last().await;
    desk.world.advance(3600);
    assert_eq!(
        code(
            desk.world
                .client
                .exchange(&last.temp_token.clone().unwrap())
                .await
        ),
        Code::TempTokenExpired
    );
    assert_eq!(
        code(desk.send(&last, "selfie", &png(12, 1)).await),
        Code::SessionEnded
    );
}

async fn a_lost_answer_to_the_last_file_is_given_again(db: Db) {
    let desk = CardDesk::new(db).await;
    let last = desk.at_last().await;
    let file = png(2 * CHUNK, 1);
    let first = desk.send(&last, "selfie", &file).await.unwrap();
    let rows = desk.rows().await;
    let again = desk.send(&last, "selfie", &file).await.unwrap();
    assert_eq!(
        (again.upload_id, again.status),
        (first.upload_id, SessionStatus::Completed)
    );
    for (kind, seed) in [("selfie", 2), ("letter", 1)] {
        let new = desk.send(&last, kind, &png(2 * CHUNK, seed)).await;
        assert_eq!(code(new), Code::SessionEnded, "but nothing new is taken");
    }
    desk.left(rows).await;
}

/// A session whose end-user is at the provider's pages.
async fn away(desk: &CardDesk) -> Accepted {
    let opened = desk.world.client.open(SIGN).await;
    let taken = desk
        .submit(opened.session_id, &opened.nonce, "sign")
        .await
        .unwrap();
    Accepted::new(opened.session_id, opened.nonce, taken)
}

/// The `temp_token` on a link.
fn token(link: &str) -> &str {
    link.split(['=', '&']).nth(1).unwrap()
}

async fn a_redirect_may_end_before_its_files_or_after(db: Db) {
    let desk = CardDesk::new(db).await;
    // The files come while the end-user is away.
    let step = away(&desk).await;
    for kind in ["contract", "annex"] {
        let arrived = desk.send(&step, kind, &png(12, 1)).await.unwrap();
        assert_eq!(arrived.status, SessionStatus::InProgress);
    }
    desk.world
        .client
        .exchange(token(&desk.come_back().await))
        .await
        .unwrap();
    // The end-user is back first; coming back twice gives the same token while it waits.
    let step = away(&desk).await;
    desk.send(&step, "annex", &png(12, 1)).await.unwrap();
    let link = desk.come_back().await;
    assert_eq!(desk.come_back().await, link);
    assert_eq!(
        code(desk.world.client.exchange(token(&link)).await),
        Code::UploadsMissing
    );
    let arrived = desk.send(&step, "contract", &png(12, 1)).await.unwrap();
    assert_eq!(arrived.status, SessionStatus::Completed);
    desk.world.client.exchange(token(&link)).await.unwrap();
}

async fn files_and_the_end_user_may_come_at_the_same_moment(db: Db) {
    let desk = CardDesk::new(db).await;
    for round in 0..20 {
        let step = away(&desk).await;
        let file = png(12, round);
        let (contract, annex, link) = tokio::join!(
            desk.send(&step, "contract", &file),
            desk.send(&step, "annex", &file),
            desk.come_back(),
        );
        contract.unwrap();
        annex.unwrap();
        let exchanged = desk.world.client.exchange(token(&link)).await;
        assert!(
            exchanged.is_ok(),
            "round {round}: whoever is last completes it"
        );
    }
}

async fn a_session_that_is_called_off_as_its_last_file_comes_is_one_or_the_other(db: Db) {
    let desk = CardDesk::new(db).await;
    let cancel = crate::services::sessions::lifecycle::cancel;
    for round in 0..20 {
        let last = desk.at_last().await;
        let file = png(12, round);
        let (sent, cancelled) = tokio::join!(
            desk.send(&last, "selfie", &file),
            cancel(
                &desk.world.state,
                &desk.world.client,
                last.session,
                SessionProof::Secret
            ),
        );
        for refused in [sent.err(), cancelled.err()].into_iter().flatten() {
            let refused = code::<()>(Err(refused));
            assert!(
                matches!(refused, Code::SessionEnded | Code::StepInFlight),
                "{refused}"
            );
        }
        let ended = cancel(
            &desk.world.state,
            &desk.world.client,
            last.session,
            SessionProof::Secret,
        )
        .await;
        assert_eq!(ended.unwrap().status, SessionStatus::Cancelled);
    }
}
