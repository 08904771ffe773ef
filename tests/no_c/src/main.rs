//! A service's start without a C compiler: graviola verifies the signatures, and encrypts the fetch
//! of the keys.

use std::error::Error;

use portcullis::fetch::ReqwestFetch;
use portcullis::keys::{KeyParser, SharedKeySet};
use portcullis::{Algorithm, Authenticator, signature};
use portcullis_graviola::Graviola;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = || Authenticator::builder("https://127.0.0.1:9", "https://api.example");
    let error = builder().build().await.unwrap_err().to_string();
    assert!(error.contains("no crypto provider"), "{error}");

    // An error without a provider of TLS, not a panic.
    let without_tls = ReqwestFetch::new().unwrap_err().to_string();
    assert!(without_tls.contains("rustls has no default crypto provider"), "{without_tls}");
    rustls_graviola::default_provider().install_default().map_err(|_| "installed twice")?;
    let fetch = ReqwestFetch::new().map_err(|error| error.to_string())?;

    let builder = || builder().crypto_provider(&Graviola);
    let error = builder().fetch(fetch).build().await.unwrap_err().to_string();
    assert!(error.contains("could not be fetched"), "{error}");
    let error = builder().algorithms([Algorithm::Es512]).build().await.unwrap_err().to_string();
    assert!(error.contains("graviola does not support it"), "{error}");

    // RFC 8037 appendix A.
    let keys = KeyParser::new(&Graviola).key_set(
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    )?;
    let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj\
               P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    signature::verify(jws, &keys, Algorithm::ALL)?;
    assert!(signature::verify(&jws.replace("RXhh", "RXhi"), &keys, Algorithm::ALL).is_err());
    builder().key_source(SharedKeySet::new(keys)).build().await?;
    println!("started and verified a signature");
    Ok(())
}
