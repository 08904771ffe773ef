//! The vectors that every crypto provider must pass.

use portcullis_graviola::Graviola;
use portcullis_testing::vectors;

#[test]
fn graviola_passes_the_vectors_of_its_algorithms() {
    let report = vectors::run(&Graviola);
    println!("{report}");
    assert_eq!(report.wrong, Vec::<String>::new());
    let algorithms: Vec<_> = report.right.keys().copied().collect();
    assert_eq!(
        algorithms,
        [
            "ES256", "ES384", "EdDSA", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512",
            "RS256", "RS384", "RS512"
        ]
    );
    for (algorithm, (accepted, rejected)) in &report.right {
        assert!(*accepted > 10 && *rejected > 10, "{algorithm}: {accepted}, {rejected}");
    }
}
