//! Conversion of jsonwebtoken's algorithms, by name.

/// Returns Portcullis's algorithm of the same name. Returns `None` for HMAC, whose keys are not in
/// any published set, and for an unknown algorithm.
pub(crate) fn asymmetric(algorithm: jsonwebtoken::Algorithm) -> Option<portcullis::Algorithm> {
    // The variants have the names of the IANA registry.
    format!("{algorithm:?}").parse().ok()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, AlgorithmFamily};

    use super::*;

    #[test]
    fn every_asymmetric_algorithm_maps_to_the_same_name() {
        for family in [AlgorithmFamily::Rsa, AlgorithmFamily::Ec, AlgorithmFamily::Ed] {
            for &algorithm in family.algorithms() {
                let ours = asymmetric(algorithm).unwrap();
                assert_eq!(ours.as_str().parse(), Ok(algorithm));
            }
        }
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            assert_eq!(asymmetric(algorithm), None);
        }
    }
}
