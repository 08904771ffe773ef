//! Key sets stored in a file.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Keeping, KeptKeys};

/// The maximum length of the file, in bytes: 64 issuers with key sets of the maximum length.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// A file that is replaced atomically and that only its owner may write.
#[derive(Debug, Clone)]
pub(crate) struct KeptInFile {
    path: PathBuf,
    /// The user that this process writes as.
    user: Option<u32>,
}

impl KeptInFile {
    /// Checks that the file can be written.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let probe = beside(&path);
        let user = create(&probe)?.metadata().map(|metadata| owner(&metadata));
        fs::remove_file(probe)?;
        Ok(Self { path, user: user? })
    }
}

/// Returns a new name in the same directory, as the source of a rename. It is unique across
/// threads, and across containers whose processes have the same ID.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let random = RandomState::new().build_hasher().finish();
    path.with_file_name(format!(".{name}.{random:016x}"))
}

#[cfg(unix)]
fn owner(metadata: &fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::uid(metadata))
}

#[cfg(not(unix))]
fn owner(_: &fs::Metadata) -> Option<u32> {
    None
}

impl KeptKeys for KeptInFile {
    fn read(&self) -> Keeping<'_, Option<Bytes>> {
        let (path, user) = (self.path.clone(), self.user);
        in_background(move || {
            read(&path, user).map_err(|error| format!("{}: {error}", path.display()).into())
        })
    }

    fn write(&self, kept: Bytes) -> Keeping<'_, ()> {
        let (path, new) = (self.path.clone(), beside(&self.path));
        in_background(move || {
            let written = write(&new, &kept).and_then(|()| fs::rename(&new, &path));
            if written.is_err() {
                let _ = fs::remove_file(&new);
            }
            written?;
            // Make the new name survive a crash. Not every file system supports it.
            if let Some(directory) = path.parent().and_then(|path| File::open(path).ok()) {
                let _ = directory.sync_all();
            }
            Ok(())
        })
    }
}

fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Box<dyn Error + Send + Sync>> + Send + 'static,
) -> Keeping<'static, T> {
    Box::pin(async { tokio::task::spawn_blocking(work).await? })
}

fn read(path: &Path, user: Option<u32>) -> Result<Option<Bytes>, Box<dyn Error + Send + Sync>> {
    // The kind of file is checked before opening: opening a pipe would block, and a link may point
    // elsewhere.
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err("it is not a regular file; links are not followed".into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let file = File::open(path)?;
    check_writers(&file.metadata()?, user)?;
    let mut kept = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut kept)?;
    if kept.len() as u64 > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes").into());
    }
    Ok(Some(kept.into()))
}

/// Rejects a file that other users may write: write access decides which keys are trusted.
fn check_writers(metadata: &fs::Metadata, user: Option<u32>) -> Result<(), String> {
    const ROOT: u32 = 0;
    if let Some(owner) = owner(metadata).filter(|&owner| owner != ROOT && Some(owner) != user) {
        return Err(format!("it is owned by another user ({owner})"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(format!("its mode is {mode:03o}; only its owner may have write access"));
        }
    }
    Ok(())
}

fn write(path: &Path, kept: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(kept)?;
    file.sync_all()
}

/// Creates a file that only its owner can read or write.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn kept_keys_file_of_another_user_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let file = KeptInFile::open(directory.path().join("keys.json")).unwrap();
        std::fs::write(&file.path, "{}").unwrap();
        let metadata = std::fs::metadata(&file.path).unwrap();
        assert_eq!(owner(&metadata), file.user);
        assert_eq!(check_writers(&metadata, file.user), Ok(()));
        let stranger = file.user.map(|user| user + 1);
        // A file of root is trusted by any user's process.
        assert_eq!(check_writers(&metadata, stranger).is_ok(), file.user == Some(0));
    }

    #[test]
    fn temporary_file_names_are_unique() {
        let path = Path::new("/srv/keys.json");
        assert_ne!(beside(path), beside(path));
        assert_eq!(beside(path).parent(), path.parent());
    }
}
