//! The migrations that are part of the program. sqlx's `migrate!` does not list them, because the crate
//! of that macro compiles both drivers, SQLite and aws-lc a second time, for the compiler.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A migration: its file's name without `.sql`, and its statements.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($name:literal)+) => {
        &[$((
            $name,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/migrations/", $folder, "/", $name, ".sql"
            )),
        )),+]
    };
}

#[cfg(feature = "postgres")]
pub(super) const POSTGRES: &[File] = files! { "postgres":
    "0001_first_schema"
    "0002_clients"
    "0003_status_lists"
    "0004_revoked_places"
    "0005_numbered_refresh_tokens"
    "0006_people"
    "0007_client_rights"
    "0008_awaiting_users"
    "0009_tokens_of_disabled_users"
    "0010_logout_messages"
    "0011_logout_queue"
    "0012_passkeys"
};

pub(super) const SQLITE: &[File] = files! { "sqlite":
    "0001_first_schema"
    "0002_key_schedule"
    "0003_audit_and_second_factor"
    "0004_clients"
    "0005_status_lists"
    "0006_revoked_places"
    "0007_numbered_refresh_tokens"
    "0008_people"
    "0009_client_rights"
    "0010_awaiting_users"
    "0011_tokens_of_disabled_users"
    "0012_logout_messages"
    "0013_logout_queue"
    "0014_passkeys"
};

/// Returns these migrations, whose versions are 1, 2 and so on.
pub(super) fn migrator(files: &'static [File]) -> Migrator {
    let migrations = files.iter().zip(1..).map(|((name, sql), version)| {
        let description = name.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let description = description.replace('_', " ").trim_start().to_owned();
        let sql = SqlStr::from_static(sql);
        Migration::new(version, Cow::Owned(description), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use std::path::Path;

    use super::*;

    /// Existing databases have the checksums of what sqlx reads in these folders.
    #[tokio::test]
    async fn migrations_equal_the_files_of_their_folder() {
        for (folder, files) in [("postgres", POSTGRES), ("sqlite", SQLITE)] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let read = Migrator::new(path.as_path()).await.unwrap();
            let fields = |migrator: &Migrator| -> Vec<_> {
                let fields = |it: &Migration| {
                    let sql = it.sql.as_str().to_owned();
                    (
                        it.version,
                        it.description.clone(),
                        it.migration_type,
                        sql,
                        it.checksum.clone(),
                        it.no_tx,
                    )
                };
                migrator.iter().map(fields).collect()
            };
            assert_eq!(fields(&migrator(files)), fields(&read));
        }
    }
}
