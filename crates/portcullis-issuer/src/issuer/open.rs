//! Opens an issuer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::backchannel::Sender;
use crate::clock::now_secs;
use crate::config::IssuerConfig;
use crate::domain::Domain;
use crate::domain::audit::Audit;
use crate::domain::clients::{Clients, LogoutUris};
use crate::domain::host_cookie::HostCookies;
use crate::domain::housekeeping::Housekeeping;
use crate::domain::introspection::Introspection;
use crate::domain::keys::{
    Custody, KeyEncryptionKey, KeyRing, KeyRingOptions, KeyStore, default_key_file,
};
use crate::domain::limits::Limits;
use crate::domain::login::Logins;
use crate::domain::logouts::{Delivery, Logouts};
use crate::domain::messages::Messages;
use crate::domain::passkeys::Passkeys;
use crate::domain::people::People;
use crate::domain::registration::Registrations;
use crate::domain::rekey::{RekeyStore, Rekeyer, open_mac_key};
use crate::domain::second_factor::{Sealing, SecondFactors};
use crate::domain::sessions::{MacKey, RefreshTokens, Sessions};
use crate::domain::tokens::{StatusLists, Tokens};
use crate::domain::users::Users;
use crate::error::Error;
use crate::http::{self, Api};
use crate::metrics;
use crate::store::Store;

/// Creates the services on a store, and the state of the handlers.
pub(super) async fn open(store: &Arc<dyn Store>, config: IssuerConfig) -> Result<Api, Error> {
    metrics::publish_rejected_connections();
    metrics::publish_logouts();
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
    let sealing = Sealing::new(&key_encryption_key)?;
    let rekeyer = Rekeyer {
        store: Arc::clone(store) as _,
        key: key_encryption_key.clone(),
        session_max: config.session_max,
        clock: Arc::clone(&clock),
    };
    let options = KeyRingOptions {
        custody: Custody { key_encryption_key, origin, signer: config.signer.clone() },
        algorithm: config.signing_algorithm,
        schedule: config.schedule(),
    };
    let keys = KeyRing::open(Arc::clone(store) as _, Arc::clone(&clock), options).await?;
    let keys = Arc::new(keys);
    // The MAC keys come after the key ring, which has verified the key-encryption key.
    let (mac_key, earlier) = mac_keys(&**store, &rekeyer.key, now_secs(&*clock)).await?;
    let refresh_tokens = RefreshTokens::new(&mac_key, &earlier, &rekeyer.key)?;
    let host_cookies = HostCookies::new(&mac_key, &earlier)?;
    let users = Users::new(Arc::clone(store) as _, config.password_cost, Arc::clone(&clock));
    let users = Arc::new(users.await?);

    let audit = Arc::new(Audit::new(Arc::clone(store) as _, Arc::clone(&clock)));
    let housekeeping = Arc::new(Housekeeping {
        store: Arc::clone(store) as _,
        clock: Arc::clone(&clock),
        tokens: config.tokens(),
        grace_secs: config.rules().grace_secs,
        audit_retention: config.audit_retention,
    });
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
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        audit: Arc::clone(&audit),
        refresh_tokens,
        rules: config.rules(),
        clock: Arc::clone(&clock),
    });
    let logout_uris = LogoutUris { http_host: config.dangerous_http_host.clone() };
    let logouts = Logouts::new(Delivery {
        store: Arc::clone(store) as _,
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        uris: logout_uris.clone(),
        sender: Sender::default(),
        clock: Arc::clone(&clock),
    });
    let clients = Arc::new(Clients {
        store: Arc::clone(store) as _,
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        limits: Arc::clone(&limits),
        audit: Arc::clone(&audit),
        logout_uris,
        clock: Arc::clone(&clock),
    });
    let second_factors = Arc::new(SecondFactors {
        sealing,
        store: Arc::clone(store) as _,
        users: Arc::clone(&users),
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        limits: Arc::clone(&limits),
        audit: Arc::clone(&audit),
        clock: Arc::clone(&clock),
    });
    let passkeys = Arc::new(Passkeys {
        webauthn: match config.relying_party()? {
            Some(relying_party) => Some(relying_party.webauthn()?),
            None => None,
        },
        store: Arc::clone(store) as _,
        sessions: Arc::clone(&sessions),
        keys: Arc::clone(&keys),
        tokens: Arc::clone(&tokens),
        limits: Arc::clone(&limits),
        audit: Arc::clone(&audit),
        clock: Arc::clone(&clock),
    });
    let logins = Logins {
        users: Arc::clone(&users),
        sessions: Arc::clone(&sessions),
        second_factors: Arc::clone(&second_factors),
        passkeys: Arc::clone(&passkeys),
        second_factor: config.second_factor,
        limits: Arc::clone(&limits),
        audit: Arc::clone(&audit),
        clock: Arc::clone(&clock),
    };
    let people = Arc::new(People {
        store: Arc::clone(store) as _,
        users: Arc::clone(&users),
        audit: Arc::clone(&audit),
    });
    let messages = config.notifier.as_ref().map(|notifier| {
        Arc::new(Messages {
            store: Arc::clone(store) as _,
            users: Arc::clone(&users),
            people: Arc::clone(&people),
            limits: Arc::clone(&limits),
            audit: Arc::clone(&audit),
            notifier: Arc::clone(notifier),
            clock: Arc::clone(&clock),
            under_way: Messages::places(),
        })
    });
    let registrations = Registrations {
        users: Arc::clone(&users),
        limits,
        audit: Arc::clone(&audit),
        messages: messages.clone(),
    };
    let introspection = Introspection::new(
        Arc::clone(&sessions),
        Arc::clone(&clients),
        Arc::clone(&keys),
        tokens,
        clock,
    );
    Ok(Domain {
        audit,
        clients,
        host_cookies,
        housekeeper: housekeeping.keep(),
        housekeeping,
        introspection,
        keeper: keys.keep(),
        keys,
        logins,
        logouts,
        messages,
        passkeys,
        people,
        registrations,
        rekeyer,
        second_factors,
        sessions,
        status_lists: Arc::new(status_lists),
        users,
    })
}

/// Returns the MAC keys of sessions: the key that belongs to this key-encryption key, and the keys
/// of earlier ones.
async fn mac_keys(
    store: &dyn RekeyStore,
    key: &KeyEncryptionKey,
    now: i64,
) -> Result<(MacKey, Vec<MacKey>), Error> {
    let earlier = store.earlier_mac_keys().await?;
    let number = earlier.last().map_or(1, |last| last.number.saturating_add(1));
    let number = u16::try_from(number).map_err(|_| Error::Crypto("numbering a MAC key"))?;
    let opened = earlier
        .iter()
        .filter(|earlier| earlier.verify_until > now)
        .map(|earlier| open_mac_key(key, earlier.number, &earlier.sealed))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((MacKey::of(key, number)?, opened))
}

/// Returns the key-encryption key and its origin. A key file is created only if the database has no
/// data that another key has encrypted.
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
    // Processes that share a database must be given the same key, and must not create one each.
    let has_sealed = store.keys().await?.keys.iter().any(|key| key.sealed.is_some());
    let may_create = config.database_url.is_none() && !has_sealed;
    if may_create && path.exists() {
        tracing::warn!(
            database = %config.database.display(),
            key_file = %path.display(),
            "the database is empty, but there is a key file for it. If it should have users and \
             keys, stop: it may have been moved or restored without its -wal file"
        );
    }
    let key = KeyEncryptionKey::from_file(&path, may_create).map_err(|error| match error {
        // There is nothing to restore: this is the first start on PostgreSQL.
        Error::KeyFileMissing { path } if !has_sealed => Error::NoKeyFile { path },
        other => other,
    })?;
    Ok((key, format!("the key in {}", path.display())))
}
