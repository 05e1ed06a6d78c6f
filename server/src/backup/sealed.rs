//! The file format: a line that names it, a line of JSON, then the databases one after the other, each in pieces of at most a
//! MiB that are sealed for their place. A database's last piece is empty and says that it is the last, so that a file cut
//! short does not open.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::clock::Clock;
use kernel::crypto::{Secrets, Vault, Wrapped, sha256_hex};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{BackupError, Header};

const MAGIC: &str = "tessera-backup-1";
/// Bytes of a piece, before it is sealed.
const PIECE: usize = 1024 * 1024;
/// Bytes that sealing may add.
const MORE: usize = 256;
/// The longest second line.
const LONGEST_HEADER: u64 = 16 * 1024;

/// Bytes of a wrapped key before its own: the id of its owner, the vault key it is wrapped under, its head.
const PARTS: [usize; 3] = [16, 8, 9];

/// The key of one backup.
pub(super) struct BackupKey(Vault);

/// Returns a new key, and what opens it again together with the key file: the key wrapped under the vault key, in base64.
pub(super) fn new_key(
    secrets: &Secrets,
    clock: &Clock,
) -> Result<(BackupKey, String), BackupError> {
    let (key, wrapped) = secrets.vault.make(clock, clock.id())?;
    let parts = [
        wrapped.owner.as_bytes(),
        wrapped.under.as_slice(),
        &wrapped.head,
        &wrapped.bytes,
    ];
    let whole = STANDARD.encode(parts.concat());
    Ok((BackupKey(secrets.vault.of_opened(key)), whole))
}

/// Returns the key of a backup.
pub(super) fn open_key(secrets: &Secrets, header: &Header) -> Result<BackupKey, BackupError> {
    let whole = STANDARD
        .decode(&header.key)
        .map_err(|_| BackupError::Sealed)?;
    let mut rest = whole.as_slice();
    let mut parts = Vec::new();
    for length in PARTS {
        let (part, after) = rest.split_at_checked(length).ok_or(BackupError::Sealed)?;
        parts.push(part.to_vec());
        rest = after;
    }
    let [owner, under, head] = <[Vec<u8>; 3]>::try_from(parts).map_err(|_| BackupError::Sealed)?;
    let wrapped = Wrapped {
        owner: Uuid::from_slice(&owner).map_err(|_| BackupError::Sealed)?,
        under,
        head,
        bytes: rest.to_vec(),
    };
    let key = secrets.vault.unwrap(&wrapped)?;
    Ok(BackupKey(secrets.vault.of_opened(key)))
}

/// One of the databases in a backup, in the order in which they are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Product,
    /// The sandbox bank's.
    Bank,
}

/// Writes the two lines at the beginning.
pub(super) fn write_header(
    header: &Header,
    out: &mut impl Write,
    path: &Path,
) -> Result<(), BackupError> {
    let line = line(header)?;
    writeln!(out, "{MAGIC}\n{line}").map_err(BackupError::io(path))
}

/// Writes a part.
pub(super) fn seal(
    (header, key): (&Header, &BackupKey),
    part: Part,
    clock: &Clock,
    mut from: impl Read,
    out: &mut impl Write,
    path: &Path,
) -> Result<(), BackupError> {
    let io = BackupError::io(path);
    let head = head(header)?;
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    for number in 0_u64.. {
        let length = fill(&mut from, &mut piece).map_err(&io)?;
        let plain = piece.get(..length).unwrap_or_default();
        let place = piece_aad(&head, part, number, length == 0);
        let sealed = key.0.seal(clock, &place, plain)?;
        let length_of_sealed = u32::try_from(sealed.len()).map_err(|_| BackupError::Sealed)?;
        out.write_all(&length_of_sealed.to_be_bytes())
            .and_then(|()| out.write_all(&sealed))
            .map_err(&io)?;
        if length == 0 {
            break;
        }
    }
    Ok(())
}

/// Reads the two lines at the beginning.
pub(super) fn read_header(file: &mut impl BufRead, path: &Path) -> Result<Header, BackupError> {
    let not_one = || BackupError::NotOne(path.to_owned());
    let mut lines = String::new();
    let mut head = file.take(LONGEST_HEADER);
    for _ in 0..2 {
        head.read_line(&mut lines).map_err(|_| not_one())?;
    }
    let rest = lines
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or_else(not_one)?;
    serde_json::from_str(rest).map_err(|_| not_one())
}

/// Opens every piece of the part that comes next, and writes what is in it.
pub(super) fn open(
    (header, key): (&Header, &BackupKey),
    part: Part,
    file: &mut impl Read,
    out: &mut impl Write,
    path: &Path,
) -> Result<(), BackupError> {
    let head = head(header)?;
    for number in 0_u64.. {
        let mut length = [0; 4];
        file.read_exact(&mut length)
            .map_err(|_| BackupError::Sealed)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > PIECE + MORE {
            return Err(BackupError::Sealed);
        }
        let mut sealed = vec![0; length];
        file.read_exact(&mut sealed)
            .map_err(|_| BackupError::Sealed)?;
        if let Ok(plain) = key.0.open(&piece_aad(&head, part, number, false), &sealed) {
            out.write_all(&plain).map_err(BackupError::io(path))?;
            continue;
        }
        key.0.open(&piece_aad(&head, part, number, true), &sealed)?;
        break;
    }
    Ok(())
}

fn line(header: &Header) -> Result<String, BackupError> {
    serde_json::to_string(header).map_err(|_| BackupError::Sealed)
}

/// Returns the hash of the header line, which every piece is bound to.
fn head(header: &Header) -> Result<String, BackupError> {
    Ok(sha256_hex(line(header)?.as_bytes()))
}

/// Returns the associated data that a piece is sealed with: the hash of the header line, the part, the piece's number in it,
/// and if it is the last one. The product's part is not named: it was the only one once.
fn piece_aad(head: &str, part: Part, number: u64, last: bool) -> String {
    let part = match part {
        Part::Product => "",
        Part::Bank => "bank/",
    };
    format!("backup/{head}/{part}{number}/{last}")
}

/// Reads until the buffer is full or the source is at its end.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
