//! Files that are too large, and forms and connections that end in the middle: nothing is left of them.

use super::*;

on_both!(
    a_file_that_is_too_large_is_not_read_to_its_end,
    a_form_that_breaks_off_leaves_nothing
);

async fn a_file_that_is_too_large_is_not_read_to_its_end(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
    let most = 10 * MIB;
    // Announced: refused before the file is sent at all.
    let start = api.form(&step, "id_front").file(&png(100, 1)).0;
    let mut stream = api.begin(&path(&step), &multipart(), most * 2).await;
    stream.write_all(&start).await.unwrap();
    let refused = answer(stream).await;
    assert_eq!(refused.code(), (413, "body_too_large"));
    assert!(refused.says("10485760 bytes"), "{}", refused.body);
    // Not announced: refused at the first byte too many, though more is said to come.
    let whole = api.form(&step, "id_front").file(&png(most + 1, 1)).end();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{}\r\n{:x}\r\n",
        path(&step),
        multipart(),
        1_usize << 40
    );
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&whole).await.unwrap();
    assert_eq!(answer(stream).await.code(), (413, "body_too_large"));
    api.desk.left((0, 0)).await;
    // Exactly as much as may be, and one byte more.
    let last = api.desk.at_last().await;
    let over = api.form(&last, "selfie").file(&png(SELFIE + 1, 1)).end();
    assert_eq!(api.post(&last, &over).await.code(), (413, "body_too_large"));
    let exactly = api.form(&last, "selfie").file(&png(SELFIE, 1)).end();
    let kept = api.post(&last, &exactly).await;
    assert_eq!(
        (kept.status, &kept.body["status"]),
        (200, &json!("SESSION_COMPLETED"))
    );
    api.close().await;
}

async fn a_form_that_breaks_off_leaves_nothing(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
    let body = api.form(&step, "id_front").file(&png(2 * MIB, 1)).end();
    // The body is as long as was said, but its form does not end.
    for cut in [
        body.len() - 5,
        body.len() - BOUNDARY.len() - 10,
        body.len() / 2,
        300,
    ] {
        let refused = api.post(&step, &body[..cut]).await;
        assert_eq!(
            refused.code(),
            (400, "invalid_body"),
            "{cut}: {}",
            refused.body
        );
        assert!(refused.says("broke off"), "{}", refused.body);
        api.desk.left((0, 0)).await;
    }
    // The connection ends: closed for writing, or altogether.
    for cut in [body.len() - 1, body.len() / 2, MIB / 4] {
        for abort in [false, true] {
            let mut stream = api.begin(&path(&step), &multipart(), body.len() + 1).await;
            stream
                .write_all(&body[..cut.min(body.len() - 40)])
                .await
                .unwrap();
            if abort {
                drop(stream);
            } else {
                stream.shutdown().await.unwrap();
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.ok();
            }
            api.desk.left((0, 0)).await;
        }
    }
    assert_eq!(
        api.post(&step, &body).await.status,
        200,
        "and the step takes it still"
    );
    api.close().await;
}
