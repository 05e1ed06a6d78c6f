//! Cursors of lists: opaque, and good for the list that gave them alone.
//!
//! The seal keeps one list's cursor from being used with another list or consent, where it would skip rows without a
//! word; it is no secret.

use app::domain::ids::CredentialsId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::services::refusal::ApiError;
use crate::state::AppState;

/// Bytes of a seal.
const SEAL: usize = 8;

/// The list that a cursor is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// A consent's transactions, newest first.
    Transactions(CredentialsId),
    /// A consent's balances, by id.
    Balances(CredentialsId),
}

impl Cursor {
    fn scope(self) -> String {
        match self {
            Self::Transactions(consent) => format!("transactions/{consent}"),
            Self::Balances(consent) => format!("balances/{consent}"),
        }
    }
}

/// Returns the cursor for a position in a list.
pub fn write(state: &AppState, list: Cursor, position: &[u8]) -> Result<String, ApiError> {
    let mut bytes = position.to_vec();
    bytes.extend(seal(state, list, position)?);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns the position of a cursor that this very list gave.
pub fn read(state: &AppState, list: Cursor, text: &str) -> Option<Vec<u8>> {
    let mut bytes = bare(text)?;
    let given = bytes.split_off(bytes.len().checked_sub(SEAL)?);
    (given == seal(state, list, &bytes).ok()?).then_some(bytes)
}

/// Returns the bytes of a cursor, whatever list it is of.
pub fn bare(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A seal under the tenant's data key, so that it outlives every pepper.
fn seal(state: &AppState, list: Cursor, position: &[u8]) -> Result<Vec<u8>, ApiError> {
    let text = format!("{}/{}", list.scope(), URL_SAFE_NO_PAD.encode(position));
    let digest = state.vault.digest(&state.pepper, "cursor", &text)?;
    // A data key's digest begins with its version.
    Ok(digest.0.iter().skip(1).take(SEAL).copied().collect())
}
