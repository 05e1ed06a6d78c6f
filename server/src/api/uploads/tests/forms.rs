//! Forms that are refused, and what is said of them.

use super::*;

on_both!(
    the_fields_come_first_and_are_strict,
    what_is_wrong_with_keys_ids_and_origins_is_said,
    another_media_type_is_none,
    forms_are_read_in_every_legal_spelling,
    what_makes_a_form_unreadable_is_named,
    a_file_under_another_name_is_told_its_own,
);

#[expect(
    clippy::too_many_lines,
    reason = "one list of everything that may be wrong"
)]
async fn the_fields_come_first_and_are_strict(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
    let (file, tenant) = (png(200_000, 1), api.desk.world.client.tenant().to_string());
    let whole = || api.form(&step, "id_front");
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
                .field("client_secret", &api.desk.world.client.secret)
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
        let refused = api.post(&step, &body).await;
        assert_eq!(refused.code(), code, "{}", refused.body);
        assert!(refused.says(says), "{says}: {}", refused.body);
    }
    api.desk.left((0, 0)).await;
    api.close().await;
}

async fn what_is_wrong_with_keys_ids_and_origins_is_said(db: Db) {
    let api = UploadApi::new(db).await;
    let (step, other) = (api.desk.at_first().await, api.desk.at_first().await);
    let file = png(50, 1);
    let body = api.form(&step, "id_front").file(&file).end();
    let wrong_key = api
        .form(&step, "id_front")
        .field("client_app_key", "wrong")
        .file(&file)
        .end();
    assert_eq!(
        api.post(&step, &wrong_key).await.code(),
        (401, "invalid_api_keys")
    );
    assert_eq!(api.post(&other, &body).await.code(), (401, "invalid_nonce"));
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
        assert_eq!(api.send(&path, "", &body).await.code(), code, "{path}");
    }
    let elsewhere = api
        .send(&path(&step), "Origin: https://elsewhere.example\r\n", &body)
        .await;
    assert_eq!(elsewhere.code(), (403, "origin_not_allowed"));
    assert!(
        elsewhere.head.contains("access-control-allow-origin: *"),
        "a browser may read why"
    );
    api.desk.left((0, 0)).await;
    assert_eq!(api.post(&step, &body).await.status, 200);
    api.close().await;
}

async fn another_media_type_is_none(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
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
        let refused = answer(api.begin(&path(&step), &headers, 0).await).await;
        assert_eq!(refused.code(), (415, "invalid_headers"), "{media}");
        assert!(
            refused.body["hint"]
                .as_str()
                .unwrap()
                .contains("multipart/form-data")
        );
    }
    api.close().await;
}

/// A form as another library writes it: `{CLIENT}`, `{NONCE}` and `{FILE}` stand for what a step needs.
fn written(api: &UploadApi, step: &Accepted, text: &str, file: &[u8]) -> Vec<u8> {
    let text = text
        .replace("{CLIENT}", &api.desk.world.client.tenant().to_string())
        .replace("{NONCE}", &step.nonce)
        .replace("{B}", BOUNDARY);
    let (front, rest) = text.split_once("{FILE}").unwrap();
    [front.as_bytes(), file, rest.as_bytes()].concat()
}

const FIELDS: &str = "--{B}\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n{CLIENT}\r\n--{B}\r\nContent-Disposition: form-data; name=\"nonce\"\r\n\r\n{NONCE}\r\n--{B}\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\nid_front\r\n";

async fn forms_are_read_in_every_legal_spelling(db: Db) {
    let api = UploadApi::new(db).await;
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
        let step = api.desk.at_first().await;
        let sent = api.post(&step, &written(&api, &step, &form, &file)).await;
        assert_eq!(sent.status, 200, "{form}: {}", sent.body);
    }
    let step = api.desk.at_first().await;
    let body = api.form(&step, "id_front").file(&file).end();
    let media =
        format!("Content-Type: Multipart/Form-Data; charset=utf-8; Boundary=\"{BOUNDARY}\"\r\n");
    let mut stream = api.begin(&path(&step), &media, body.len()).await;
    stream.write_all(&body).await.unwrap();
    let sent = answer(stream).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    api.close().await;
}

async fn a_file_under_another_name_is_told_its_own(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
    let part = |head: &str| format!("{FIELDS}--{{B}}\r\n{head}\r\n\r\n{{FILE}}\r\n--{{B}}--\r\n");
    // The name is refused before the size and the content are looked at.
    for (name, file) in [
        ("File", png(500, 1)),
        ("file[]", png(500, 1)),
        ("document", png(2_000_000, 1)),
    ] {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"a.png\"");
        let sent = written(&api, &step, &part(&head), &file);
        let refused = api.post(&step, &sent).await;
        assert_eq!(refused.code(), (400, "unknown_fields"), "{name}");
        assert!(refused.says(name), "{name}: {}", refused.body);
    }
    api.close().await;
}

async fn what_makes_a_form_unreadable_is_named(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
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
        let refused = api.post(&step, &written(&api, &step, &form, &file)).await;
        assert_eq!(
            refused.code(),
            (400, "invalid_body"),
            "{form}: {}",
            refused.body
        );
        assert!(refused.says(says), "{says}: {}", refused.body);
    }
    let body = written(&api, &step, &good, &file);
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
        let mut stream = api.begin(&path(&step), headers, body.len()).await;
        stream.write_all(&body).await.ok();
        let refused = answer(stream).await;
        assert_eq!(refused.code(), (415, "invalid_headers"), "{headers}");
        assert!(refused.says(says), "{says}: {}", refused.body);
        let packed = headers.contains("gzip");
        assert_eq!(refused.head.contains("accept-encoding: identity"), packed);
    }
    api.desk.left((0, 0)).await;
    api.close().await;
}
