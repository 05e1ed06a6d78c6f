//! A file system in memory, mounted with FUSE, that forgets what was not synced when its power is cut.
//!
//! It promises as little as POSIX does: bytes of a file last after `fsync` of the file, its name after `fsync` of the
//! folder. It has one folder, which is enough for an SQLite database. The index of the log (`-shm`) is mapped into memory by
//! whoever opens the database; the kernel's cache serves that, and what of it reaches this place is lost like anything
//! else that nobody synced.

mod files;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};
use nix::mount::{MntFlags, umount2};

use self::files::{Change, File, Files};

/// The kernel alone changes what is here, so it may keep what it knows.
const KNOWN: Duration = Duration::from_hours(1);
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The contents of the files, by their names.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// What a power cut leaves of what was written and not synced.
#[derive(Clone, Copy, Debug)]
pub enum Left {
    Nothing,
    /// Sectors, sizes and names as a throw of dice has them.
    Anything,
}

/// A mounted file system.
pub struct Disk {
    folder: PathBuf,
    state: Arc<State>,
    session: Option<BackgroundSession>,
}

struct State {
    files: Mutex<Files>,
    /// Says that it synced, and did not.
    lying: AtomicBool,
    /// Who owns everything here.
    owner: (u32, u32),
}

impl Disk {
    /// Mounts an empty one. `None`, said aloud, where this machine mounts none; an error where `CI` is set.
    pub fn mount() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "tessera_disk_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        match mounted(&folder, Contents::new(), false) {
            Ok((state, session)) => Some(Self {
                folder,
                state,
                session: Some(session),
            }),
            Err(error) => {
                std::fs::remove_dir(&folder).ok();
                crate::world::skipped("the power cuts", &format!("no FUSE here: {error}"));
                None
            }
        }
    }

    /// The folder that it is mounted on.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on it says that it synced, and does not.
    pub fn lie(&self) {
        self.state.lying.store(true, Ordering::SeqCst);
    }

    /// Cuts the power: from this instant nothing is written or synced. Answers what is left.
    pub fn cut(&self, left: Left) -> Contents {
        let mut files = self.state.files.lock().unwrap();
        files.off = true;
        files.left(left)
    }

    /// Puts the power on again, with these contents. Whoever used it must be gone.
    pub fn on(&mut self, contents: Contents) {
        self.unmount();
        let lying = self.state.lying.load(Ordering::SeqCst);
        let (state, session) = mounted(&self.folder, contents, lying).unwrap();
        self.state = state;
        self.session = Some(session);
    }

    fn unmount(&mut self) {
        if let Some(session) = self.session.take() {
            unmount(&self.folder, session).unwrap();
        }
    }
}

/// Takes the file system off its folder and waits until nobody has a file of it open. A process that another test is
/// starting has, from its fork until its exec: `umount` alone would say that it is busy.
fn unmount(folder: &Path, session: BackgroundSession) -> std::io::Result<()> {
    match umount2(folder, MntFlags::MNT_DETACH) {
        Ok(()) => session.join(),
        // Only root may; anybody else asks fusermount.
        Err(nix::errno::Errno::EPERM) => session.umount_and_join(),
        Err(error) => Err(error.into()),
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && let Err(error) = unmount(&self.folder, session)
        {
            writeln!(std::io::stderr(), "{}: {error}", self.folder.display()).ok();
        }
        std::fs::remove_dir(&self.folder).ok();
    }
}

fn mounted(
    folder: &Path,
    contents: Contents,
    lying: bool,
) -> std::io::Result<(Arc<State>, BackgroundSession)> {
    use std::os::unix::fs::MetadataExt as _;
    let us = std::fs::metadata("/proc/self")?;
    let mut files = Files::default();
    for (name, bytes) in contents {
        let number = files.make(&name);
        let file = files.by_number.get_mut(&number).unwrap();
        (file.now, file.synced) = (bytes.clone(), bytes);
        files.synced_names.insert(name, number);
    }
    let state = Arc::new(State {
        files: Mutex::new(files),
        lying: AtomicBool::new(lying),
        owner: (us.uid(), us.gid()),
    });
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("tessera-test".to_owned())];
    let session = fuser::spawn_mount(Door(state.clone()), folder, &config)?;
    Ok((state, session))
}

/// What the kernel knocks on.
struct Door(Arc<State>);

impl Door {
    fn attributes(&self, number: u64, size: Option<usize>) -> FileAttr {
        let size = size.unwrap_or(0) as u64;
        FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(SECTOR as u64),
            atime: SystemTime::UNIX_EPOCH,
            mtime: SystemTime::UNIX_EPOCH,
            ctime: SystemTime::UNIX_EPOCH,
            crtime: SystemTime::UNIX_EPOCH,
            kind: if number == 1 {
                FileType::Directory
            } else {
                FileType::RegularFile
            },
            perm: if number == 1 { 0o700 } else { 0o600 },
            nlink: 1,
            uid: self.0.owner.0,
            gid: self.0.owner.1,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    /// Does something to a file while there is power.
    fn change<T>(&self, number: INodeNo, act: impl FnOnce(&mut File) -> T) -> Result<T, Errno> {
        let mut files = self.0.files.lock().unwrap();
        if files.off {
            return Err(Errno::EIO);
        }
        let file = files.by_number.get_mut(&number.0).ok_or(Errno::ENOENT)?;
        Ok(act(file))
    }

    fn size(&self, number: INodeNo) -> Result<Option<usize>, Errno> {
        if number == INodeNo::ROOT {
            return Ok(None);
        }
        let files = self.0.files.lock().unwrap();
        let file = files.by_number.get(&number.0).ok_or(Errno::ENOENT)?;
        Ok(Some(file.now.len()))
    }

    fn is_lying(&self) -> bool {
        self.0.lying.load(Ordering::SeqCst)
    }
}

fn done(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Door {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let number = {
            let files = self.0.files.lock().unwrap();
            files.names.get(&*name.to_string_lossy()).copied()
        };
        match number.map(|number| (number, self.size(INodeNo(number)))) {
            Some((number, Ok(size))) => {
                reply.entry(&KNOWN, &self.attributes(number, size), Generation(0));
            }
            _ => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.size(number) {
            Ok(size) => reply.attr(&KNOWN, &self.attributes(number.0, size)),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let resized = size.map_or(Ok(()), |size| {
            let size = usize::try_from(size).unwrap();
            self.change(number, |file| file.change(Change::Size(size)))
        });
        match resized.and_then(|()| self.size(number)) {
            Ok(size) => reply.attr(&KNOWN, &self.attributes(number.0, size)),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mut files = self.0.files.lock().unwrap();
        if files.off {
            return reply.error(Errno::EIO);
        }
        let number = files.make(&name.to_string_lossy());
        reply.created(
            &KNOWN,
            &self.attributes(number, Some(0)),
            Generation(0),
            FileHandle(0),
            FopenFlags::FOPEN_KEEP_CACHE,
        );
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let mut files = self.0.files.lock().unwrap();
        if files.off {
            return reply.error(Errno::EIO);
        }
        match files.names.remove(&*name.to_string_lossy()) {
            Some(_) => reply.ok(),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let files = self.0.files.lock().unwrap();
        let Some(file) = files.by_number.get(&number.0) else {
            return reply.error(Errno::ENOENT);
        };
        let from = usize::try_from(offset).unwrap().min(file.now.len());
        let to = (from + size as usize).min(file.now.len());
        reply.data(&file.now[from..to]);
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let change = Change::Bytes(usize::try_from(offset).unwrap(), data.to_vec());
        match self.change(number, |file| file.change(change)) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap()),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let lying = self.is_lying();
        let synced = self.change(number, |file| {
            if !lying {
                file.sync();
            }
        });
        done(reply, synced);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let lying = self.is_lying();
        let mut files = self.0.files.lock().unwrap();
        if files.off {
            return reply.error(Errno::EIO);
        }
        if !lying {
            files.synced_names = files.names.clone();
        }
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let files = self.0.files.lock().unwrap();
        let skip = usize::try_from(offset).unwrap();
        for (at, (name, number)) in files.names.iter().enumerate().skip(skip) {
            if reply.add(INodeNo(*number), at as u64 + 1, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}
