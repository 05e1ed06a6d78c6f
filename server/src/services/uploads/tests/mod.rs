//! Files and their sessions in play, with a clock that stands still.

mod files;
mod sessions;

use app::domain::problem::Code;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::incoming::CHUNK;
use super::testing::{Accepted, Desk, SELFIE, SIGN, png};
use super::*;
use crate::services::sessions::Proof;
use crate::storage::Db;
use crate::storage::testing::on_both;

/// The refusal of what was refused.
fn refusal<T>(result: Result<T, Failure>) -> Refusal {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(Failure::Refused(refusal)) => *refusal,
        Err(other) => panic!("{other}"),
    }
}

fn code<T>(result: Result<T, Failure>) -> Code {
    refusal(result).code
}

/// Reads a whole file back.
async fn read(desk: &Desk, session: SessionId, upload: UploadId) -> Result<Vec<u8>, Failure> {
    let opened = open(desk.state(), session, upload).await?;
    let pieces: Vec<Bytes> = opened.bytes.try_collect().await?;
    Ok(pieces.concat())
}
