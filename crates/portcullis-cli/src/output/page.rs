//! A file for a result that takes long to compute.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use crate::exit::Failure;

/// A file that is written when the result is complete. Its path is tested before the computation, so
/// that an invalid path is reported immediately. The complete file replaces an existing file in one
/// step. If the computation fails, an existing file keeps its content, and no new file remains.
#[derive(Debug)]
pub(crate) struct Page {
    option: &'static str,
    path: PathBuf,
    /// A device or a pipe, which cannot be replaced.
    device: Option<File>,
}

impl Page {
    /// Tests whether the file can be written later. Errors name `option`.
    pub(crate) fn open(option: &'static str, path: &Path) -> Result<Self, Failure> {
        // The target of a symbolic link is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut page = Self { option, path, device: None };
        page.try_path().map_err(|error| page.failed(&error))?;
        Ok(page)
    }

    pub(crate) fn write(self, text: &str) -> Result<(), Failure> {
        let written = match &self.device {
            Some(device) => (&mut &*device).write_all(text.as_bytes()),
            None => self.replace(text),
        };
        written.map_err(|error| self.failed(&error))
    }

    fn try_path(&mut self) -> io::Result<()> {
        if let Ok(found) = fs::metadata(&self.path) {
            let file = OpenOptions::new().write(true).open(&self.path)?;
            self.device = (!found.is_file()).then_some(file);
        }
        if self.device.is_none() {
            File::create_new(self.beside())?;
            fs::remove_file(self.beside())?;
        }
        Ok(())
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let beside = self.beside();
        let mut file = File::create_new(&beside)?;
        let replaced = file.write_all(text.as_bytes()).and_then(|()| {
            if let Ok(found) = fs::metadata(&self.path) {
                fs::set_permissions(&beside, found.permissions())?;
            }
            fs::rename(&beside, &self.path)
        });
        if replaced.is_err() {
            // The original error is reported, not one of the cleanup.
            let _ = fs::remove_file(&beside);
        }
        replaced
    }

    /// Returns the path of the temporary file, which is in the same folder so that it can be
    /// renamed.
    fn beside(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.{}.part", process::id()))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::wrong(format!("{}: {}: {error}", self.option, self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn file_appears_only_when_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        let page = Page::open("--html", &path).unwrap();
        assert_eq!(names(folder.path()), Vec::<String>::new());
        page.write("new").unwrap();
        assert_eq!(names(folder.path()), ["page.html"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn existing_file_keeps_its_content_until_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        fs::write(&path, "as it was").unwrap();
        let page = Page::open("--html", &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "as it was");
        page.write("new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["page.html"]);
    }

    #[test]
    fn folder_is_rejected_with_the_option_and_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let error = Page::open("--html", folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("--html: "), "{error}");
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[cfg(unix)]
    #[test]
    fn link_and_permissions_are_kept_and_a_device_is_written_to() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("page.html"), folder.path().join("link"));
        fs::write(&path, "as it was").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        Page::open("--html", &link).unwrap().write("new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        Page::open("--html", Path::new("/dev/null")).unwrap().write("new").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
