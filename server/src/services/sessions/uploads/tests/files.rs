//! What a file must be, how it is kept, and what is left of one that never became whole.

use super::*;
use crate::services::portal::audit::AuditActor;
use crate::services::portal::tenants::erasure;

on_both!(
    an_erased_tenant_leaves_no_file,
    a_file_is_kept_sealed_and_read_back_whole,
    pieces_cannot_be_moved_altered_or_left_out,
    the_same_content_is_one_file_however_often_it_is_sent,
    a_step_takes_so_many_files_and_no_more,
    a_file_may_have_so_many_bytes_and_no_more,
    the_content_says_what_a_file_is,
    an_image_of_too_many_pixels_is_refused_by_its_header,
    what_breaks_off_leaves_nothing,
    what_a_crash_leaves_is_swept_away,
    files_are_erased_with_their_session
);

async fn a_file_is_kept_sealed_and_read_back_whole(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    for (size, pieces) in [
        (12, 1),
        (CHUNK - 1, 1),
        (CHUNK, 1),
        (CHUNK + 1, 2),
        (3 * CHUNK + 77, 4),
    ] {
        let (rows, chunks) = desk.rows().await;
        let file = png(size, size as u64);
        let arrived = desk.send(&step, "id_front", &file).await.unwrap();
        assert_eq!(
            (arrived.kind.as_str(), arrived.size),
            ("id_front", size as u64)
        );
        assert_eq!(arrived.sha256, kernel::crypto::sha256_hex(&file));
        assert_eq!(arrived.status, SessionStatus::InProgress);
        assert_eq!(desk.rows().await, (rows + 1, chunks + pieces), "{size}");
        let opened = open(&desk.world.state, step.session, arrived.upload_id)
            .await
            .unwrap();
        assert_eq!(
            (opened.size, opened.media_type.as_str()),
            (size as u64, "image/png")
        );
        assert!(read(&desk, step.session, arrived.upload_id).await.unwrap() == file);
        let mut tx = desk.world.state.db.read().await.unwrap();
        let sealed = tx
            .upload_chunk(arrived.upload_id, 0)
            .await
            .unwrap()
            .unwrap();
        assert!(
            !sealed.windows(8).any(|part| part == &file[..8]),
            "sealed at rest"
        );
    }
    let other = desk.at_first().await;
    let kept = desk.send(&step, "id_front", &png(12, 12)).await.unwrap();
    let foreign = open(&desk.world.state, other.session, kept.upload_id).await;
    assert_eq!(code(foreign.map(drop)), Code::NotFound);
}

async fn pieces_cannot_be_moved_altered_or_left_out(db: Db) {
    let desk = CardDesk::new(db.clone()).await;
    let step = desk.at_first().await;
    let swap = [
        "UPDATE upload_chunks SET position = 9 WHERE position = 0 AND upload_id = $1",
        "UPDATE upload_chunks SET position = 0 WHERE position = 1 AND upload_id = $1",
        "UPDATE upload_chunks SET position = 1 WHERE position = 9 AND upload_id = $1",
    ];
    let cut = [
        "DELETE FROM upload_chunks WHERE position = 2 AND upload_id = $1",
        "UPDATE uploads SET size = 262144 WHERE id = $1",
    ];
    let shrink = ["UPDATE uploads SET size = 5 WHERE id = $1"];
    let other = desk
        .send(&step, "id_back", &png(3 * CHUNK, 9))
        .await
        .unwrap();
    let other = format!(
        "UPDATE upload_chunks SET sealed = (SELECT c.sealed FROM upload_chunks c JOIN uploads u ON u.id = c.upload_id
                                            WHERE u.kind = 'id_back' AND c.position = 1)
         WHERE position = 1 AND upload_id = $1 AND upload_id <> '{}'",
        other.upload_id
    );
    let (swap, cut, shrink) = (
        swap.map(str::to_owned),
        cut.map(str::to_owned),
        shrink.map(str::to_owned),
    );
    let tampers: [&[String]; 4] = [&swap, &cut, &shrink, &[other]];
    for (seed, tamper) in tampers.into_iter().enumerate() {
        let kept = desk
            .send(&step, "id_front", &png(3 * CHUNK, seed as u64))
            .await
            .unwrap();
        assert!(read(&desk, step.session, kept.upload_id).await.is_ok());
        for sql in tamper {
            db.alter_one(sql, kept.upload_id.0).await;
        }
        let tampered = read(&desk, step.session, kept.upload_id).await;
        assert!(matches!(tampered, Err(ApiError::Broken(_))), "{tamper:?}");
    }
}

async fn the_same_content_is_one_file_however_often_it_is_sent(db: Db) {
    let desk = std::sync::Arc::new(CardDesk::new(db).await);
    let step = desk.at_first().await;
    let file = std::sync::Arc::new(png(2 * CHUNK + 5, 1));
    let senders: Vec<_> = (0..16)
        .map(|_| {
            let (desk, step, file) = (desk.clone(), step.clone(), file.clone());
            tokio::spawn(async move { desk.send(&step, "id_front", &file).await })
        })
        .collect();
    let mut ids = Vec::new();
    for sender in senders {
        ids.push(sender.await.unwrap().unwrap().upload_id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "everybody is told of the same file");
    desk.left((1, 3)).await;
    let again = desk.send(&step, "id_front", &file).await.unwrap();
    assert_eq!(again.upload_id, ids[0]);
    // As another kind it is another file; and so it is in another session.
    let back = desk.send(&step, "id_back", &file).await.unwrap();
    let elsewhere = desk.at_first().await;
    let elsewhere = desk.send(&elsewhere, "id_front", &file).await.unwrap();
    assert!(back.upload_id != ids[0] && elsewhere.upload_id != ids[0]);
    desk.left((3, 9)).await;
}

async fn a_step_takes_so_many_files_and_no_more(db: Db) {
    let desk = std::sync::Arc::new(CardDesk::new(db).await);
    let step = desk.at_first().await;
    let senders: Vec<_> = (0..12)
        .map(|seed| {
            let (desk, step) = (desk.clone(), step.clone());
            tokio::spawn(async move { desk.send(&step, "id_front", &png(CHUNK + 9, seed)).await })
        })
        .collect();
    let mut kept = Vec::new();
    for (seed, sender) in senders.into_iter().enumerate() {
        match sender.await.unwrap() {
            Ok(arrived) => kept.push((seed as u64, arrived.upload_id)),
            Err(failure) => assert_eq!(code::<()>(Err(failure)), Code::TooManyUploads),
        }
    }
    assert_eq!(kept.len(), 5);
    desk.left((5, 10)).await;
    let sixth = desk.send(&step, "id_back", &png(12, 99)).await;
    assert!(refusal(sixth).message.unwrap().contains("takes 5 files"));
    let (seed, id) = kept[0];
    let again = desk
        .send(&step, "id_front", &png(CHUNK + 9, seed))
        .await
        .unwrap();
    assert_eq!(again.upload_id, id, "what is there already is no sixth");
    // The manifest of the other step says three.
    let last = desk.at_last().await;
    for seed in 0..3 {
        desk.send(&last, "letter", &png(12, seed)).await.unwrap();
    }
    assert_eq!(
        code(desk.send(&last, "letter", &png(12, 7)).await),
        Code::TooManyUploads
    );
}

async fn a_file_may_have_so_many_bytes_and_no_more(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_last().await;
    let before = desk.rows().await;
    let over = desk.send(&step, "selfie", &png(SELFIE + 1, 1)).await;
    let over = refusal(over);
    assert_eq!(over.code, Code::BodyTooLarge);
    assert!(over.message.unwrap().contains("300000 bytes"));
    desk.left(before).await;
    let exactly = desk.send(&step, "selfie", &png(SELFIE, 1)).await.unwrap();
    assert_eq!(exactly.size, SELFIE as u64);
    // Ten mebibytes where the manifest says nothing.
    let step = desk.at_first().await;
    let before = desk.rows().await;
    let over = desk
        .send(&step, "id_front", &png(10 * 1024 * 1024 + 1, 1))
        .await;
    assert_eq!(code(over), Code::BodyTooLarge);
    desk.left(before).await;
    let exactly = png(10 * 1024 * 1024, 1);
    let kept = desk.send(&step, "id_front", &exactly).await.unwrap();
    assert!(read(&desk, step.session, kept.upload_id).await.unwrap() == exactly);
}

async fn the_content_says_what_a_file_is(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    let webp = b"RIFF\x04\0\0\0WEBPVP8 ".as_slice();
    for (file, media) in [
        (b"%PDF-1.7\n%binary".as_slice(), "application/pdf"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (webp, "image/webp"),
    ] {
        let kept = desk.send(&step, "id_front", file).await.unwrap();
        let opened = open(&desk.world.state, step.session, kept.upload_id)
            .await
            .unwrap();
        assert_eq!(opened.media_type.as_str(), media);
    }
    let mut executable = png(3 * CHUNK, 1);
    executable[..2].copy_from_slice(b"MZ");
    for file in [&b""[..], b"\x89PNG", b"<svg></svg>", &executable] {
        let refused = refusal(desk.send(&step, "id_front", file).await);
        assert_eq!(
            (refused.code, refused.fields[0].path.as_str()),
            (Code::InvalidField, "file")
        );
    }
    desk.left((3, 3)).await;
}

async fn an_image_of_too_many_pixels_is_refused_by_its_header(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    let sized = |width: u32, height: u32, size: usize| {
        let mut file = png(size, 1);
        file[8..16].copy_from_slice(b"\0\0\0\rIHDR");
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        file
    };
    // As one piece, and as the first of several: none of it is kept.
    for size in [100, CHUNK + 100] {
        for (width, height) in [(8_000, 5_001), (u32::MAX, u32::MAX), (1, 40_000_001)] {
            let refused = refusal(
                desk.send(&step, "id_front", &sized(width, height, size))
                    .await,
            );
            assert_eq!(refused.code, Code::InvalidField, "{width} x {height}");
            assert_eq!(refused.fields[0].path, "file");
            assert!(refused.fields[0].message.contains("pixels"));
        }
        desk.left((0, 0)).await;
    }
    desk.send(&step, "id_front", &sized(8_000, 5_000, 100))
        .await
        .unwrap();
    desk.left((1, 1)).await;
}

async fn what_breaks_off_leaves_nothing(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    let mut incoming = desk
        .world
        .client
        .begin_upload(desk.upload(&step, "id_front"))
        .await
        .unwrap();
    incoming.take(&png(3 * CHUNK, 1)).await.unwrap();
    assert_eq!(
        desk.rows().await,
        (1, 2),
        "what has come is written already"
    );
    assert!(
        open(&desk.world.state, step.session, incoming.id())
            .await
            .is_err(),
        "but nobody's"
    );
    drop(incoming);
    desk.left((0, 0)).await;
    // A caller that hangs up while a piece is being written.
    for patience in [0, 1, 2, 5, 10, 20] {
        let mut incoming = desk
            .world
            .client
            .begin_upload(desk.upload(&step, "id_front"))
            .await
            .unwrap();
        let writes = async {
            for seed in 0..40 {
                incoming.take(&png(CHUNK, seed)).await.unwrap();
            }
        };
        let patience = std::time::Duration::from_millis(patience);
        tokio::time::timeout(patience, writes).await.ok();
        drop(incoming);
        desk.left((0, 0)).await;
    }
}

async fn what_a_crash_leaves_is_swept_away(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    let mut crashed = desk
        .world
        .client
        .begin_upload(desk.upload(&step, "id_front"))
        .await
        .unwrap();
    crashed.take(&png(2 * CHUNK + 1, 1)).await.unwrap();
    desk.world.advance(14 * 60);
    let mut alive = desk
        .world
        .client
        .begin_upload(desk.upload(&step, "id_back"))
        .await
        .unwrap();
    alive.take(&png(2 * CHUNK + 1, 2)).await.unwrap();
    crate::services::sessions::erasure::erase(&desk.world.state)
        .await
        .unwrap();
    assert_eq!(desk.rows().await, (2, 4));
    desk.world.advance(61);
    crate::services::sessions::erasure::erase(&desk.world.state)
        .await
        .unwrap();
    assert_eq!(desk.rows().await, (1, 2));
    alive.finish().await.unwrap();
    // One that was given up in error cannot become whole any more, and says why.
    assert_eq!(code(crashed.finish().await), Code::RequestTimeout);
    desk.left((1, 3)).await;
}

async fn files_are_erased_with_their_session(db: Db) {
    let desk = CardDesk::new(db).await;
    let step = desk.at_last().await;
    desk.send(&step, "selfie", &png(2 * CHUNK, 1))
        .await
        .unwrap();
    let crumb = desk
        .world
        .client
        .begin_upload(desk.upload(&step, "selfie"))
        .await;
    assert_eq!(desk.rows().await, (2, 3));
    desk.world
        .client
        .exchange(&step.temp_token.unwrap())
        .await
        .unwrap();
    crate::services::sessions::erasure::erase(&desk.world.state)
        .await
        .unwrap();
    assert_eq!(desk.rows().await, (2, 3), "not before its day is over");
    drop(crumb);
    desk.world.advance(25 * 3600);
    crate::services::sessions::erasure::erase(&desk.world.state)
        .await
        .unwrap();
    assert_eq!(desk.rows().await, (0, 0));
}

async fn an_erased_tenant_leaves_no_file(db: Db) {
    let desk = CardDesk::new(db).await;
    let other = desk.beside().await;
    let (step, theirs) = (desk.at_first().await, other.at_first().await);
    let bytes = png(2 * CHUNK + 1, 1);
    desk.send(&step, "id_front", &bytes).await.unwrap();
    other.send(&theirs, "id_front", &bytes).await.unwrap();
    // And one that is still coming in.
    let mut incoming = desk
        .world
        .client
        .begin_upload(desk.upload(&step, "id_back"))
        .await
        .unwrap();
    incoming.take(&png(3 * CHUNK, 2)).await.unwrap();
    let (files, pieces) = desk.rows().await;
    assert!(files == 3 && pieces > 6);
    let (by, tenant) = (AuditActor::operator(), desk.world.client.tenant());
    erasure::erase(&desk.world.state, &by, tenant)
        .await
        .unwrap();
    assert_eq!(desk.rows().await, (1, 3), "in the act, and nobody else's");
    assert!(incoming.take(&png(2 * CHUNK, 3)).await.is_err());
    assert_eq!(desk.rows().await, (1, 3));
    // What a crash left behind is erased by erasing once more.
    erasure::erase(&desk.world.state, &by, tenant)
        .await
        .unwrap();
    assert_eq!(desk.rows().await, (1, 3));
}
