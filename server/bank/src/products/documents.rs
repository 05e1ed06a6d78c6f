//! Documents: read once, as they stream in. The bank of a sandbox keeps their hash and size, and what they ask for:
//! a document whose bytes hold `SANDBOX:WAIT`, `SANDBOX:ASK-AGAIN` or `SANDBOX:REJECT` steers the bank's decision.

use axum::body::Body;
use axum::extract::{Path, State};
use http_body_util::BodyExt as _;
use kernel::crypto::hex;
use kernel::json::Json;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Partner;
use super::applications;
use super::problem::ProductError;
use crate::BankState;
use crate::storage::applications::{self as stored, DocumentRow};

/// Size of the largest document, in bytes.
const LARGEST: u64 = 10 * 1024 * 1024;
/// Prefix of a wish in a document's bytes.
const MARK: &[u8] = b"SANDBOX:";
const WISHES: [(&[u8], &str); 3] = [
    (b"REJECT", "reject"),
    (b"ASK-AGAIN", "ask_again"),
    (b"WAIT", "wait"),
];
/// Length of the longest mark with its wish, in bytes.
const LONGEST: usize = 17;

/// `PUT /applications/{id}/parts/{part}/documents/{kind}`: the same again is no error, and another one of the kind takes
/// its place.
pub async fn take(
    State(bank): State<BankState>,
    partner: Partner,
    Path((id, part, kind)): Path<(String, Uuid, String)>,
    body: Body,
) -> Result<Json<Value>, ProductError> {
    let mut tx = bank.db.read().await?;
    applications::own(&mut tx, &partner, &id).await?;
    drop(tx);
    let read = read(body).await?;
    let mut tx = bank.db.write().await?;
    let own = applications::own(&mut tx, &partner, &id).await?;
    let now = bank.clock.now();
    let row = DocumentRow {
        application_id: own.row.id,
        part,
        kind: kind.chars().take(64).collect(),
        sha256: read.sha256,
        size: i64::try_from(read.size).map_err(|_| ProductError::TooLarge)?,
        wish: read.wish.map(str::to_owned),
        received_at: now,
    };
    stored::put_document(&mut tx, &row).await?;
    let there = applications::documents(&mut tx, &own.row).await?;
    let waits = there
        .iter()
        .any(|(_, wish)| wish.as_deref() == Some("wait"));
    if own.row.verification == Some(part) && applications::missing(&there).is_empty() && !waits {
        stored::decide_at(&mut tx, own.row.id, part, now + bank.verification).await?;
    }
    tx.commit().await?;
    Ok(Json(
        json!({ "kind": row.kind, "sha256": row.sha256, "size": row.size }),
    ))
}

struct Read {
    sha256: String,
    size: u64,
    wish: Option<&'static str>,
}

async fn read(mut body: Body) -> Result<Read, ProductError> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut wish = None;
    // The end of what came before: a mark may lie across two pieces.
    let mut seen: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ProductError::Unfit("broken_off"))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        size += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(ProductError::TooLarge);
        }
        hash.update(&piece);
        seen.extend_from_slice(&piece);
        wish = wish.or_else(|| wished(&seen));
        let keep = seen.len().saturating_sub(LONGEST);
        seen.drain(..keep);
    }
    if size == 0 {
        return Err(ProductError::Unfit("empty"));
    }
    let sha256 = hex(&hash.finalize());
    Ok(Read { sha256, size, wish })
}

fn wished(bytes: &[u8]) -> Option<&'static str> {
    let marks = bytes
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| *window == MARK);
    for (at, _) in marks {
        let rest = bytes.get(at + MARK.len()..).unwrap_or_default();
        let wish = WISHES.iter().find(|(word, _)| rest.starts_with(word));
        if let Some((_, wish)) = wish {
            return Some(wish);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mark_is_found_wherever_the_pieces_part() {
        let text = b"\x89PNG and then SANDBOX: nothing, SANDBOX:ASK-AGAIN and more";
        for cut in 0..text.len() {
            let (one, two) = text.split_at(cut);
            let pieces = [one, two].map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            let read = read(body).await.unwrap();
            assert_eq!(read.wish, Some("ask_again"), "cut at {cut}");
            assert_eq!(usize::try_from(read.size).unwrap(), text.len());
            assert_eq!(read.sha256, kernel::crypto::sha256_hex(text));
        }
    }

    #[tokio::test]
    async fn what_is_empty_or_too_large_is_refused() {
        assert!(read(Body::empty()).await.is_err());
        let piece = vec![0_u8; 1 << 20];
        let pieces = (0..11).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert!(matches!(read(body).await, Err(ProductError::TooLarge)));
    }
}
