//! Keeps a running process up to date: a new key file is taken into use, and an erased data key forgotten, within a
//! second.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kernel::crypto::file::{self, KeyFile};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::data_keys::{self, HolderRow};

/// The name of the task, as `/readyz` gives it.
pub const TASK: &str = "key file";
/// Looks between two signs of life.
const SIGN: u32 = 50;
/// Time to look back for erased keys: longer than the clocks of two machines differ.
const BACK: chrono::Duration = chrono::Duration::hours(1);

/// Inode, size and modification time (seconds, nanoseconds) of a file, which tell one content from another without
/// reading it: replaced files have another inode.
type Version = (u64, u64, i64, i64);

/// One process's view of the key file.
pub struct Watch {
    state: AppState,
    path: PathBuf,
    process: Uuid,
    version: Option<Version>,
    file: Option<KeyFile>,
}

impl Watch {
    /// Creates a watch of the key file that the process was started with.
    pub fn new(state: AppState) -> Self {
        let path = state.config.secrets_file();
        let process = state.clock.id();
        Self {
            state,
            path,
            process,
            version: None,
            file: None,
        }
    }

    /// Looks again and again until told to stop, then says that the process is gone.
    pub async fn run(mut self, every: Duration, stop: CancellationToken) {
        let mut looks = 0;
        let mut erased = self.state.db.signals().subscribe(data_keys::ERASED);
        loop {
            self.state.heartbeats.beat(TASK);
            if let Err(error) = self.look(looks % SIGN == 0).await {
                tracing::warn!(%error, "data keys could not be looked after; it is tried again");
            }
            looks += 1;
            tokio::select! {
                () = stop.cancelled() => break,
                () = erased.heard() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
        if let Err(error) = self.leave().await {
            tracing::warn!(%error, "that this process no longer holds keys could not be written down");
        }
    }

    /// One look: at the file, and at what was erased. `sign`: says that the process is there in any case.
    pub async fn look(&mut self, sign: bool) -> Result<(), DbError> {
        let changed = self.read_file();
        let since = self.state.clock.now() - BACK;
        let mut tx = self.state.db.read().await?;
        let erased = tx.erased_owners(since).await?;
        drop(tx);
        for owner in erased {
            self.state.vault.forget(owner);
        }
        if let Some(file) = self.file.as_ref().filter(|_| changed || sign) {
            let row = self.holder(file);
            let mut tx = self.state.db.write().await?;
            tx.hold_keys(&row).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Takes the file into use if it is another one than before; a broken one is told about, and the one before goes on.
    fn read_file(&mut self) -> bool {
        let version = version(&self.path);
        if version.is_none() || version == self.version {
            return false;
        }
        self.version = version;
        let file = match KeyFile::read(&self.path) {
            Ok(Some(file)) => file,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(%error, "the new key file is not used; the keys before it go on");
                return false;
            }
        };
        if self
            .file
            .as_ref()
            .is_some_and(|before| before.id != file.id)
        {
            tracing::error!(
                "the new key file belongs to another database and is not used; the keys before it go on"
            );
            return false;
        }
        file::take(&file, &self.state.pepper, &self.state.vault);
        if self.file.is_some() {
            tracing::info!(
                vault = %file.vault.active().tag,
                pepper = %file.pepper.active().tag,
                "a new key file was taken into use"
            );
        }
        self.file = Some(file);
        true
    }

    fn holder(&self, file: &KeyFile) -> HolderRow {
        let all = file.vault.all().chain(file.pepper.all());
        let keys: Vec<String> = all.map(|key| key.tag.to_string()).collect();
        HolderRow {
            process: self.process,
            vault: file.vault.active().tag.to_string(),
            pepper: file.pepper.active().tag.to_string(),
            keys: keys.join(" "),
            seen_at: self.state.clock.now(),
        }
    }

    async fn leave(&self) -> Result<(), DbError> {
        let mut tx = self.state.db.write().await?;
        let long_ago = self.state.clock.now() - chrono::Duration::days(1);
        tx.forget_holders(self.process, long_ago).await?;
        tx.commit().await
    }
}

fn version(path: &Path) -> Option<Version> {
    let file = std::fs::metadata(path).ok()?;
    // Times to the nanosecond, and the inode: a file that was written over or replaced differs in one of them.
    Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}
