//! Imports a JWK ([RFC 7517 §4], [RFC 7518 §6], [RFC 8037 §2], [RFC 9964 §3]).
//!
//! [RFC 7517 §4]: https://www.rfc-editor.org/rfc/rfc7517#section-4
//! [RFC 7518 §6]: https://www.rfc-editor.org/rfc/rfc7518#section-6
//! [RFC 8037 §2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
//! [RFC 9964 §3]: https://www.rfc-editor.org/rfc/rfc9964#section-3

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};

use super::{Identity, KeyError, KeyParser, VerificationKey, Verifiers, ed25519, ml_dsa};
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
    /// Imports the key for its `alg` or, without one, for each allowed algorithm that fits it.
    ///
    /// Entra and others publish RSA keys without `alg`. The configuration then limits the
    /// algorithms, and the token selects one of those.
    pub(super) fn import(self, parser: &KeyParser<'_>) -> Result<VerificationKey, KeyError> {
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
        let algorithms = self.algorithms(possible, parser)?;
        // The numbers of a key do not depend on which of several possible algorithms it is for.
        let algorithm = *algorithms.first().ok_or(KeyError::NotAllowed)?;
        let identity = self.identity(algorithm)?;
        let verifiers = Verifiers::new(parser.provider, algorithms.into_iter(), &identity);
        Ok(VerificationKey { id: self.kid, verifiers: verifiers.usable()?, identity })
    }

    fn check_usage(&self) -> Result<(), KeyError> {
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let may_verify =
            self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if for_signatures && may_verify { Ok(()) } else { Err(KeyError::NotForSignatures) }
    }

    /// Returns at least one algorithm, in an order that does not depend on what is allowed.
    fn algorithms(
        &self,
        possible: &[Algorithm],
        parser: &KeyParser<'_>,
    ) -> Result<SmallVec<[Algorithm; 6]>, KeyError> {
        let possible: SmallVec<[_; 6]> = match &self.alg {
            None => SmallVec::from_slice(possible),
            Some(name) => {
                let algorithm = Algorithm::from_name(name).ok_or(KeyError::Unsupported)?;
                if !possible.contains(&algorithm) {
                    return Err(KeyError::AlgorithmMismatch);
                }
                smallvec![algorithm]
            }
        };
        let supported = possible.into_iter().filter(|&it| parser.provider.supports(it));
        let supported: SmallVec<[_; 6]> = supported.collect();
        if supported.is_empty() {
            let provider = parser.provider.name();
            return Err(KeyError::UnsupportedByProvider { provider });
        }
        let allowed = supported.into_iter().filter(|it| parser.allowed.contains(it));
        let allowed: SmallVec<_> = allowed.collect();
        if allowed.is_empty() { Err(KeyError::NotAllowed) } else { Ok(allowed) }
    }

    /// Reads the numbers of the key, and makes every check that needs no provider.
    fn identity(&self, algorithm: Algorithm) -> Result<Identity, KeyError> {
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => self.rsa_numbers(),
            Algorithm::Es256 => self.coordinates("P-256", 32),
            Algorithm::Es384 => self.coordinates("P-384", 48),
            Algorithm::Es512 => self.coordinates("P-521", 66),
            Algorithm::Ed25519 => {
                let point = bytes("x", self.x.as_deref(), Some(32))?;
                ed25519::check(&point)?;
                Ok(Identity::Ed25519(point))
            }
            Algorithm::MlDsa44 => self.encoded(algorithm, 1312),
            Algorithm::MlDsa65 => self.encoded(algorithm, 1952),
            Algorithm::MlDsa87 => self.encoded(algorithm, 2592),
            // Unreachable, because a JWK with a symmetric key has already been rejected.
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Err(KeyError::Symmetric),
        }
    }

    fn encoded(&self, algorithm: Algorithm, length: usize) -> Result<Identity, KeyError> {
        let public = bytes("pub", self.public.as_deref(), Some(length))?;
        ml_dsa::check(&public)?;
        Ok(Identity::MlDsa(algorithm, public))
    }

    fn rsa_numbers(&self) -> Result<Identity, KeyError> {
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
        Ok(Identity::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    fn coordinates(&self, curve: &'static str, length: usize) -> Result<Identity, KeyError> {
        // RFC 7518 §6.2.1.2: coordinates have the full length, leading zeros included.
        let x = bytes("x", self.x.as_deref(), Some(length))?;
        let y = bytes("y", self.y.as_deref(), Some(length))?;
        Ok(Identity::Ec { curve, x, y })
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
