//! Imports a JWK ([RFC 7517 §4], [RFC 7518 §6], [RFC 8037 §2], [RFC 9964 §3]).
//!
//! [RFC 7517 §4]: https://www.rfc-editor.org/rfc/rfc7517#section-4
//! [RFC 7518 §6]: https://www.rfc-editor.org/rfc/rfc7518#section-6
//! [RFC 8037 §2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
//! [RFC 9964 §3]: https://www.rfc-editor.org/rfc/rfc9964#section-3

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};

use super::{Identity, KeyError, Material, VerificationKey, ed25519, ml_dsa};
use crate::algorithm::Algorithm;
use crate::json::{FromMembers, IsPresent, Lenient, Member, Text};

/// The members of a JWK as published.
#[derive(Debug, Default)]
pub(super) struct Jwk {
    kty: Option<String>,
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    pub(super) kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    public: Option<String>,
    has_private_member: bool,
    has_k: bool,
    wrong_type: Option<&'static str>,
}

impl<'de> FromMembers<'de> for Jwk {
    /// Never fails on a member's value, since the next key in the set must still be read.
    ///
    /// A `null` member counts as absent, and so does an optional member that is blank or an empty
    /// array. .NET writes every member of a JWK, and most of them have such a value. `kid` is kept
    /// literally, since tokens repeat it, and an empty secret is still a secret.
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        let (name, to) = match name {
            "kty" => ("kty", &mut self.kty),
            "use" => ("use", &mut self.usage),
            "alg" => ("alg", &mut self.alg),
            "kid" => ("kid", &mut self.kid),
            "crv" => ("crv", &mut self.crv),
            "n" => ("n", &mut self.n),
            "e" => ("e", &mut self.e),
            "x" => ("x", &mut self.x),
            "y" => ("y", &mut self.y),
            "pub" => ("pub", &mut self.public),
            "key_ops" => {
                match value(member)? {
                    Lenient::Texts(operations) => {
                        let operations = operations.into_iter().map(Text::into_owned);
                        let operations: Vec<_> = operations.filter(|op| !is_blank(op)).collect();
                        self.key_ops = Some(operations).filter(|operations| !operations.is_empty());
                    }
                    Lenient::Null => {}
                    Lenient::Text(text) if is_blank(&text.0) => {}
                    _ => self.wrong_type = Some("key_ops"),
                }
                return Ok(());
            }
            "k" => {
                self.has_k |= !matches!(value(member)?, Lenient::Null);
                return Ok(());
            }
            "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" | "priv" => {
                let IsPresent(is_present) = member.read("d")?;
                self.has_private_member |= is_present;
                return Ok(());
            }
            _ => return member.skip(),
        };
        match value(member)? {
            Lenient::Null => {}
            Lenient::Text(text) if is_blank(&text.0) && ["use", "alg", "crv"].contains(&name) => {}
            Lenient::Text(text) => *to = Some(text.into_owned()),
            _ => self.wrong_type = Some(name),
        }
        Ok(())
    }
}

/// Builds JWKs from other encodings, so that the same checks apply.
impl Jwk {
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self { kty: text("RSA"), n: number(n), e: number(e), ..Self::default() }
    }

    pub(super) fn ec(curve: &str, x: &[u8], y: &[u8]) -> Self {
        Self { kty: text("EC"), crv: text(curve), x: number(x), y: number(y), ..Self::default() }
    }

    pub(super) fn ed25519(x: &[u8]) -> Self {
        Self { kty: text("OKP"), crv: text("Ed25519"), x: number(x), ..Self::default() }
    }

    pub(super) fn ml_dsa(algorithm: Algorithm, public: &[u8]) -> Self {
        let alg = text(algorithm.as_str());
        Self { kty: text("AKP"), alg, public: number(public), ..Self::default() }
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn number(bytes: &[u8]) -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

impl Jwk {
    /// Imports the key for its `alg` or, without one, for each of `allowed` that fits it.
    ///
    /// Entra and others publish RSA keys without `alg`. The configuration then limits the
    /// algorithms, and the token selects one of those.
    pub(super) fn import(self, allowed: &[Algorithm]) -> Result<VerificationKey, KeyError> {
        if let Some(name) = self.wrong_type {
            return Err(KeyError::WrongType(name));
        }
        let kty = self.kty.as_deref().ok_or(KeyError::Missing("kty"))?;
        if kty == "oct" || self.has_k {
            return Err(KeyError::Symmetric);
        }
        if self.has_private_member {
            return Err(KeyError::Private);
        }
        self.check_usage()?;
        let possible: &[Algorithm] = match (kty, self.crv.as_deref()) {
            ("RSA", _) => &[
                Algorithm::Rs256,
                Algorithm::Rs384,
                Algorithm::Rs512,
                Algorithm::Ps256,
                Algorithm::Ps384,
                Algorithm::Ps512,
            ],
            ("EC", Some("P-256")) => &[Algorithm::Es256],
            ("EC", Some("P-384")) => &[Algorithm::Es384],
            ("EC", Some("P-521")) => &[Algorithm::Es512],
            ("OKP", Some("Ed25519")) => &[Algorithm::Ed25519],
            // RFC 9964 §3: only `alg` determines the parameter set of an AKP key.
            ("AKP", _) if self.alg.is_none() => return Err(KeyError::Missing("alg")),
            ("AKP", _) => &[Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87],
            ("EC" | "OKP", None) => return Err(KeyError::Missing("crv")),
            _ => return Err(KeyError::Unsupported),
        };
        let (mut uses, mut identity) = (SmallVec::new(), None);
        for algorithm in self.algorithms(possible, allowed)? {
            let (parsed, numbers) = self.parse(algorithm)?;
            uses.push((algorithm, Material::Public(parsed)));
            identity = Some(numbers);
        }
        let identity = identity.ok_or(KeyError::NotAllowed)?;
        Ok(VerificationKey { id: self.kid, uses, identity })
    }

    fn check_usage(&self) -> Result<(), KeyError> {
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let may_verify =
            self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if for_signatures && may_verify { Ok(()) } else { Err(KeyError::NotForSignatures) }
    }

    /// Returns at least one algorithm, in an order that does not depend on `allowed`.
    fn algorithms(
        &self,
        possible: &[Algorithm],
        allowed: &[Algorithm],
    ) -> Result<SmallVec<[Algorithm; 6]>, KeyError> {
        let Some(name) = &self.alg else {
            let usable = possible.iter().copied().filter(|algorithm| allowed.contains(algorithm));
            let usable: SmallVec<_> = usable.collect();
            return if usable.is_empty() { Err(KeyError::NotAllowed) } else { Ok(usable) };
        };
        let algorithm = Algorithm::from_name(name).ok_or(KeyError::Unsupported)?;
        if !possible.contains(&algorithm) {
            Err(KeyError::AlgorithmMismatch)
        } else if !allowed.contains(&algorithm) {
            Err(KeyError::NotAllowed)
        } else {
            Ok(smallvec![algorithm])
        }
    }

    fn parse(&self, algorithm: Algorithm) -> Result<(ParsedPublicKey, Identity), KeyError> {
        match algorithm {
            Algorithm::Rs256 => self.parse_rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => self.parse_rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => self.parse_rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => self.parse_rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => self.parse_rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => self.parse_rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::Es256 => self.parse_ec("P-256", &signature::ECDSA_P256_SHA256_FIXED, 32),
            Algorithm::Es384 => self.parse_ec("P-384", &signature::ECDSA_P384_SHA384_FIXED, 48),
            Algorithm::Es512 => self.parse_ec("P-521", &signature::ECDSA_P521_SHA512_FIXED, 66),
            Algorithm::Ed25519 => {
                let point = bytes("x", self.x.as_deref(), Some(32))?;
                ed25519::check(&point)?;
                Ok((parsed(&signature::ED25519, &point)?, Identity::Ed25519(point)))
            }
            Algorithm::MlDsa44 => self.parse_akp(algorithm, &signature::ML_DSA_44, 1312),
            Algorithm::MlDsa65 => self.parse_akp(algorithm, &signature::ML_DSA_65, 1952),
            Algorithm::MlDsa87 => self.parse_akp(algorithm, &signature::ML_DSA_87, 2592),
            // Unreachable, because a JWK with a symmetric key has already been rejected.
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Err(KeyError::Symmetric),
        }
    }

    fn parse_akp(
        &self,
        algorithm: Algorithm,
        verification: &'static dyn VerificationAlgorithm,
        length: usize,
    ) -> Result<(ParsedPublicKey, Identity), KeyError> {
        let public = bytes("pub", self.public.as_deref(), Some(length))?;
        ml_dsa::check(&public)?;
        Ok((parsed(verification, &public)?, Identity::MlDsa(algorithm, public)))
    }

    fn parse_rsa(
        &self,
        parameters: &'static RsaParameters,
    ) -> Result<(ParsedPublicKey, Identity), KeyError> {
        let n = bytes("n", self.n.as_deref(), None)?;
        let e = bytes("e", self.e.as_deref(), None)?;
        // RFC 7518 §2 forbids leading zeros; some issuers write them anyway.
        let n = strip_zeros(&n);
        let e = strip_zeros(&e);
        let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::ModulusSize { bits });
        }
        let odd = e.last().is_some_and(|byte| byte % 2 == 1);
        if !odd || e == [1] || e.len() > 8 {
            return Err(KeyError::Exponent);
        }
        let parsed = PublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .map_err(|_| KeyError::Invalid)?;
        Ok((parsed, Identity::Rsa { n: n.to_vec(), e: e.to_vec() }))
    }

    fn parse_ec(
        &self,
        curve: &'static str,
        algorithm: &'static dyn VerificationAlgorithm,
        length: usize,
    ) -> Result<(ParsedPublicKey, Identity), KeyError> {
        // RFC 7518 §6.2.1.2: coordinates have the full length, leading zeros included.
        let x = bytes("x", self.x.as_deref(), Some(length))?;
        let y = bytes("y", self.y.as_deref(), Some(length))?;
        // SEC 1 §2.3.3: the uncompressed point.
        let parsed = parsed(algorithm, &[&[0x04], x.as_slice(), y.as_slice()].concat())?;
        Ok((parsed, Identity::Ec { curve, x, y }))
    }
}

/// Reads the value of a member. A value that cannot be parsed, such as a thousand nested arrays,
/// has the wrong type.
fn value<'de, M: Member<'de>>(member: M) -> Result<Lenient<'de>, M::Error> {
    let text: &RawValue = member.read("jwk")?;
    Ok(serde_json::from_str(text.get()).unwrap_or(Lenient::Other))
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn parsed(
    algorithm: &'static dyn VerificationAlgorithm,
    material: &[u8],
) -> Result<ParsedPublicKey, KeyError> {
    ParsedPublicKey::new(algorithm, material).map_err(|_| KeyError::Invalid)
}

fn bytes(
    name: &'static str,
    value: Option<&str>,
    length: Option<usize>,
) -> Result<Vec<u8>, KeyError> {
    let value = value.ok_or(KeyError::Missing(name))?;
    let bytes = URL_SAFE_NO_PAD.decode(value).map_err(|_| KeyError::Encoding(name))?;
    match length {
        Some(length) if bytes.len() != length => Err(KeyError::Encoding(name)),
        _ => Ok(bytes),
    }
}

fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
