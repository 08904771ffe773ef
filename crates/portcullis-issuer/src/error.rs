//! What can go wrong, said so that the reader knows what to do about it.

pub(crate) mod causes;
mod config;
mod store;

use std::path::PathBuf;

pub(crate) use self::causes::debug_with_causes;
pub use self::config::ConfigError;
pub use self::store::StoreError;

/// Why the issuer could not be opened or could not do what it was asked.
///
/// No variant carries a secret: neither key bytes nor passwords nor tokens.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),

    /// The database cannot be used; it was left as it is.
    #[error("the database {database} cannot be used: {problem}. {remedy}")]
    Database {
        /// The file, or the server's URL without its password.
        database: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What to do about it.
        remedy: &'static str,
        /// The driver's own words.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// The file that holds the key-encryption key is absent, but the database has encrypted keys.
    #[error(
        "the key file {} is missing, but the database already holds signing keys encrypted under \
         it. Put the file back from your backup (or set IDENTSPHERE_KEY_ENCRYPTION_KEY); no new \
         one was made, because it could not decrypt them", path.display()
    )]
    KeyFileMissing {
        /// The file that was looked for.
        path: PathBuf,
    },

    /// The file that holds the key-encryption key cannot be read, written or understood.
    #[error("the key file {} cannot be used: {problem}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// The operating system's words.
        #[source]
        source: Option<std::io::Error>,
    },

    /// The key-encryption key is not the one that the stored signing key was encrypted under.
    #[error(
        "the signing key {kid} cannot be decrypted: {origin} is not the key that it was encrypted \
         under. Use the right one; nothing was changed"
    )]
    WrongKeyEncryptionKey {
        /// The stored key that did not open.
        kid: String,
        /// Where the key-encryption key came from.
        origin: String,
    },

    /// The signing key is with a signer, and the issuer was opened without one.
    #[error(
        "the signing key {kid} is with a signer, and there is none in the settings \
         (IssuerConfig::signer). Give it back, or have it withdrawn by an issuer that has it"
    )]
    NoSigner {
        /// The stored key.
        kid: String,
    },

    /// The signer did not sign, or made no key.
    #[error("the signer failed")]
    Signer(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// There is no published key of that name.
    #[error(
        "there is no published key {kid:?}; `portcullis-issuer keys list` shows those there are"
    )]
    NoSuchKey {
        /// The name.
        kid: String,
    },

    /// There is a user of that name already.
    #[error("there is already a user named {name:?}")]
    UserExists {
        /// The name.
        name: String,
    },

    /// The administrator who asked for a change was disabled, logged out or lost the scope before the
    /// change was made. Only requests at `/v1/admin` are answered with it.
    #[error(
        "the administrator's session has ended, or its user has lost the scope identsphere:admin"
    )]
    NotAnAdministrator,

    /// There is nothing that delivers messages to users.
    #[error(
        "there is no notifier to deliver the token; set IDENTSPHERE_NOTIFIER (or \
         IssuerConfig::notifier)"
    )]
    NoNotifier,

    /// There is no user of that name or id.
    #[error("there is no user {name:?}; `portcullis-issuer users list` shows those there are")]
    NoSuchUser {
        /// The name or id.
        name: String,
    },

    /// A user's name, address, role or scope does not fit.
    #[error("{0}")]
    InvalidUser(&'static str),

    /// A new password breaks a rule: it is too short, too long, the user's name or common.
    #[error("{0}")]
    InvalidPassword(&'static str),

    /// There is a machine client of that id already.
    #[error("there is already a client {id:?}")]
    ClientExists {
        /// The id.
        id: String,
    },

    /// There is no machine client of that id.
    #[error("there is no client {id:?}; `portcullis-issuer clients list` shows those there are")]
    NoSuchClient {
        /// The id.
        id: String,
    },

    /// A machine client's id, scope or audience does not fit.
    #[error("{0}")]
    InvalidClient(&'static str),

    /// A machine client's keys are not what they should be.
    #[error("the client's keys cannot be used: {problem}")]
    InvalidClientKeys {
        /// What is wrong with them.
        problem: String,
    },

    /// The user has a second factor already.
    #[error("there is a second factor already; remove it first")]
    SecondFactorExists,

    /// The cryptographic library refused; in practice, it had no randomness or no memory.
    #[error("a cryptographic operation failed: {0}")]
    Crypto(&'static str),

    /// All password-hashing slots stayed taken for too long.
    #[error("too many passwords are being checked at once")]
    Busy,

    /// There were too many attempts at a password or a code.
    #[error("too many attempts; come back in {retry_after_secs} s")]
    Limited {
        /// When to come back.
        retry_after_secs: u64,
    },

    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

debug_with_causes!(Error);
