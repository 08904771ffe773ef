//! The errors of the issuer. Each text names the fault and what to do about it.

pub(crate) mod causes;
mod config;
mod store;

use std::path::PathBuf;

pub(crate) use self::causes::debug_with_causes;
pub use self::config::ConfigError;
pub use self::store::StoreError;

/// The error of opening the issuer, or of one of its operations.
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
        /// The driver's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// The file that holds the key-encryption key is absent, but the database has encrypted keys.
    #[error(
        "the key file {} is missing, but the database already holds signing keys encrypted under \
         it. Put the file back from your backup (or set IDENTSPHERE_KEY_ENCRYPTION_KEY); no new \
         key was created, because it could not decrypt them", path.display()
    )]
    KeyFileMissing {
        /// The expected path of the file.
        path: PathBuf,
    },

    /// There is no file with a key-encryption key, and no data on PostgreSQL yet.
    #[error(
        "the key file {0} is missing. On PostgreSQL no key file is created, because all processes \
         need the same key. Create it once with `openssl rand -base64 32 > {0}`, give it to every \
         process, and keep a copy apart from the database's backups", path.display()
    )]
    NoKeyFile {
        /// The expected path of the file.
        path: PathBuf,
    },

    /// The file with the key-encryption key cannot be read or written, or does not contain a key.
    #[error("the key file {} cannot be used: {problem}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// The operating system's error.
        #[source]
        source: Option<std::io::Error>,
    },

    /// The stored signing key was encrypted under another key-encryption key.
    #[error(
        "the signing key {kid} cannot be decrypted: {origin} is not the key that it was encrypted \
         under. Use the right key; nothing was changed"
    )]
    WrongKeyEncryptionKey {
        /// The stored key that cannot be decrypted.
        kid: String,
        /// Where the key-encryption key came from.
        origin: String,
    },

    /// The signing key is with a signer, and the issuer was opened without one.
    #[error(
        "the signing key {kid} is held by a signer, but IssuerConfig::signer is not set. Set the \
         signer, or withdraw the key with an issuer that has the signer"
    )]
    NoSigner {
        /// The stored key.
        kid: String,
    },

    /// The signer did not return a signature or a key.
    #[error("the signer failed")]
    Signer(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// There is no published key with that `kid`.
    #[error("there is no published key {kid:?}; `portcullis-issuer keys list` shows all keys")]
    NoSuchKey {
        /// The name.
        kid: String,
    },

    /// A user with that name already exists.
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

    /// No notifier is configured.
    #[error(
        "there is no notifier to deliver the token; set IDENTSPHERE_NOTIFIER (or \
         IssuerConfig::notifier)"
    )]
    NoNotifier,

    /// The notifier did not take an operator's message to a user.
    #[error(
        "the user {name:?} was added, but the invitation was not delivered. Check \
         IDENTSPHERE_NOTIFIER, and send it again with the same `users invite`"
    )]
    NotDelivered {
        /// The user's name.
        name: String,
        /// The notifier's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// There is no user with that name or id.
    #[error("there is no user {name:?}; `portcullis-issuer users list` shows all users")]
    NoSuchUser {
        /// The name or id.
        name: String,
    },

    /// A user's name, address, role or scope is invalid.
    #[error("{0}")]
    InvalidUser(&'static str),

    /// A new password breaks a rule: it is too short, too long, the user's name or address, or
    /// common.
    #[error("{0}")]
    InvalidPassword(&'static str),

    /// A machine client with that id already exists.
    #[error("there is already a client {id:?}")]
    ClientExists {
        /// The id.
        id: String,
    },

    /// There is no machine client with that id.
    #[error("there is no client {id:?}; `portcullis-issuer clients list` shows all clients")]
    NoSuchClient {
        /// The id.
        id: String,
    },

    /// A machine client's id, scope, audience or other attribute is invalid.
    #[error("{0}")]
    InvalidClient(&'static str),

    /// A machine client's keys cannot be used.
    #[error("the client's keys cannot be used: {problem}")]
    InvalidClientKeys {
        /// What is wrong with them.
        problem: String,
    },

    /// The user already has a second factor.
    #[error("the user already has a second factor; remove it first")]
    SecondFactorExists,

    /// The user has no passkey of that id.
    #[error("the user has no passkey {id:?}; `portcullis-issuer users passkeys` shows them")]
    NoSuchPasskey {
        /// The id.
        id: String,
    },

    /// The user has a second factor, which must have been shown within the last 5 minutes. Only
    /// requests at `/v1/auth` are answered with it.
    #[error("the user must show the second factor first")]
    StepUpNeeded,

    /// The cryptographic library failed; in practice, for lack of randomness or memory.
    #[error("a cryptographic operation failed: {0}")]
    Crypto(&'static str),

    /// No slot for hashing a password became free in time.
    #[error("too many passwords are being checked at once")]
    Busy,

    /// There were too many attempts at a password or a code.
    #[error("too many attempts; try again in {retry_after_secs} s")]
    Limited {
        /// The time to wait before the next attempt, in seconds.
        retry_after_secs: u64,
    },

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

debug_with_causes!(Error);
