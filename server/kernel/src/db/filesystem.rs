//! File systems that a database must not lie on: those of other machines forget locks and syncs.

use std::path::{Path, PathBuf};

/// File in which the kernel lists the mounted filesystems.
const MOUNTS: &str = "/proc/self/mountinfo";
/// Filesystems whose locks or shared memory do not hold between machines.
const NETWORK: [&str; 13] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.sshfs",
    "gfs2",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
];

/// Returns the kind of the network file system that a file lies on; `None` if it lies on none, or the kernel does not say
/// what is mounted.
pub(super) fn network_filesystem(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string(MOUNTS).ok()?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().ok()?;
    let kind = filesystem(&mounts, &folder)?;
    NETWORK.contains(&kind).then(|| kind.to_owned())
}

/// The kind of filesystem that a folder is on, by the lines of `mountinfo` (proc(5)): `36 35 98:0 /root /mounted options -
/// ext4 ...`. Of several mounts on one place the last is in force.
fn filesystem<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    mounts
        .lines()
        .filter_map(|line| {
            let place = line.split(' ').nth(4)?.replace("\\040", " ");
            let kind = line.split(" - ").nth(1)?.split(' ').next()?;
            let place = PathBuf::from(place);
            folder
                .starts_with(&place)
                .then(|| (place.components().count(), kind))
        })
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_filesystems_are_told_from_disks() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      40 22 0:50 / /srv/share rw - nfs4 host:/share rw,vers=4.2\n\
                      41 22 0:51 / /srv/share/local\\040disk rw shared:1 - xfs /dev/vdb rw\n\
                      42 22 0:52 / /mnt rw - 9p drive rw\n";
        for (folder, kind) in [
            ("/var/lib/tessera", "ext4"),
            ("/srv/share/tessera", "nfs4"),
            ("/srv/shared", "ext4"),
            ("/srv/share/local disk/tessera", "xfs"),
            ("/mnt", "9p"),
        ] {
            assert_eq!(
                filesystem(mounts, Path::new(folder)),
                Some(kind),
                "{folder}"
            );
        }
    }
}
