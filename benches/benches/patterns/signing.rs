//! The issuer's overhead beyond the signature of an access token.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use portcullis_bench_issuer::PASSWORD;
use portcullis_benches::measure::{Case, measure, report};
use portcullis_benches::scenario::AUDIENCE;
use portcullis_issuer::{Issuer, IssuerConfig, NewUser, SigningAlgorithm};
use serde_json::json;
use tokio::runtime::Runtime;

use super::refreshes::call;

pub(crate) fn beside_the_signature(runtime: &Runtime, rounds: usize) {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        let folder = tempfile::tempdir().unwrap();
        let issue = runtime.block_on(async {
            let mut config = IssuerConfig::new("http://127.0.0.1:1", folder.path().join("db"));
            config.audiences = vec![AUDIENCE.to_owned()];
            config.signing_algorithm = Some(algorithm);
            let issuer = Issuer::open(config).await.unwrap();
            issuer.add_user(NewUser::new("alice", PASSWORD).scopes(["a:read"])).await.unwrap();
            let body = json!({"username": "alice", "password": PASSWORD});
            let session = call(&issuer, "/v1/auth/login", &body).await;
            let session = session["session_id"].as_str().unwrap();
            issuer.access_tokens_of(session).await.unwrap().unwrap()
        });
        let token = issue().unwrap();
        let message = token.rsplit_once('.').unwrap().0.to_owned();
        let bare = bare(algorithm);
        let cases = vec![
            Case::new("bare signature", || bare(black_box(message.as_bytes()))),
            Case::new("an access token", || drop(black_box(issue().unwrap()))),
        ];
        report(&format!("issuer, signing {}", algorithm.as_str()), &measure(cases, rounds));
    }
}

type Sign = Box<dyn Fn(&[u8])>;

/// Returns a function that signs a message with a key for `algorithm`, and does nothing else.
fn bare(algorithm: SigningAlgorithm) -> Sign {
    let random = SystemRandom::new();
    match algorithm {
        SigningAlgorithm::Es256 => {
            let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            Box::new(move |message| {
                black_box(key.sign(&random, message).unwrap());
            })
        }
        SigningAlgorithm::EdDsa => {
            let key = Ed25519KeyPair::generate().unwrap();
            Box::new(move |message| {
                black_box(key.sign(message));
            })
        }
        _ => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            Box::new(move |message| {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                black_box(signature);
            })
        }
    }
}
