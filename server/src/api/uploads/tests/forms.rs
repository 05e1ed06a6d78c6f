//! Forms that are refused, and what is said of them.

use super::*;

on_both!(
    the_fields_come_first_and_are_strict,
    what_is_wrong_with_keys_ids_and_origins_is_said,
    another_media_type_is_none,
    forms_are_read_in_every_legal_spelling,
    what_makes_a_form_unreadable_is_named,
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

/// A form as another library writes it: `{CLIENT}`, `{NONCE}` and `{FILE}` stand for what a step needs.
fn written(door: &Door, step: &Accepted, text: &str, file: &[u8]) -> Vec<u8> {
    let text = text
        .replace("{CLIENT}", &door.desk.world.tenant.to_string())
        .replace("{NONCE}", &step.nonce)
        .replace("{B}", BOUNDARY);
    let (front, rest) = text.split_once("{FILE}").unwrap();
    [front.as_bytes(), file, rest.as_bytes()].concat()
}

const FIELDS: &str = "--{B}\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n{CLIENT}\r\n--{B}\r\nContent-Disposition: form-data; name=\"nonce\"\r\n\r\n{NONCE}\r\n--{B}\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\nid_front\r\n";

async fn forms_are_read_in_every_legal_spelling(db: Db) {
    let door = Door::new(db).await;
    let file = png(500, 1);
    let part = |head: &str| format!("{FIELDS}--{{B}}\r\n{head}\r\n\r\n{{FILE}}\r\n--{{B}}--\r\n");
    for form in [
        part("Content-Disposition: Form-Data; Name=\"file\"; FileName=\"a.png\""),
        part("content-disposition: form-data;name=file;filename=a.png"),
        part(
            "CONTENT-DISPOSITION:form-data ; filename=\"a\\\"b;.png\" ; NAME = \"file\"\r\nContent-Transfer-Encoding: 8bit",
        ),
        format!(
            "--{{B}}\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nutf-8\r\n{}",
            part("Content-Disposition: form-data; name=\"file\"")
        ),
        part("Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%e2%82%ac.png"),
    ] {
        let step = door.desk.at_first().await;
        let sent = door.post(&step, &written(&door, &step, &form, &file)).await;
        assert_eq!(sent.status, 200, "{form}: {}", sent.body);
    }
    let step = door.desk.at_first().await;
    let body = door.form(&step, "id_front").file(&file).end();
    let media =
        format!("Content-Type: Multipart/Form-Data; charset=utf-8; Boundary=\"{BOUNDARY}\"\r\n");
    let mut stream = door.begin(&path(&step), &media, body.len()).await;
    stream.write_all(&body).await.unwrap();
    let sent = answer(stream).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    door.close().await;
}

async fn what_makes_a_form_unreadable_is_named(db: Db) {
    let door = Door::new(db).await;
    let step = door.desk.at_first().await;
    let file = png(500, 1);
    let part = |head: &str| format!("{FIELDS}--{{B}}\r\n{head}\r\n\r\n{{FILE}}\r\n--{{B}}--\r\n");
    let good = part("Content-Disposition: form-data; name=\"file\"");
    for (form, says) in [
        (
            part("Content-Disposition: form-data; name*=UTF-8''file"),
            "name*",
        ),
        (
            part("Content-Disposition: form-data; name='file'"),
            "single quotes",
        ),
        (
            part("Content-Disposition: attachment; name=\"file\""),
            "must be form-data",
        ),
        (
            part(
                "Content-Disposition: form-data; name=\"file\"\r\nContent-Transfer-Encoding: Base64",
            ),
            "Content-Transfer-Encoding: base64",
        ),
        (
            part("Content-Disposition: form-data; name=\"file\"\r\nContent-Encoding: gzip"),
            "packed",
        ),
        (part("Content-Type: image/png"), "no Content-Disposition"),
        (good.replace("\r\n", "\n"), "line feed alone"),
        (
            format!(
                "--{{B}}\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nISO-8859-1\r\n{good}"
            ),
            "ISO-8859-1: write it in UTF-8",
        ),
    ] {
        let refused = door.post(&step, &written(&door, &step, &form, &file)).await;
        assert_eq!(
            refused.code(),
            (400, "invalid_body"),
            "{form}: {}",
            refused.body
        );
        assert!(refused.says(says), "{says}: {}", refused.body);
    }
    let body = written(&door, &step, &good, &file);
    for (headers, says) in [
        (
            "Content-Type: multipart/form-data; boundary=first; boundary=XbOuNd\r\n",
            "two boundaries",
        ),
        (
            "Content-Type: multipart/form-data; boundary=a\r\nContent-Type: multipart/form-data; boundary=b\r\n",
            "two Content-Type",
        ),
        (
            "Content-Type: multipart/form-data; boundary=a\r\nContent-Encoding: gzip\r\n",
            "Content-Encoding: gzip",
        ),
    ] {
        let mut stream = door.begin(&path(&step), headers, body.len()).await;
        stream.write_all(&body).await.ok();
        let refused = answer(stream).await;
        assert_eq!(refused.code(), (415, "invalid_headers"), "{headers}");
        assert!(refused.says(says), "{says}: {}", refused.body);
        let packed = headers.contains("gzip");
        assert_eq!(refused.head.contains("accept-encoding: identity"), packed);
    }
    door.desk.left((0, 0)).await;
    door.close().await;
}
