//! Files and their sessions in play, with a clock that stands still.

mod files;
mod scans;
mod sessions;

use app::domain::problem::Code;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::incoming::CHUNK;
use super::testing::{Accepted, CardDesk, SELFIE, SIGN, png};
use super::*;
use crate::services::sessions::lifecycle::SessionProof;
use crate::storage::Db;
use crate::storage::testing::on_both;

/// The refusal of what was refused.
fn refusal<T>(result: Result<T, ApiError>) -> Refusal {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(ApiError::Refused(refusal)) => *refusal,
        Err(other) => panic!("{other}"),
    }
}

fn code<T>(result: Result<T, ApiError>) -> Code {
    refusal(result).code
}

/// Reads a whole file back.
async fn read(desk: &CardDesk, session: SessionId, upload: UploadId) -> Result<Vec<u8>, ApiError> {
    let opened = open(&desk.world.state, session, upload).await?;
    let pieces: Vec<Bytes> = opened.bytes.try_collect().await?;
    Ok(pieces.concat())
}
