//! The key file, `secrets.key`: peppers and vault keys, each with an id, the time it was made and a state. A line each, so
//! that it can be read over the telephone; no tool but ours has to write it.
//!
//! ```text
//! tessera-secrets-2
//! id 01a0c1c8-...
//! pepper 5d0c5a3e6f8b1d27 2026-01-01T00:00:00Z active <base64>
//! vault  93b1... 2026-01-01T00:00:00Z old <base64> first
//! ```
//!
//! `first` marks the key of a file of the first format, which had one of each and no ids: what was made under it carries
//! no id. Such files work as they are; the commands of `server secrets` write the second format.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{KeyTag, Pepper, Vault};
use crate::clock::Clock;

const SINGLE: &str = "tessera-secrets-1";
const SEVERAL: &str = "tessera-secrets-2";

/// The keys of an installation at work, and the id that ties them to their database.
pub struct Secrets {
    pub id: Uuid,
    pub pepper: Pepper,
    pub vault: Vault,
}

/// The two kinds of keys in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Wraps the data keys that data is sealed under.
    Vault,
    /// Makes the digests that keys, tokens and passwords are stored as.
    Pepper,
}

/// State of a key in its rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Accepted for what was made under it; used for nothing new yet.
    Added,
    /// Used for everything new.
    Active,
    /// Accepted until it is dropped; used for nothing new any more.
    Old,
}

/// One key of the file.
#[derive(Clone)]
pub struct FileKey {
    pub tag: KeyTag,
    pub state: KeyState,
    /// Time it was made; `None` in files of the first format.
    pub created: Option<DateTime<Utc>>,
    /// `true` if it comes from a file of the first format: what was made under it carries no id.
    pub first: bool,
    pub(super) key: Zeroizing<[u8; 32]>,
}

/// The keys of one kind: one is active, and at most one beside it on its way in or out.
#[derive(Clone)]
pub struct Ring {
    active: FileKey,
    other: Option<FileKey>,
}

/// The whole file.
#[derive(Clone)]
pub struct KeyFile {
    pub id: Uuid,
    pub pepper: Ring,
    pub vault: Ring,
}

/// Reason the key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("cannot read or write the key file {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error("the key file {path} is damaged: restore it from a backup, it cannot be made again")]
    Damaged { path: String },
    #[error(
        "the key file {path} can be read by others than its owner (mode {mode:04o}), and whoever has it and the database can \
         read everything. Run `chmod 600 {path}`; if others had access to the machine, rotate its keys afterwards \
         (`server secrets --help`)."
    )]
    Exposed { path: String, mode: u32 },
    #[error(
        "others than its owner may replace files in the key file's folder {path} (mode {mode:04o}). Run `chmod go-w {path}`."
    )]
    FolderExposed { path: String, mode: u32 },
}

impl KeyPurpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Pepper => "pepper",
        }
    }
}

impl KeyState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Active => "active",
            Self::Old => "old",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Added, Self::Active, Self::Old]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

impl FileKey {
    fn new(bytes: [u8; 32], state: KeyState, created: Option<DateTime<Utc>>, first: bool) -> Self {
        let key = Zeroizing::new(bytes);
        Self {
            tag: KeyTag::of(&key),
            state,
            created,
            first,
            key,
        }
    }

    fn make(clock: &Clock, state: KeyState) -> Self {
        let created = clock.now().trunc_subsecs(0);
        Self::new(clock.random(), state, Some(created), false)
    }

    fn line(&self, kind: KeyPurpose) -> Zeroizing<String> {
        let created = self.created.map_or_else(
            || "unknown".to_owned(),
            |at| at.to_rfc3339_opts(SecondsFormat::Secs, true),
        );
        let first = if self.first { " first" } else { "" };
        let key = Zeroizing::new(STANDARD.encode(*self.key));
        Zeroizing::new(format!(
            "{} {} {created} {} {}{first}\n",
            kind.as_str(),
            self.tag,
            self.state.as_str(),
            *key
        ))
    }

    fn parse(words: &[&str]) -> Option<Self> {
        let (words, first) = match words {
            [words @ .., "first"] => (words, true),
            words => (words, false),
        };
        let &[tag, created, state, key] = words else {
            return None;
        };
        let created = match created {
            "unknown" => None,
            time => Some(time.parse().ok()?),
        };
        let key = Self::new(bytes(key)?, KeyState::parse(state)?, created, first);
        // A key of which a letter was lost has another id.
        (key.tag == KeyTag::parse(tag)?).then_some(key)
    }
}

impl Ring {
    fn of(keys: Vec<FileKey>) -> Option<Self> {
        let (mut active, mut other) = (Vec::new(), Vec::new());
        for key in keys {
            if key.state == KeyState::Active {
                active.push(key);
            } else {
                other.push(key);
            }
        }
        let ring = Self {
            active: active.pop()?,
            other: other.pop(),
        };
        let single = active.is_empty() && other.is_empty();
        let distinct = ring.other().is_none_or(|other| {
            other.tag != ring.active.tag && !(other.first && ring.active.first)
        });
        (single && distinct).then_some(ring)
    }

    fn single(key: FileKey) -> Self {
        Self {
            active: key,
            other: None,
        }
    }

    /// The key for everything new.
    pub fn active(&self) -> &FileKey {
        &self.active
    }

    /// The key on its way in or out.
    pub fn other(&self) -> Option<&FileKey> {
        self.other.as_ref()
    }

    /// The key of a file of the first format.
    pub fn first(&self) -> Option<&FileKey> {
        self.all().find(|key| key.first)
    }

    /// The key with an id.
    pub fn by_tag(&self, tag: KeyTag) -> Option<&FileKey> {
        self.all().find(|key| key.tag == tag)
    }

    /// Both, the active one first.
    pub fn all(&self) -> impl Iterator<Item = &FileKey> {
        std::iter::once(&self.active).chain(self.other.as_ref())
    }

    /// Adds a new key beside the active one; `None` if there are two already.
    pub fn add(&mut self, clock: &Clock) -> Option<KeyTag> {
        if self.other.is_some() {
            return None;
        }
        let key = FileKey::make(clock, KeyState::Added);
        let tag = key.tag;
        self.other = Some(key);
        Some(tag)
    }

    /// Makes the other key the active one, which becomes old; `false` if it is not beside it. Back again is possible as well.
    pub fn activate(&mut self, tag: KeyTag) -> bool {
        match &mut self.other {
            Some(other) if other.tag == tag => {
                std::mem::swap(&mut self.active, other);
                self.active.state = KeyState::Active;
                other.state = KeyState::Old;
                true
            }
            _ => false,
        }
    }

    /// Takes the key out that is not active; `false` if it is not there.
    pub fn drop(&mut self, tag: KeyTag) -> bool {
        let there = self.other.as_ref().is_some_and(|other| other.tag == tag);
        if there {
            self.other = None;
        }
        there
    }
}

impl KeyFile {
    /// New keys under an id.
    pub fn make(id: Uuid, clock: &Clock) -> Self {
        Self {
            id,
            pepper: Ring::single(FileKey::make(clock, KeyState::Active)),
            vault: Ring::single(FileKey::make(clock, KeyState::Active)),
        }
    }

    /// Reads the file; `None` if there is none. Refuses one that others can read or replace.
    pub fn read(path: &Path) -> Result<Option<Self>, SecretsError> {
        let mode = match std::fs::metadata(path) {
            Ok(metadata) => metadata.permissions().mode(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(path)(error)),
        };
        if mode & 0o077 != 0 {
            return Err(SecretsError::Exposed {
                path: path.display().to_string(),
                mode: mode & 0o7777,
            });
        }
        check_folder(&folder(path))?;
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io(path))?);
        Self::parse(&text)
            .map(Some)
            .ok_or_else(|| SecretsError::Damaged {
                path: path.display().to_string(),
            })
    }

    /// Writes the file where none was: it is there whole and on disk, or not at all.
    pub fn create(&self, path: &Path) -> Result<(), SecretsError> {
        let (folder, temporary) = self.write_beside(path)?;
        // A link never replaces anything; a rename would.
        let linked = std::fs::hard_link(&temporary, path);
        std::fs::remove_file(&temporary).map_err(io(&temporary))?;
        linked.map_err(io(path))?;
        sync_folder(&folder)
    }

    /// Puts the file in the place of the one that is there, in one step.
    pub fn replace(&self, path: &Path) -> Result<(), SecretsError> {
        let (folder, temporary) = self.write_beside(path)?;
        std::fs::rename(&temporary, path).map_err(io(path))?;
        sync_folder(&folder)
    }

    fn write_beside(&self, path: &Path) -> Result<(PathBuf, PathBuf), SecretsError> {
        let folder = folder(path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = folder.join(format!(".{name}.{}", std::process::id()));
        // Left over from a process of this number that was killed while it wrote.
        std::fs::remove_file(&temporary).ok();
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(io(path))?;
        let written = file.write_all(self.text().as_bytes());
        let written = written.and_then(|()| file.sync_all());
        if let Err(error) = written {
            std::fs::remove_file(&temporary).ok();
            return Err(io(path)(error));
        }
        Ok((folder, temporary))
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{SEVERAL}\nid {}\n", self.id));
        for (kind, ring) in [
            (KeyPurpose::Pepper, &self.pepper),
            (KeyPurpose::Vault, &self.vault),
        ] {
            for key in ring.all() {
                text.push_str(&key.line(kind));
            }
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let format = lines.next()?;
        let id = lines.next()?.strip_prefix("id ")?.parse().ok()?;
        let (mut peppers, mut vaults) = (Vec::new(), Vec::new());
        for line in lines {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let (kind, rest) = words.split_first()?;
            let key = match (format, rest) {
                (SINGLE, &[key]) => FileKey::new(bytes(key)?, KeyState::Active, None, true),
                (SEVERAL, rest) => FileKey::parse(rest)?,
                _ => return None,
            };
            match *kind {
                "pepper" => peppers.push(key),
                "vault" => vaults.push(key),
                _ => return None,
            }
        }
        Some(Self {
            id,
            pepper: Ring::of(peppers)?,
            vault: Ring::of(vaults)?,
        })
    }

    /// The keys of one kind.
    pub fn ring(&self, kind: KeyPurpose) -> &Ring {
        match kind {
            KeyPurpose::Vault => &self.vault,
            KeyPurpose::Pepper => &self.pepper,
        }
    }

    pub fn ring_mut(&mut self, kind: KeyPurpose) -> &mut Ring {
        match kind {
            KeyPurpose::Vault => &mut self.vault,
            KeyPurpose::Pepper => &mut self.pepper,
        }
    }
}

impl Secrets {
    /// Returns new keys that are in no file and a vault whose system key is in no database: what is sealed with them ends
    /// with the process.
    pub fn make(clock: &Clock) -> Self {
        let file = KeyFile::make(clock.id(), clock);
        Self {
            id: file.id,
            pepper: Pepper::new(file.pepper),
            vault: Vault::without_database(file.vault),
        }
    }

    /// Reads the key file; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, SecretsError> {
        Ok(KeyFile::read(path)?.map(Into::into))
    }

    /// Makes keys under an id and writes them to a file that did not exist, readable by its owner alone, flushed to disk
    /// with its folder.
    pub fn create(path: &Path, id: Uuid, clock: &Clock) -> Result<Self, SecretsError> {
        let file = KeyFile::make(id, clock);
        file.create(path)?;
        Ok(file.into())
    }
}

impl From<KeyFile> for Secrets {
    fn from(file: KeyFile) -> Self {
        Self {
            id: file.id,
            pepper: Pepper::new(file.pepper),
            vault: Vault::new(file.vault),
        }
    }
}

/// Takes a new key file into use, for whoever holds clones of these as well.
pub fn take(file: &KeyFile, pepper: &Pepper, vault: &Vault) {
    pepper.replace(file.pepper.clone());
    vault.replace(file.vault.clone());
}

/// Refuses a folder in which others may replace the file; in one with the sticky bit they cannot.
fn check_folder(path: &Path) -> Result<(), SecretsError> {
    let mode = std::fs::metadata(path)
        .map_err(io(path))?
        .permissions()
        .mode();
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        return Err(SecretsError::FolderExposed {
            path: path.display().to_string(),
            mode: mode & 0o7777,
        });
    }
    Ok(())
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes sure that the file's name outlives a power cut, not only its bytes.
fn sync_folder(folder: &Path) -> Result<(), SecretsError> {
    let opened = std::fs::File::open(folder).map_err(io(folder))?;
    opened.sync_all().map_err(io(folder))
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    Zeroizing::new(STANDARD.decode(text).ok()?)
        .as_slice()
        .try_into()
        .ok()
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> SecretsError {
    let path = path.display().to_string();
    move |source| SecretsError::Io {
        path: path.clone(),
        source,
    }
}
