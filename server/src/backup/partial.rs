//! A file on its way into its place.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use kernel::partial_file::PartialFile;

use super::BackupError;

/// A file on its way: private to its owner, and gone with this value unless it was put into its place.
pub(super) struct Partial(PartialFile);

impl Partial {
    pub fn new(path: &Path, end: &str) -> Result<Self, BackupError> {
        let own = PathBuf::from(format!("{}.{end}-{}", path.display(), std::process::id()));
        // Known before it is there, so that a signal at this instant leaves nothing.
        let partial = PartialFile::new(&own);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&own);
        match made {
            Ok(_) => Ok(Self(partial)),
            Err(error) => {
                // It is somebody else's.
                partial.finish();
                Err(BackupError::io(&own)(error))
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self) -> Result<File, BackupError> {
        let file = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.path());
        file.map_err(BackupError::io(self.path()))
    }

    pub fn read(&self) -> Result<File, BackupError> {
        File::open(self.path()).map_err(BackupError::io(self.path()))
    }

    /// Syncs the file and puts it into its place, which must be free, in one step; answers its length.
    pub fn put(self, path: &Path) -> Result<u64, BackupError> {
        let file = self.read()?;
        let own = self.path();
        file.sync_all().map_err(BackupError::io(own))?;
        let bytes = file.metadata().map_err(BackupError::io(own))?.len();
        // A second name for the file fails where a move would overwrite.
        std::fs::hard_link(own, path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                BackupError::Exists(path.to_owned())
            } else {
                BackupError::io(path)(error)
            }
        })?;
        std::fs::remove_file(own).map_err(BackupError::io(own))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(BackupError::io(folder))?;
        Ok(bytes)
    }
}
