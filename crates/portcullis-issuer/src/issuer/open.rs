//! Puts an issuer together.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::config::IssuerConfig;
use crate::domain::Domain;
use crate::domain::audit::Audit;
use crate::domain::clients::Clients;
use crate::domain::host_cookie::HostCookies;
use crate::domain::introspection::Introspection;
use crate::domain::keys::{
    Custody, KeyEncryptionKey, KeyRing, KeyRingOptions, KeyStore, default_key_file,
};
use crate::domain::limits::Limits;
use crate::domain::second_factor::{Sealing, SecondFactors};
use crate::domain::sessions::{RefreshTokens, Sessions};
use crate::domain::tokens::{StatusLists, Tokens};
use crate::domain::users::Users;
use crate::error::Error;
use crate::http::{self, Api};
use crate::metrics;
use crate::store::Store;

/// Creates the services on a store, and the state of the handlers.
pub(super) async fn open(store: &Arc<dyn Store>, config: IssuerConfig) -> Result<Api, Error> {
    metrics::publish_rejected_connections();
    metrics::leads(store.leads());
    let domain = domain(store, &config).await?;
    let authenticator = http::authenticator(&config, domain.keys.shared()).await?;
    Ok(Api {
        config,
        domain,
        authenticator,
        stopping: AtomicBool::new(false),
        unusable_address_logged: AtomicBool::new(false),
    })
}

async fn domain(store: &Arc<dyn Store>, config: &IssuerConfig) -> Result<Domain, Error> {
    let clock = Arc::clone(&config.clock);
    let (key_encryption_key, origin) = key_encryption_key(config, &**store).await?;
    let refresh_tokens = RefreshTokens::new(&key_encryption_key)?;
    let sealing = Sealing::new(&key_encryption_key)?;
    let host_cookies = HostCookies::new(&key_encryption_key)?;
    let options = KeyRingOptions {
        custody: Custody { key_encryption_key, origin, signer: config.signer.clone() },
        algorithm: config.signing_algorithm,
        schedule: config.schedule(),
    };
    let keys = KeyRing::open(Arc::clone(store) as _, Arc::clone(&clock), options).await?;
    let keys = Arc::new(keys);
    let users = Users::new(Arc::clone(store) as _, config.password_cost, Arc::clone(&clock));
    let users = Arc::new(users.await?);

    let audit = Audit::new(Arc::clone(store) as _, Arc::clone(&clock), config.audit_retention);
    let audit = Arc::new(audit);
    drop(tokio::spawn(Audit::keep_tidy(Arc::downgrade(&audit))));
    let (per_account, per_network) = (config.attempts_per_account, config.attempts_per_address);
    let limits = Limits::new(per_account, per_network, &clock, Arc::clone(&audit));
    let limits = Arc::new(limits);
    let tokens = Arc::new(Tokens::new(config.tokens(), Arc::clone(store) as _));
    let status_lists = StatusLists::new(
        config.tokens(),
        Arc::clone(&keys),
        Arc::clone(store) as _,
        Arc::clone(&clock),
    );
    let sessions = Arc::new(Sessions {
        store: Arc::clone(store) as _,
        users: Arc::clone(&users),
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        limits: Arc::clone(&limits),
        audit: Arc::clone(&audit),
        refresh_tokens,
        lifetimes: config.lifetimes(),
        clock: Arc::clone(&clock),
    });
    let clients = Arc::new(Clients {
        store: Arc::clone(store) as _,
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        limits: Arc::clone(&limits),
        audit: Arc::clone(&audit),
        clock: Arc::clone(&clock),
    });
    let second_factors = SecondFactors {
        sealing,
        store: Arc::clone(store) as _,
        users: Arc::clone(&users),
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        limits,
        audit: Arc::clone(&audit),
        clock: Arc::clone(&clock),
    };
    let introspection = Introspection {
        sessions: Arc::clone(&sessions),
        clients: Arc::clone(&clients),
        keys: Arc::clone(&keys),
        tokens,
        clock,
    };
    Ok(Domain {
        audit,
        clients,
        host_cookies,
        introspection,
        keeper: keys.keep(),
        keys,
        second_factors,
        sessions,
        status_lists: Arc::new(status_lists),
        users,
    })
}

/// The key-encryption key and where it came from. A key file is made only while there is nothing
/// that another one would be needed for.
async fn key_encryption_key(
    config: &IssuerConfig,
    store: &dyn KeyStore,
) -> Result<(KeyEncryptionKey, String), Error> {
    if let Some(key) = &config.key_encryption_key {
        return Ok((key.clone(), "IDENTSPHERE_KEY_ENCRYPTION_KEY".to_owned()));
    }
    let path = match &config.key_encryption_key_file {
        Some(path) => path.clone(),
        None => default_key_file(&config.database),
    };
    // Processes that share a database must be given their key, and not each make one.
    let may_create = config.database_url.is_none()
        && store.keys().await?.keys.iter().all(|key| key.sealed.is_none());
    if may_create && path.exists() {
        tracing::warn!(
            database = %config.database.display(),
            key_file = %path.display(),
            "the database is empty, but there is a key file for it. If users and keys should be \
             there, stop: it may have been moved or restored without its -wal file"
        );
    }
    let key = KeyEncryptionKey::from_file(&path, may_create)?;
    Ok((key, format!("the key in {}", path.display())))
}
