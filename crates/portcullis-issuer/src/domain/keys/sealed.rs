//! Private keys at rest: AES-256-GCM under a key that is not in the database.
//!
//! The `kid` is the associated data, so a sealed key that was moved to another row cannot be
//! decrypted.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::files;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const NOT_A_KEY: &str = "it is not the base64 of 32 bytes. Put the right file back from your \
                         backup. Only if this issuer has never been started: delete it, and a new \
                         file is created";
/// The first byte of a sealed key, so that another scheme can follow this one.
const AES_256_GCM_V1: u8 = 1;

/// The key that signing keys are encrypted under at rest. Zeroized when dropped.
#[derive(Clone)]
pub struct KeyEncryptionKey(Zeroizing<[u8; KEY_LEN]>);

impl KeyEncryptionKey {
    /// Reads the base64 of exactly 32 bytes, as `openssl rand -base64 32` prints it.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let mut key = Zeroizing::new([0; KEY_LEN]);
        if bytes.len() != KEY_LEN {
            return None;
        }
        key.copy_from_slice(&bytes);
        Some(Self(key))
    }

    fn random() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| Error::Crypto("no randomness"))?;
        Ok(Self(key))
    }

    /// Reads a key file, or creates it with a random key, readable by its owner only.
    ///
    /// # Errors
    ///
    /// [`Error::KeyFile`] if the file cannot be read or created, or does not contain a key.
    pub fn read_or_create(path: &Path) -> Result<Self, Error> {
        Self::from_file(path, true)
    }

    /// Reads the key file. If the file is absent and `may_create` is set, creates it, readable by
    /// its owner only.
    pub(crate) fn from_file(path: &Path, may_create: bool) -> Result<Self, Error> {
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => {
                files::warn_if_others_may_read(path);
                Self::from_base64(&text).ok_or_else(|| unusable(path, NOT_A_KEY, None))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && may_create => {
                match Self::random()?.write_new(path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        Err(unusable(path, "it cannot be created", Some(error)))
                    }
                    // If another process has created the file already, its key is used.
                    Err(_) => Self::from_file(path, false),
                    Ok(()) => {
                        tracing::warn!(
                            key_file = %path.display(),
                            "created a key-encryption key; keep a copy of the file apart from the \
                             database's backups, which are useless without it"
                        );
                        Self::from_file(path, false)
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::KeyFileMissing { path: path.to_owned() })
            }
            Err(error) => Err(unusable(path, "it cannot be read", Some(error))),
        }
    }

    /// Writes the key file completely or not at all, even if the machine stops in between.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}", crate::random::hex_id().map_err(io::Error::other)?));
        let part = PathBuf::from(part);
        let text = Zeroizing::new(STANDARD.encode(self.0.as_slice()) + "\n");
        let mut file = files::create_new(&part)?;
        let made = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            // Unlike a rename, creating a hard link fails if a file has appeared at the path.
            .and_then(|()| fs::hard_link(&part, path));
        fs::remove_file(&part)?;
        made?;
        sync_directory_of(path)
    }

    /// Encrypts a private key for the row of `kid`.
    pub(crate) fn seal(&self, kid: &str, private_key: &[u8]) -> Result<Vec<u8>, Error> {
        // The buffer has room for the tag from the start, because growing it would leave a copy of the
        // key in memory.
        let capacity = private_key.len() + AES_256_GCM.tag_len();
        let mut buffer = Zeroizing::new(Vec::with_capacity(capacity));
        buffer.extend_from_slice(private_key);
        let nonce = self
            .aead()?
            .seal_in_place_append_tag(Aad::from(kid), &mut *buffer)
            .map_err(|_| Error::Crypto("sealing a signing key"))?;
        let mut sealed = vec![AES_256_GCM_V1];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut buffer);
        Ok(sealed)
    }

    /// Decrypts the output of [`seal`](Self::seal); `None` if the key, the `kid` or a byte differs.
    pub(crate) fn open(&self, kid: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&AES_256_GCM_V1, rest) = sealed.split_first()? else { return None };
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = {
            let aead = self.aead().ok()?;
            aead.open_in_place(nonce, Aad::from(kid), &mut buffer).ok()?.len()
        };
        buffer.truncate(length);
        Some(buffer)
    }

    /// Encrypts another key.
    pub(crate) fn seal_key(&self, name: &str, key: &Self) -> Result<Vec<u8>, Error> {
        self.seal(name, key.0.as_slice())
    }

    /// Decrypts the output of [`seal_key`](Self::seal_key).
    pub(crate) fn open_key(&self, name: &str, sealed: &[u8]) -> Option<Self> {
        let opened = self.open(name, sealed)?;
        let mut key = Zeroizing::new([0; KEY_LEN]);
        if opened.len() != KEY_LEN {
            return None;
        }
        key.copy_from_slice(&opened);
        Some(Self(key))
    }

    /// Derives a key for another purpose (HKDF, RFC 5869). The derived key reveals nothing about this key.
    pub(crate) fn derive(&self, purpose: &'static str) -> Result<Self, Error> {
        let failed = |_| Error::Crypto("deriving a key");
        let mut key = Zeroizing::new([0; KEY_LEN]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(self.0.as_slice())
            .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut_slice()))
            .map_err(failed)?;
        Ok(Self(key))
    }

    /// Returns the key as an HMAC key. Call it only on a key that was [derived](Self::derive) for
    /// this purpose.
    pub(crate) fn as_hmac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice())
    }

    fn aead(&self) -> Result<RandomizedNonceKey, Error> {
        RandomizedNonceKey::new(&AES_256_GCM, self.0.as_slice())
            .map_err(|_| Error::Crypto("preparing AES-256-GCM"))
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(redacted)")
    }
}

/// Returns the default key file of a database: `<database>.key`.
pub(crate) fn default_key_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

fn unusable(path: &Path, problem: &'static str, source: Option<io::Error>) -> Error {
    Error::KeyFile { path: path.to_owned(), problem, source }
}

/// Writes the directory's entry to disk, so that a new key file is not lost in a power failure.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    // Other systems cannot open a directory, and need no sync of it.
    if cfg!(unix)
        && let Some(directory) = path.parent()
    {
        let here = Path::new(".");
        let directory = if directory.as_os_str().is_empty() { here } else { directory };
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_key_kid_and_bytes() {
        let key = KeyEncryptionKey::random().unwrap();
        let sealed = key.seal("kid-1", b"private").unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"private"));
        assert_eq!(key.open("kid-1", &sealed).unwrap().as_slice(), b"private");
        assert!(key.open("kid-2", &sealed).is_none(), "moved to another row");
        assert!(KeyEncryptionKey::random().unwrap().open("kid-1", &sealed).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(key.open("kid-1", &changed).is_none(), "byte {place}");
            assert!(key.open("kid-1", &sealed[..place]).is_none(), "cut at {place}");
        }
    }

    #[test]
    fn concurrent_starts_create_one_complete_key_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let make = || KeyEncryptionKey::from_file(&path, true).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key.0 == keys[0].0));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "parts are left behind");
    }

    #[test]
    fn debug_shows_no_key_byte() {
        let key = KeyEncryptionKey::from_base64(&STANDARD.encode([0xA5; 32])).unwrap();
        assert_eq!(format!("{key:?}"), "KeyEncryptionKey(redacted)");
    }

    #[test]
    fn only_the_base64_of_32_bytes_is_a_key() {
        for wrong in ["", "hunter2", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            assert!(KeyEncryptionKey::from_base64(wrong).is_none(), "{wrong}");
        }
    }
}
