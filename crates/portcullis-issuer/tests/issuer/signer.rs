//! External signing keys: the signer is a fake service in this process that is slow, fails and
//! recovers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_issuer::{Error, Issuer, KeyState, Signer, SignerAnswer, SigningAlgorithm};
use serde_json::{Value, json};

use crate::common::{Home, login, on_every_store, part, refresh, with_token};

on_every_store!(
    external_key_signs_rotates_and_survives_a_restart,
    failed_signer_does_not_spend_a_refresh_token,
    signature_in_the_wrong_format_is_503,
    signer_takes_over_at_a_rotation,
    rotation_waits_for_the_signer_and_does_not_delay_requests,
);

#[derive(Debug, Default)]
struct Remote {
    /// The PKCS#8 keys by their RFC 7638 thumbprints.
    keys: Mutex<HashMap<String, Vec<u8>>>,
    signatures: AtomicU32,
    fails: AtomicBool,
    writes_der: AtomicBool,
    makes_none: AtomicBool,
}

impl Remote {
    async fn call(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if self.fails.load(Ordering::Relaxed) {
            Err("hunter2: out of order".into())
        } else {
            Ok(())
        }
    }

    fn signatures(&self) -> u32 {
        self.signatures.load(Ordering::Relaxed)
    }
}

impl Signer for Remote {
    fn new_key(&self, algorithm: SigningAlgorithm) -> SignerAnswer<'_, Value> {
        Box::pin(async move {
            self.call().await?;
            assert_eq!(algorithm, SigningAlgorithm::Es256);
            if self.makes_none.load(Ordering::Relaxed) {
                return Err("no key available".into());
            }
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &SystemRandom::new(),
            )?;
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())?;
            let point = key.public_key().as_ref();
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
            // The thumbprint of RFC 7638 section 3.1, without Portcullis's code.
            let hashed = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
            let kid = encode(digest(&SHA256, hashed.as_bytes()).as_ref());
            self.keys.lock().unwrap().insert(kid, pkcs8.as_ref().to_vec());
            Ok(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "mine", "use": "enc" }))
        })
    }

    fn sign<'a>(&'a self, kid: &'a str, message: &'a [u8]) -> SignerAnswer<'a, Vec<u8>> {
        Box::pin(async move {
            self.call().await?;
            self.signatures.fetch_add(1, Ordering::Relaxed);
            let pkcs8 = self.keys.lock().unwrap().get(kid).cloned().ok_or("no such key")?;
            let form = if self.writes_der.load(Ordering::Relaxed) {
                &ECDSA_P256_SHA256_ASN1_SIGNING
            } else {
                &ECDSA_P256_SHA256_FIXED_SIGNING
            };
            let key = EcdsaKeyPair::from_pkcs8(form, &pkcs8)?;
            Ok(key.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
        })
    }
}

async fn open(home: &Home, signer: &Arc<Remote>) -> Issuer {
    let mut config = home.config();
    config.signer = Some(Arc::clone(signer) as _);
    Issuer::open(config).await.unwrap()
}

async fn with_alice(home: &Home, signer: &Arc<Remote>) -> Issuer {
    let issuer = open(home, signer).await;
    let alice = portcullis_issuer::NewUser::new("alice", crate::common::PASSWORD);
    issuer.add_user(alice).await.unwrap();
    issuer
}

fn kid_of(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

async fn external_key_signs_rotates_and_survives_a_restart(home: Home) {
    let signer = Arc::new(Remote::default());
    let issuer = with_alice(&home, &signer).await;
    let grant = login(&issuer).await.expect(200);
    let old = grant.text("access_token");
    with_token(&issuer, "GET /v1/users/me", &old).await.expect(200);
    assert_eq!(signer.signatures(), 1);
    assert!(signer.keys.lock().unwrap().contains_key(&kid_of(&old)));

    let next = issuer.rotate_keys().await.unwrap();
    assert_eq!(issuer.rotate_keys().await.unwrap(), next, "the next key is published already");
    assert_ne!(next, kid_of(&old));
    home.advance(400);
    issuer.close().await;
    let issuer = open(&home, &signer).await;
    let new = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    let new = new.text("access_token");
    // On PostgreSQL the issuer may not lead yet. Then the old key still signs.
    assert!([&next, &kid_of(&old)].contains(&&kid_of(&new)));
    for token in [&old, &new] {
        with_token(&issuer, "GET /v1/users/me", token).await.expect(200);
    }
    issuer.close().await;

    // Without the signer, the issuer does not start and does not create another key.
    let error = Issuer::open(home.config()).await.unwrap_err();
    assert!(matches!(error, Error::NoSigner { .. }), "{error:?}");
}

/// However long an outage of the signer lasts, the refresh token stays valid.
async fn failed_signer_does_not_spend_a_refresh_token(home: Home) {
    let signer = Arc::new(Remote::default());
    let issuer = with_alice(&home, &signer).await;
    let token = login(&issuer).await.expect(200).text("refresh_token");
    signer.fails.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        for answer in [login(&issuer).await, refresh(&issuer, &token).await] {
            let answer = answer.expect(503);
            assert_eq!(answer.header("retry-after"), "1");
            assert!(!answer.json.to_string().contains("hunter2"), "{answer:?}");
        }
        // This is longer than the grace period for a repeated refresh.
        home.advance(60);
    }
    signer.fails.store(false, Ordering::Relaxed);
    let next = refresh(&issuer, &token).await.expect(200);
    login(&issuer).await.expect(200);
    // The failed logins have created no sessions.
    let sessions = with_token(&issuer, "GET /v1/auth/sessions", &next.text("access_token")).await;
    assert_eq!(sessions.expect(200).json["sessions"].as_array().unwrap().len(), 2);
}

async fn signature_in_the_wrong_format_is_503(home: Home) {
    let signer = Arc::new(Remote::default());
    let issuer = with_alice(&home, &signer).await;
    signer.writes_der.store(true, Ordering::Relaxed);
    login(&issuer).await.expect(503);
    signer.writes_der.store(false, Ordering::Relaxed);
    login(&issuer).await.expect(200);
}

async fn signer_takes_over_at_a_rotation(home: Home) {
    let before = home.open_with_alice().await;
    let old = login(&before).await.expect(200).text("access_token");
    before.close().await;
    let signer = Arc::new(Remote::default());
    let issuer = open(&home, &signer).await;
    assert_eq!(kid_of(&login(&issuer).await.expect(200).text("access_token")), kid_of(&old));
    assert_eq!(signer.signatures(), 0);
    let kid = issuer.rotate_keys_now().await.unwrap();
    assert_eq!(kid_of(&login(&issuer).await.expect(200).text("access_token")), kid);
    assert_eq!(signer.signatures(), 1);
    with_token(&issuer, "GET /v1/users/me", &old).await.expect(200);
}

async fn rotation_waits_for_the_signer_and_does_not_delay_requests(home: Home) {
    let signer = Arc::new(Remote::default());
    let mut config = home.config();
    config.key_rotation = Some(Duration::from_secs(2_000));
    config.signer = Some(Arc::clone(&signer) as _);
    drop(with_alice(&home, &signer).await);
    let issuer = Issuer::open(config).await.unwrap();
    let states = async || -> Vec<KeyState> {
        let keys = issuer.keys().await.unwrap();
        keys.iter().map(|key| key.state).filter(|state| *state != KeyState::Withdrawn).collect()
    };
    let mut token = login(&issuer).await.expect(200).text("refresh_token");
    signer.makes_none.store(true, Ordering::Relaxed);
    home.advance(1_700);
    for _ in 0..5 {
        token = refresh(&issuer, &token).await.expect(200).text("refresh_token");
        home.advance(31);
    }
    assert_eq!(states().await, [KeyState::Active]);
    signer.makes_none.store(false, Ordering::Relaxed);
    // On PostgreSQL the dropped issuer may still lead for a moment.
    for _ in 0..500 {
        home.advance(31);
        token = refresh(&issuer, &token).await.expect(200).text("refresh_token");
        if states().await == [KeyState::Next, KeyState::Active] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", states().await);
}
