//! SQL statements that run directly on the database, and not through the store.

use sqlx::Connection as _;

use super::Place;

/// Runs a statement directly on the database.
pub(super) async fn run(place: &Place, statement: &'static str) {
    match place {
        Place::Sqlite(directory) => {
            let path = directory.path().join("a.db");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        Place::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url.reveal()).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    }
}

/// Returns the single number that a statement selects, directly from the database.
pub(super) async fn count(place: &Place, statement: &'static str) -> i64 {
    match place {
        Place::Sqlite(directory) => {
            let path = directory.path().join("a.db");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
        Place::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url.reveal()).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
    }
}
