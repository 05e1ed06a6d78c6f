//! Forms, well made and otherwise, as streams of bytes.

use std::convert::Infallible;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use axum::body::Body;
use futures_util::stream::{self, StreamExt as _};
use kernel::gate::MemoryShare;

use super::*;

const END: &str = "\r\n--xx--\r\n";

fn field(name: &str, value: &str) -> String {
    format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &str) -> String {
    format!(
        "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n{content}"
    )
}

fn form(body: Body, pace: Pace) -> (Multipart<'static>, Arc<Allowance>) {
    let allowance = Arc::new(Allowance::new(MemoryShare::default()));
    let body = FormBody::new(SharedBody::new(body, false), allowance.clone(), pace);
    (Multipart::new(body, "xx"), allowance)
}

/// Reads a whole form with a file of up to `most` bytes.
async fn read_at_pace(
    body: Body,
    most: u64,
    pace: Pace,
) -> Result<(serde_json::Value, Option<Vec<u8>>), Problem> {
    let (mut form, allowance) = form(body, pace);
    let mut values = Object::default();
    let part = fields(&mut form, &mut values, |_| true).await?;
    let had = part.is_some();
    let mut file = IncomingFile {
        form,
        part,
        allowance,
        announced: None,
        signed: None,
    };
    file.at_most(most);
    let mut bytes = Vec::new();
    while let Some(more) = file.next().await? {
        bytes.extend_from_slice(&more);
    }
    let values = values.to_map().unwrap();
    Ok((serde_json::Value::Object(values), had.then_some(bytes)))
}

async fn read(body: impl Into<Body>) -> Result<(serde_json::Value, Option<Vec<u8>>), Problem> {
    read_at_pace(body.into(), 1_000, Pace::BODY).await
}

fn code<T: std::fmt::Debug>(result: Result<T, Problem>) -> Code {
    result.unwrap_err().code()
}

fn in_frames(text: &str, bytes: usize) -> Body {
    let frames: Vec<_> = text
        .as_bytes()
        .chunks(bytes)
        .map(|frame| Ok::<_, Infallible>(frame.to_vec()))
        .collect();
    Body::from_stream(stream::iter(frames))
}

#[tokio::test]
async fn a_form_is_read_however_it_is_cut_into_frames() {
    let text =
        field("client_id", "c") + &field("kind", "id") + &file("bytes\r\n--x not yet\r\n") + END;
    let expected = serde_json::json!({ "client_id": "c", "kind": "id" });
    for bytes in [1, 2, 3, 7, 64, 10_000] {
        let (values, file) = read(in_frames(&text, bytes)).await.unwrap();
        assert_eq!(values, expected);
        assert_eq!(
            file.unwrap(),
            b"bytes\r\n--x not yet\r\n",
            "frames of {bytes}"
        );
    }
    let (_, nothing) = read(field("kind", "id") + "--xx--\r\n").await.unwrap();
    assert_eq!(nothing, None);
}

#[tokio::test]
async fn a_form_that_is_not_whole_or_not_ours_is_refused() {
    let whole = field("kind", "id") + &file("bytes") + END;
    let end = whole.len() - "\r\n".len();
    for cut in 0..end {
        assert_eq!(
            code(read(whole[..cut].to_owned()).await),
            Code::InvalidBody,
            "cut at {cut}"
        );
    }
    let broken = [
        field("kind", "a") + &field("kind", "b") + &file("x") + END,
        file("x") + "\r\n" + &field("kind", "late") + "--xx--\r\n",
        file("x") + "\r\n" + &file("y") + END,
        "--xx\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n".to_owned() + &file("x") + END,
        "--xx\r\nno head\r\n\r\n\r\n--xx--\r\n".to_owned(),
        "{}".to_owned(),
    ];
    for body in broken {
        assert_eq!(code(read(body.clone()).await), Code::InvalidBody, "{body}");
    }
    let not_utf_8 = [
        field("kind", "").trim_end().as_bytes(),
        b"\r\n\r\n\xff\r\n",
        file("x").as_bytes(),
        END.as_bytes(),
    ]
    .concat();
    assert_eq!(code(read(not_utf_8).await), Code::InvalidBody);
    let hung_up = stream::iter([Ok(file("by")), Err(std::io::Error::other("gone"))]);
    assert_eq!(
        code(read(Body::from_stream(hung_up)).await),
        Code::InvalidBody
    );
}

#[tokio::test]
async fn what_is_no_file_is_bounded_too() {
    let much = "x".repeat(70_000);
    let endless = [
        much.clone(),
        format!("--xx\r\nX-Head: {much}"),
        field("kind", &much) + &file("x") + END,
        field(&much, "x") + &file("x") + END,
        field("kind", "id") + &file("x") + "\r\n--xx" + &" ".repeat(140_000) + "--\r\n",
    ];
    for body in endless {
        assert_eq!(
            code(read(body.clone()).await),
            Code::BodyTooLarge,
            "{}",
            &body[..40]
        );
    }
    let (_, small) = read(field("kind", "id") + &file(&"x".repeat(1_000)) + END)
        .await
        .unwrap();
    assert_eq!(small.unwrap().len(), 1_000);
    assert_eq!(
        code(read(file(&"x".repeat(200_000)) + END).await),
        Code::BodyTooLarge
    );
}

#[tokio::test]
async fn nothing_is_read_ahead_of_whoever_wants_it() {
    static FRAMES: AtomicUsize = AtomicUsize::new(0);
    let head = stream::once(async { file("") });
    let frames = stream::repeat_with(|| {
        FRAMES.fetch_add(1, SeqCst);
        "x".repeat(8_192)
    });
    let body = Body::from_stream(head.chain(frames).map(Ok::<_, Infallible>));
    let (mut form, allowance) = form(body, Pace::BODY);
    let part = fields(&mut form, &mut Object::default(), |_| true)
        .await
        .unwrap();
    let mut file = IncomingFile {
        form,
        part,
        allowance,
        announced: None,
        signed: None,
    };
    file.at_most(u64::MAX / 2);
    for read in 1..100 {
        let bytes = file.next().await.unwrap().unwrap();
        assert!(bytes.len() <= 16_384, "{}", bytes.len());
        assert!(FRAMES.load(SeqCst) <= read + 2, "{read}");
    }
}

#[tokio::test]
async fn a_body_that_is_known_to_be_too_large_is_not_read() {
    let (form, allowance) = form(Body::empty(), Pace::BODY);
    let mut file = IncomingFile {
        form,
        part: None,
        allowance,
        announced: Some(1_000 + 64 * 1024),
        signed: None,
    };
    assert!(file.at_most(1_000));
    file.announced = Some(1_001 + 64 * 1024);
    assert!(!file.at_most(1_000));
}

/// A sender that rests before each frame.
fn resting(frames: Vec<String>, rest: Duration) -> Body {
    let frames = stream::iter(frames).then(move |frame| async move {
        tokio::time::sleep(rest).await;
        Ok::<_, Infallible>(frame)
    });
    Body::from_stream(frames)
}

#[tokio::test]
async fn a_sender_may_be_slow_but_not_too_slow() {
    let pace = |millis| Pace {
        patience: Duration::from_millis(millis),
        rate: 1_000_000,
    };
    let frames = |count: usize, bytes: usize| {
        let mut frames = vec![file("")];
        frames.extend((0..count).map(|_| "x".repeat(bytes)));
        frames.push(END.to_owned());
        frames
    };
    // Stops altogether.
    let stalled = resting(frames(1, 1), Duration::from_hours(1));
    assert_eq!(
        code(read_at_pace(stalled, 1_000_000, pace(50)).await),
        Code::RequestTimeout
    );
    // Trickles: each wait is short, all of them together are too long for what came.
    let trickle = resting(frames(100, 1), Duration::from_millis(40));
    assert_eq!(
        code(read_at_pace(trickle, 1_000_000, pace(400)).await),
        Code::RequestTimeout
    );
    // As slow, but with enough in each frame to earn the next wait.
    let steady = resting(frames(30, 60_000), Duration::from_millis(20));
    let (_, file) = read_at_pace(steady, 10_000_000, pace(400)).await.unwrap();
    assert_eq!(file.unwrap().len(), 30 * 60_000);
}

#[test]
fn patience_is_earned_by_bytes_and_never_longer_than_at_first() {
    let pace = Pace::BODY;
    let seconds = Duration::from_secs;
    assert_eq!(pace.left(0, Duration::ZERO), seconds(15));
    assert_eq!(pace.left(0, seconds(10)), seconds(5));
    assert_eq!(pace.left(0, seconds(16)), Duration::ZERO);
    assert_eq!(pace.left(160 * 1024, seconds(20)), seconds(5));
    assert_eq!(pace.left(10 * 1024 * 1024, seconds(20)), seconds(15));
    assert_eq!(pace.left(10 * 1024 * 1024, seconds(650)), seconds(5));
}
