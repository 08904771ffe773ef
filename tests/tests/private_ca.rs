//! An issuer whose certificate a private authority has signed, as inside a cluster.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tollgate::testing::TestKey;
use tollgate::{Algorithm, Authenticator, AuthenticatorBuilder};

/// A new authority, and a server with a certificate of its for `localhost` that answers
/// everything with `body`: the authority's certificate in PEM, and the server's URL.
async fn serve(body: String) -> (String, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();

    let private_key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private_key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/keys", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (authority_certificate.pem(), url)
}

fn builder(url: &str) -> AuthenticatorBuilder {
    Authenticator::builder("https://issuer.example", "https://api.example").jwks_url(url)
}

async fn problem(builder: AuthenticatorBuilder) -> String {
    let error = builder.build().await.unwrap_err();
    error.source().unwrap().to_string()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn the_authority_in_the_file_is_trusted_as_the_file_is_now() {
    let keys = TestKey::jwks([&TestKey::generate("k", Algorithm::Es256)]).to_string();
    let (pem, url) = serve(keys.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");

    write(&path, &pem);
    let auth = builder(&url).ca_file(&path).build().await.unwrap();
    assert_eq!(auth.status()[0].keys.as_ref().unwrap().keys, 1);

    // Without it, with another one, with none in it, or with no file: refused, and said why.
    let refusal = problem(builder(&url)).await;
    assert!(refusal.contains("certificate"), "{refusal}");
    let (other, _) = serve(json!({}).to_string()).await;
    write(&path, &other);
    let refusal = problem(builder(&url).ca_file(&path)).await;
    assert!(refusal.contains("certificate"), "{refusal}");
    // The file is read at each fetch: what was trusted before is not trusted any more.
    assert!(auth.refresh().await.is_err());
    for text in ["", "no certificate"] {
        write(&path, text);
        let refusal = problem(builder(&url).ca_file(&path)).await;
        assert!(refusal.contains("ca.crt"), "{refusal}");
    }
    std::fs::remove_file(&path).unwrap();
    let refusal = problem(builder(&url).ca_file(&path)).await;
    assert!(refusal.contains("ca.crt"), "{refusal}");

    write(&path, &pem);
    auth.refresh().await.unwrap();
}
