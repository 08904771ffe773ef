//! The algorithms of jsonwebtoken, by their names.

/// The same algorithm; `None` for HMAC, whose keys no published set has, and for one that is not known.
pub(crate) fn asymmetric(algorithm: jsonwebtoken::Algorithm) -> Option<portcullis::Algorithm> {
    // Its variants are called as the registry has them.
    format!("{algorithm:?}").parse().ok()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, AlgorithmFamily};

    use super::*;

    #[test]
    fn every_asymmetric_algorithm_is_the_one_of_its_name() {
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
