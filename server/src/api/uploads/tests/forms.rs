//! Forms that are refused, and what is said of them.

use super::*;

on_both!(
    the_fields_come_first_and_are_strict,
    what_is_wrong_with_keys_ids_and_origins_is_said,
    another_media_type_is_none
);

#[expect(
    clippy::too_many_lines,
    reason = "one list of everything that may be wrong"
)]
async fn the_fields_come_first_and_are_strict(db: Db) {
    let door = Door::new(db).await;
    let step = door.desk.at_first().await;
    let (file, tenant) = (png(200_000, 1), door.desk.world.tenant.to_string());
    let whole = || door.form(&step, "id_front");
    let cases: [(Vec<u8>, (u16, &str), &str); 11] = [
        (
            Form::new()
                .file(&file)
                .field("client_id", &tenant)
                .field("nonce", &step.nonce)
                .field("kind", "id_front")
                .end(),
            (400, "missing_fields"),
            "Missing before the file: kind, client_id, nonce.",
        ),
        (
            Form::new()
                .field("client_id", &tenant)
                .field("nonce", &step.nonce)
                .file(&file)
                .field("kind", "id_front")
                .end(),
            (400, "missing_fields"),
            "Missing before the file: kind.",
        ),
        (whole().end(), (400, "missing_fields"), "Missing: file."),
        (
            Form::new().end(),
            (400, "missing_fields"),
            "Missing: kind, client_id, nonce, file.",
        ),
        (
            whole().field("colour", "red").file(&file).end(),
            (400, "unknown_fields"),
            "Not known here: colour.",
        ),
        (
            whole()
                .field("client_secret", &door.desk.world.client_secret)
                .file(&file)
                .end(),
            (400, "unknown_fields"),
            "client_secret",
        ),
        (
            whole().file(&file).field("client_app_key", "late").end(),
            (400, "invalid_body"),
            "after the file",
        ),
        (
            whole().file(&file).file(&file).end(),
            (400, "invalid_body"),
            "after the file",
        ),
        (
            whole().field("kind", "id_front").file(&file).end(),
            (400, "invalid_body"),
            "given twice",
        ),
        (
            Form::new()
                .field("client_id", &tenant)
                .field("nonce", &step.nonce)
                .field("kind", "passport")
                .file(&file)
                .end(),
            (400, "invalid_field"),
            "id_front, id_back",
        ),
        (
            whole().file(b"<svg onload=alert(1)>").end(),
            (400, "invalid_field"),
            "neither PDF",
        ),
    ];
    for (body, code, says) in cases {
        let refused = door.post(&step, &body).await;
        assert_eq!(refused.code(), code, "{}", refused.body);
        assert!(refused.says(says), "{says}: {}", refused.body);
    }
    door.desk.left((0, 0)).await;
    door.close().await;
}

async fn what_is_wrong_with_keys_ids_and_origins_is_said(db: Db) {
    let door = Door::new(db).await;
    let (step, other) = (door.desk.at_first().await, door.desk.at_first().await);
    let file = png(50, 1);
    let body = door.form(&step, "id_front").file(&file).end();
    let wrong_key = door
        .form(&step, "id_front")
        .field("client_app_key", "wrong")
        .file(&file)
        .end();
    assert_eq!(
        door.post(&step, &wrong_key).await.code(),
        (401, "invalid_api_keys")
    );
    assert_eq!(
        door.post(&other, &body).await.code(),
        (401, "invalid_nonce")
    );
    for (path, code) in [
        ("/v1/steps/nonsense/upload".to_owned(), (404, "not_found")),
        (
            format!("/v1/steps/{}/upload", uuid::Uuid::nil()),
            (404, "not_found"),
        ),
        (
            format!("/v1/sessions/nonsense/steps/{}/upload", step.step),
            (404, "invalid_session_id"),
        ),
        (
            format!("/v1/sessions/{}/steps/{}/upload", other.session, step.step),
            (404, "not_found"),
        ),
    ] {
        assert_eq!(door.send(&path, "", &body).await.code(), code, "{path}");
    }
    let elsewhere = door
        .send(&path(&step), "Origin: https://elsewhere.example\r\n", &body)
        .await;
    assert_eq!(elsewhere.code(), (403, "origin_not_allowed"));
    assert!(
        elsewhere.head.contains("access-control-allow-origin: *"),
        "a browser may read why"
    );
    door.desk.left((0, 0)).await;
    assert_eq!(door.post(&step, &body).await.status, 200);
    door.close().await;
}

async fn another_media_type_is_none(db: Db) {
    let door = Door::new(db).await;
    let step = door.desk.at_first().await;
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    for media in [
        "application/json",
        "image/png",
        "multipart/mixed; boundary=b",
        "multipart/form-data",
        &long,
        "",
    ] {
        let headers = format!("Content-Type: {media}\r\n");
        let refused = answer(door.begin(&path(&step), &headers, 0).await).await;
        assert_eq!(refused.code(), (415, "invalid_headers"), "{media}");
        assert!(
            refused.body["hint"]
                .as_str()
                .unwrap()
                .contains("multipart/form-data")
        );
    }
    door.close().await;
}
