//! Files for their owner only: the database, and the key that it is encrypted under.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Creates a file that only its owner can read and write. An existing file is not changed.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Returns the target of a path through symbolic links, even if there is no file at the target.
pub(crate) fn follow_links(path: &Path) -> PathBuf {
    // Linux follows the same number of links. The limit also ends a cycle.
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// Returns whether this user may write to the file. It does not open the file: closing the file
/// would release the locks that SQLite holds on it in this process
/// (<https://sqlite.org/howtocorrupt.html> 2.2).
pub(crate) fn is_writable(path: &Path) -> bool {
    #[cfg(unix)]
    let denied = rustix::fs::access(path, rustix::fs::Access::WRITE_OK)
        .is_err_and(|error| error != rustix::io::Errno::NOENT);
    #[cfg(not(unix))]
    let denied = false;
    let read_only = std::fs::metadata(path).is_ok_and(|file| file.permissions().readonly());
    !denied && !read_only
}

/// The identity of a file, independent of its names.
pub(crate) type FileId = (u64, u64);

/// Returns the identity of the file at a path, if there is one. On systems without file
/// ids, all files have the same identity.
pub(crate) fn id_of(path: &Path) -> Option<FileId> {
    let file = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let id =
        (std::os::unix::fs::MetadataExt::dev(&file), std::os::unix::fs::MetadataExt::ino(&file));
    #[cfg(not(unix))]
    let id = (0, u64::from(file.is_file()));
    Some(id)
}

/// Warns if other users may read a file. This is not an error, because secrets that are mounted into a
/// container are often intentionally readable by a group.
pub(crate) fn warn_if_others_may_read(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
    {
        tracing::warn!(file = %path.display(), "other users may read this file; chmod 600 it");
    }
}
