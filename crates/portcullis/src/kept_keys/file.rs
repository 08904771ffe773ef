//! Key sets in a file.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Keeping, KeptKeys};

/// The longest file that is read, in bytes: 64 issuers with the longest key sets.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// A file that is replaced whole, and that nobody but its owner may write.
#[derive(Debug, Clone)]
pub(crate) struct KeptInFile {
    path: PathBuf,
}

impl KeptInFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes sure that the file could be written.
    pub(crate) fn check(&self) -> io::Result<()> {
        let probe = self.beside("probe");
        create(&probe)?;
        fs::remove_file(probe)
    }

    /// A path in the same directory, which a rename can start from.
    fn beside(&self, purpose: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.{}.{purpose}", std::process::id()))
    }
}

impl KeptKeys for KeptInFile {
    fn read(&self) -> Keeping<'_, Option<Bytes>> {
        let path = self.path.clone();
        in_background(move || read(&path))
    }

    fn write(&self, kept: Bytes) -> Keeping<'_, ()> {
        let (path, new) = (self.path.clone(), self.beside("new"));
        in_background(move || {
            let written = write(&new, &kept).and_then(|()| fs::rename(&new, &path));
            if written.is_err() {
                let _ = fs::remove_file(&new);
            }
            written?;
            // So that the new name is there after a crash. Not every file system can do it.
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

fn read(path: &Path) -> Result<Option<Bytes>, Box<dyn Error + Send + Sync>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err("it is not a file".into());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            let mode = format!("its mode is {mode:03o}: others than its owner may write it");
            return Err(mode.into());
        }
    }
    let mut kept = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut kept)?;
    if kept.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes").into());
    }
    Ok(Some(kept.into()))
}

fn write(path: &Path, kept: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(kept)?;
    file.sync_all()
}

/// A new file for its owner alone, in the place of one that a crash may have left.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
