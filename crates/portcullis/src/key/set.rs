//! A key set ([RFC 7517 §5]) and the selection of a key from it.
//!
//! [RFC 7517 §5]: https://www.rfc-editor.org/rfc/rfc7517#section-5

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::KeyError;
use super::candidates::{Candidates, MAX_CANDIDATES};
use super::jwk::Jwk;
use super::{KeyParser, KeyRequest, VerificationKey};
#[cfg(feature = "aws-lc")]
use crate::algorithm::Algorithm;
use crate::causes::debug_with_causes;
#[cfg(feature = "aws-lc")]
use crate::crypto::AwsLc;
use crate::error::TokenError;
use crate::json::{self, FromMembers, MapMember, Member, Names, Text};
use crate::settings::{self, Setting};

/// The maximum value of the setting for this limit.
pub(crate) const MAX_MAX_KEYS: usize = 10_000;

/// The public keys of one issuer.
///
/// Each key is parsed on its own: a key that cannot be used is [skipped](KeySet::skipped) with a
/// reason and does not affect the others ([RFC 7517 §5]).
///
/// ```
/// use portcullis::keys::KeySet;
///
/// let set = KeySet::from_json(br#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty":"oct","kid":"b","k":"c2VjcmV0"}
/// ]}"#)?;
/// assert_eq!(set.len(), 1);
/// assert_eq!(set.skipped()[0].reason.to_string(), "a symmetric key");
///
/// assert!(KeySet::from_json(b"<html>").is_err());
/// # Ok::<(), portcullis::keys::KeySetError>(())
/// ```
///
/// [RFC 7517 §5]: https://www.rfc-editor.org/rfc/rfc7517#section-5
#[doc(alias("jwks", "JwkSet"))]
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
    skipped: Vec<SkippedKey>,
}

/// A key of a set that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedKey {
    /// The `kid`, if it could be read.
    pub id: Option<String>,
    /// Why the key is not used.
    pub reason: KeyError,
}

/// An error that rejects a whole key set.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The document is not a JSON object with an array `keys`.
    #[error("{problem}")]
    #[non_exhaustive]
    NotAKeySet {
        /// A description of the document, or of the error in `keys`.
        problem: String,
    },
    /// PEM that contains a private key, which a service that only verifies must not hold.
    #[error(
        "it has a private key: provide only the public key or the certificate, and treat the private key as \
         compromised"
    )]
    PrivateKey,
    /// The set has more keys than the limit.
    #[error("more than {limit} keys{}", raise(*.setting))]
    #[non_exhaustive]
    TooManyKeys {
        /// The maximum number of keys in a set.
        limit: usize,
        /// The setting for the limit, if there is one.
        setting: Option<&'static Setting>,
    },
}

/// Adds the name of the setting that raises an issuer's key limit.
pub(crate) fn raise_max_keys(error: KeySetError) -> KeySetError {
    match error {
        KeySetError::TooManyKeys { limit, .. } => {
            KeySetError::TooManyKeys { limit, setting: Some(settings::MAX_KEYS) }
        }
        error => error,
    }
}

fn raise(setting: Option<&'static Setting>) -> String {
    setting.map_or_else(String::new, |it| format!("; raise {it} if the issuer has more"))
}

debug_with_causes!(KeySetError);

impl KeySet {
    /// Parses a JWK Set. A leading byte order mark is ignored.
    ///
    /// # Errors
    ///
    /// Returns an error if `json` is not a key set. A key that cannot be used is not an error.
    #[cfg(feature = "aws-lc")]
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        KeyParser::new(&AwsLc).key_set(json)
    }

    fn parse(json: &[u8], parser: &KeyParser<'_>) -> Result<Self, KeySetError> {
        let not_a_key_set = |problem| KeySetError::NotAKeySet { problem };
        let document: Document = json::from_document(json).map_err(not_a_key_set)?;
        let keys = document.keys.ok_or_else(|| not_a_key_set("`keys` is absent".to_owned()))?;
        let Entries(entries) = keys;
        if entries.len() > parser.max_keys {
            return Err(KeySetError::TooManyKeys { limit: parser.max_keys, setting: None });
        }
        let mut set = Self::default();
        for entry in entries {
            match entry {
                Entry::Jwk(jwk) => set.add(*jwk, parser),
                Entry::Unusable(reason) => set.skipped.push(SkippedKey { id: None, reason }),
            }
        }
        set.drop_ambiguous();
        Ok(set)
    }

    fn add(&mut self, jwk: Jwk, parser: &KeyParser<'_>) {
        let id = jwk.kid.clone();
        match jwk.import(parser) {
            Ok(key) => self.push(Arc::new(key)),
            Err(reason) => self.skip(SkippedKey { id, reason }),
        }
    }

    /// Adds a key, unless the set already has it.
    pub(super) fn push(&mut self, key: Arc<VerificationKey>) {
        if !self.keys.iter().any(|other| other.id == key.id && other.is_same(&key)) {
            self.keys.push(key);
        }
    }

    pub(super) fn skip(&mut self, key: SkippedKey) {
        self.skipped.push(key);
    }

    /// Drops different keys that share a `kid` and an algorithm, since any choice between them
    /// would be a guess. A blank `kid` does not name a key.
    pub(super) fn drop_ambiguous(&mut self) {
        let (clear, ambiguous): (Vec<_>, Vec<_>) = self.keys.iter().cloned().partition(|key| {
            let rivals = self.keys.iter().filter(|other| {
                let shares_use = || key.algorithms().any(|own| other.is_for(own));
                let differs = || other.identity != key.identity;
                let is_named = key.id.as_deref().is_some_and(|id| !id.trim().is_empty());
                is_named && other.id == key.id && differs() && shares_use()
            });
            rivals.count() == 0
        });
        self.keys = clear;
        self.skipped.extend(
            ambiguous
                .into_iter()
                .map(|key| SkippedKey { id: key.id.clone(), reason: KeyError::Ambiguous }),
        );
    }

    /// Parses like [`KeySet::from_json`], with only the keys for `allowed` algorithms. An RSA key
    /// without `alg` is used with each RSA algorithm in the list.
    ///
    /// # Errors
    ///
    /// Returns an error if `json` is not a key set. A key that cannot be used is not an error.
    #[cfg(feature = "aws-lc")]
    pub fn from_json_for(json: &[u8], allowed: &[Algorithm]) -> Result<Self, KeySetError> {
        KeyParser::new(&AwsLc).algorithms(allowed).key_set(json)
    }

    /// Merges two sets, such as a JWK Set and a PEM file, including their skipped keys. Two
    /// different keys with the same `kid` and algorithm are both skipped, as within one set.
    ///
    /// ```
    /// use portcullis::keys::KeySet;
    ///
    /// let published = KeySet::from_json(br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
    ///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
    /// let local = KeySet::from_pem(b"-----BEGIN PUBLIC KEY-----
    /// MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
    /// -----END PUBLIC KEY-----")?;
    /// assert_eq!(published.and(local).len(), 2);
    /// # Ok::<(), portcullis::keys::KeySetError>(())
    /// ```
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for key in other.keys {
            self.push(key);
        }
        self.skipped.extend(other.skipped);
        self.drop_ambiguous();
        // A `kid` that was ambiguous in one set stays ambiguous in the merged set.
        let Self { keys, skipped } = &mut self;
        keys.retain(|key| {
            let is_named = |other: &SkippedKey| key.id.is_some() && other.id == key.id;
            !skipped.iter().any(|other| other.reason == KeyError::Ambiguous && is_named(other))
        });
        self
    }

    /// Returns whether `other` has the same keys with the same `kid`s in the same order, and the
    /// same skipped keys.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let pairs = || self.keys.iter().zip(&other.keys);
        self.keys.len() == other.keys.len()
            && self.skipped == other.skipped
            && pairs().all(|(one, other)| one.id == other.id && one.is_same(other))
    }

    /// Returns the number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether the set has no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the usable keys.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().map(AsRef::as_ref)
    }

    /// Returns the keys that are not used, each with the reason.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Returns the error for a token without a matching key. If the key was skipped, the error
    /// carries the reason, because the operator needs it.
    pub(crate) fn absence(&self, key_id: Option<&str>) -> TokenError {
        let named = |skipped: &&SkippedKey| key_id.is_some() && skipped.id.as_deref() == key_id;
        match self.skipped.iter().find(named) {
            Some(skipped) => TokenError::UnusableKey { reason: skipped.reason.to_string() },
            None => TokenError::UnknownKey,
        }
    }

    /// Returns whether `key` is a candidate for a token; `None` if only a newer set may have a
    /// candidate.
    pub(crate) fn has(
        &self,
        wanted: &KeyRequest<'_>,
        key: &VerificationKey,
    ) -> Result<Option<bool>, TokenError> {
        // Fast path: the token names its key, and the key was not replaced.
        let is_named = wanted.key_id.is_some() && key.id.as_deref() == wanted.key_id;
        if is_named
            && key.is_for(wanted.algorithm)
            && self.keys.iter().any(|own| std::ptr::eq(&raw const **own, key))
        {
            return Ok(Some(true));
        }
        let candidates = self.candidates(wanted)?;
        let has = || candidates.iter().any(|candidate| candidate.is_same(key));
        Ok((!candidates.is_empty()).then(has))
    }

    /// Returns the keys to try for a token: the key with its `kid` and algorithm or, for a token
    /// without `kid`, each key with its algorithm. Empty if only a newer set may have the key.
    pub(crate) fn candidates(&self, wanted: &KeyRequest<'_>) -> Result<Candidates<'_>, TokenError> {
        let algorithm = wanted.algorithm;
        let (mut candidates, mut mismatch) = (Candidates::new(), None);
        for key in &self.keys {
            if wanted.key_id.is_some() && key.id.as_deref() != wanted.key_id {
                continue;
            }
            if !key.is_for(algorithm) {
                mismatch = wanted.key_id.map(|_| key.mismatch(algorithm));
            } else if candidates.len() == MAX_CANDIDATES {
                return Err(TokenError::TooManyCandidates { algorithm, limit: MAX_CANDIDATES });
            } else {
                candidates.push(key);
            }
        }
        match mismatch {
            Some(error) if candidates.is_empty() => Err(error),
            _ => Ok(candidates),
        }
    }
}

impl KeyParser<'_> {
    /// Parses a JWK Set, as [`KeySet::from_json`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if `json` is not a key set. A key that cannot be used is not an error.
    pub fn key_set(&self, json: &[u8]) -> Result<KeySet, KeySetError> {
        KeySet::parse(json, self)
    }
}

impl FromIterator<VerificationKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = VerificationKey>>(keys: I) -> Self {
        let keys = keys.into_iter().map(Arc::new).collect();
        let mut set = Self { keys, skipped: Vec::new() };
        set.drop_ambiguous();
        set
    }
}

/// The key set document as published.
#[derive(Default)]
struct Document {
    keys: Option<Entries>,
}

impl<'de> FromMembers<'de> for Document {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        match name {
            "keys" => self.keys = Some(member.read("keys")?),
            // RFC 7517 §5: other members are ignored.
            _ => member.skip()?,
        }
        Ok(())
    }
}

struct Entries(Vec<Entry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of JWKs")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Entries, S::Error> {
                let mut entries = Vec::new();
                // One entry more than the maximum limit is enough to detect the excess. The bound
                // also limits the memory.
                while entries.len() <= MAX_MAX_KEYS {
                    match items.next_element()? {
                        Some(entry) => entries.push(entry),
                        None => return Ok(Entries(entries)),
                    }
                }
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_seq(EntriesVisitor)
    }
}

/// One element of `keys`. An invalid element does not fail the document.
enum Entry {
    Jwk(Box<Jwk>),
    Unusable(KeyError),
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Consumes each element completely, since the deserializer cannot skip a partly read one.
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entry, M::Error> {
                let (mut jwk, mut names, mut fault) = (Jwk::default(), Names::default(), None);
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if names.contains(&name) {
                        fault = Some(KeyError::DuplicateMember);
                    }
                    jwk.take(&name.0, MapMember { map: &mut map, fault: &mut None })?;
                    names.insert(name);
                }
                Ok(fault.map_or_else(|| Entry::Jwk(Box::new(jwk)), Entry::Unusable))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Entry, S::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entry::Unusable(KeyError::NotAnObject))
            }

            fn visit_unit<E>(self) -> Result<Entry, E> {
                Ok(Entry::Unusable(KeyError::NotAnObject))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Entry, E> {
                Ok(Entry::Unusable(KeyError::NotAnObject))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Entry, E> {
                Ok(Entry::Unusable(KeyError::NotAnObject))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Entry, E> {
                Ok(Entry::Unusable(KeyError::NotAnObject))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Entry, E> {
                Ok(Entry::Unusable(KeyError::NotAnObject))
            }

            fn visit_str<E>(self, _: &str) -> Result<Entry, E> {
                Ok(Entry::Unusable(KeyError::NotAnObject))
            }
        }
        deserializer.deserialize_any(EntryVisitor)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::key::MAX_KEYS;

    // RFC 8037 appendix A.2, RFC 7517 appendix A.1.
    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    const EC: &str = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn rsa() -> String {
        format!(r#""kty":"RSA","n":"{N}","e":"AQAB""#)
    }

    fn set(keys: &[String]) -> KeySet {
        let keys: Vec<_> = keys.iter().map(|key| format!("{{{key}}}")).collect();
        KeySet::from_json(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
    }

    fn reason(key: &str) -> KeyError {
        let set = set(&[key.to_owned(), format!(r#"{ED},"kid":"good""#)]);
        assert_eq!(set.len(), 1, "accepted, or affected the other key: {key}");
        set.skipped()[0].reason.clone()
    }

    fn chosen(set: &KeySet, kid: Option<&str>, algorithm: Algorithm) -> String {
        match set.candidates(&KeyRequest { key_id: kid, algorithm }) {
            Ok(keys) => match keys.as_slice() {
                [] => "absent".to_owned(),
                [key] => format!("{}/{algorithm}", key.id().unwrap_or("-")),
                keys => {
                    keys.iter().map(|key| key.id().unwrap_or("-")).collect::<Vec<_>>().join(" ")
                }
            },
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn key_without_alg_is_for_each_allowed_algorithm_of_its_type() {
        use Algorithm::{Es256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let document = format!(r#"{{"keys":[{{{},"kid":"a"}}]}}"#, rsa());
        for (allowed, used) in [
            (&[Rs256][..], &[Rs256][..]),
            (&[Ps512], &[Ps512]),
            (&[Es256, Ps384, Rs256], &[Rs256, Ps384]),
            (&[Rs256, Ps384, Es256], &[Rs256, Ps384]),
            (Algorithm::ALL, &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]),
        ] {
            let set = KeySet::from_json_for(document.as_bytes(), allowed).unwrap();
            assert_eq!(set.len(), 1);
            let algorithms: Vec<_> = set.iter().flat_map(VerificationKey::algorithms).collect();
            assert_eq!(algorithms, used);
            for algorithm in used {
                assert_eq!(
                    set.candidates(&KeyRequest::new(Some("a"), *algorithm)).unwrap().len(),
                    1
                );
            }
            let other = set.candidates(&KeyRequest::new(Some("a"), Es256)).unwrap_err();
            assert_eq!(other.rule(), "alg_of_key");
        }
        let none = KeySet::from_json_for(document.as_bytes(), &[Algorithm::Es256]).unwrap();
        assert!(none.is_empty() && none.skipped().len() == 1);
    }

    #[test]
    fn key_is_for_its_alg_or_the_algorithms_of_its_type() {
        let set = set(&[
            format!(r#"{ED},"kid":"ed","alg":"Ed25519","use":"sig""#),
            format!(r#"{EC},"kid":"ec","key_ops":["verify"]"#),
            format!(r#"{},"kid":"ps","alg":"PS256""#, rsa()),
            format!(r#"{},"kid":"rs""#, rsa()),
        ]);
        assert_eq!(set.skipped(), []);
        let algorithms: Vec<_> = set.iter().flat_map(VerificationKey::algorithms).collect();
        let rsa = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256];
        let rsa = rsa.into_iter().chain([Algorithm::Ps384, Algorithm::Ps512]);
        let typed = [Algorithm::Ed25519, Algorithm::Es256, Algorithm::Ps256];
        assert_eq!(algorithms, typed.into_iter().chain(rsa).collect::<Vec<_>>());
    }

    #[test]
    fn key_listed_with_and_without_alg_is_not_ambiguous() {
        let set = set(&[
            format!(r#"{},"kid":"a""#, rsa()),
            format!(r#"{},"kid":"a","alg":"RS256""#, rsa()),
        ]);
        assert_eq!((set.len(), set.skipped().len()), (2, 0));
    }

    #[test]
    fn unusable_key_is_skipped_with_its_reason() {
        for (key, expected) in [
            (r#""kty":"oct","k":"c2VjcmV0""#.to_owned(), KeyError::Symmetric),
            // CVE-2026-44699 and similar: an RSA key that is also a secret.
            (format!(r#"{},"k":"AA""#, rsa()), KeyError::Symmetric),
            (format!(r#"{ED},"d":"AA""#), KeyError::Private),
            (format!(r#"{ED},"d":{{}}"#), KeyError::Private),
            (format!(r#"{ED},"d":[null]"#), KeyError::Private),
            (format!(r#"{ED},"d":1e999"#), KeyError::Private),
            (format!(r#"{},"use":"enc""#, rsa()), KeyError::NotForSignatures),
            (format!(r#"{EC},"key_ops":["sign","encrypt"]"#), KeyError::NotForSignatures),
            (r#""kty":"AKP","alg":"ML-DSA-65","pub":"AA""#.to_owned(), KeyError::Encoding("pub")),
            (r#""kty":"AKP","pub":"AA""#.to_owned(), KeyError::Missing("alg")),
            (r#""kty":"AKP","alg":"ES256","pub":"AA""#.to_owned(), KeyError::AlgorithmMismatch),
            (r#""kty":"AKP","alg":"SLH-DSA-128","pub":"AA""#.to_owned(), KeyError::Unsupported),
            (r#""kty":"XYZ","alg":"ES256""#.to_owned(), KeyError::Unsupported),
            (r#""kty":"OKP","crv":"X25519","x":"AA""#.to_owned(), KeyError::Unsupported),
            (r#""kty":"EC","crv":"secp256k1""#.to_owned(), KeyError::Unsupported),
            (format!(r#"{},"alg":"RSA-OAEP""#, rsa()), KeyError::Unsupported),
            (format!(r#"{EC},"alg":"ES384""#), KeyError::AlgorithmMismatch),
            (format!(r#"{EC},"alg":"RS256""#), KeyError::AlgorithmMismatch),
            (r#""crv":"P-256""#.to_owned(), KeyError::Missing("kty")),
            (r#""kty":"EC","x":"AA""#.to_owned(), KeyError::Missing("crv")),
            (r#""kty":"RSA","e":"AQAB""#.to_owned(), KeyError::Missing("n")),
            (format!(r#""kty":"RSA","n":"{N}=","e":"AQAB""#), KeyError::Encoding("n")),
            (r#""kty":"RSA","n":"AQAB","e":"AQAB""#.to_owned(), KeyError::ModulusSize { bits: 17 }),
            (format!(r#""kty":"RSA","n":"{N}","e":"AQ""#), KeyError::Exponent),
            (format!(r#""kty":"RSA","n":"{N}","e":"Ag""#), KeyError::Exponent),
            (format!(r#""kty":"RSA","n":"{N}","e":"AA""#), KeyError::Exponent),
            (format!(r#""kty":"RSA","n":"{N}","e":"AQAAAAAAAAAB""#), KeyError::Exponent),
            (EC.replace("4Etl", "4Et"), KeyError::Encoding("y")),
            (EC.replace("4Etl", "4Etm"), KeyError::Invalid),
            (ED.replace("11qY", ""), KeyError::Encoding("x")),
            (r#""kty":7"#.to_owned(), KeyError::WrongType("kty")),
            (format!(r#"{ED},"kid":7"#), KeyError::WrongType("kid")),
            (format!(r#"{ED},"key_ops":[null]"#), KeyError::WrongType("key_ops")),
            (EC.replace("P-256", ""), KeyError::Missing("crv")),
            (r#""kty":"RSA","n":null,"e":"AQAB""#.to_owned(), KeyError::Missing("n")),
            (r#""kty":"AKP","alg":"","pub":"AA""#.to_owned(), KeyError::Missing("alg")),
            (r#""kty":"oct","k":null"#.to_owned(), KeyError::Symmetric),
            (format!(r#"{},"k":"""#, rsa()), KeyError::Symmetric),
            (r#""kty":"RSA","n":"","e":"AQAB""#.to_owned(), KeyError::ModulusSize { bits: 0 }),
            (format!(r#"{ED},"crv":"Ed25519""#), KeyError::DuplicateMember),
        ] {
            assert_eq!(reason(&key), expected, "{key}");
        }
    }

    #[test]
    fn null_blank_and_empty_members_are_absent() {
        for nothing in ["null", r#""""#, r#""  ""#, "[]", "[ ]", r#"[""]"#] {
            for name in ["key_ops", "use", "alg", "crv", "x", "y", "d", "p", "q", "oth", "x5c"] {
                let texts = matches!(nothing, "[]" | "[ ]" | r#"[""]"#);
                let is_list = matches!(name, "key_ops" | "oth" | "x5c");
                // An array is invalid for a text member.
                if texts && !is_list || nothing == r#"[""]"# && name == "oth" {
                    continue;
                }
                let set = set(&[format!(r#"{},"kid":"a","{name}":{nothing}"#, rsa())]);
                assert_eq!(set.skipped(), [], "{name}: {nothing}");
                assert_eq!(chosen(&set, Some("a"), Algorithm::Rs256), "a/RS256");
            }
        }
        // An RSA key as serialized by .NET.
        let set = set(&[format!(
            r#""additionalData":{{}},"alg":null,"crv":null,"d":null,"dp":null,"dq":null,"e":"AQAB",
            "k":null,"keyId":"a","key_ops":[],"kid":"a","kty":"RSA","n":"{N}","oth":null,"p":null,
            "q":null,"qi":null,"use":null,"x":null,"x5c":[],"x5t":null,"y":null,"keySize":2048,
            "hasPrivateKey":false,"cryptoProviderFactory":{{}}"#
        )]);
        assert_eq!((set.len(), set.skipped()), (1, &[][..]));
    }

    /// A `kid` is compared literally, if there is one.
    #[test]
    fn blank_kid_matches_no_key_and_null_kid_is_absent() {
        let other = rsa().replace("0vx7", "1vx7");
        let set = set(&[format!(r#"{},"kid":"""#, rsa()), format!(r#"{other},"kid":"""#)]);
        assert_eq!((set.len(), set.skipped()), (2, &[][..]));
        let null = self::set(&[format!(r#"{ED},"kid":null"#)]);
        assert_eq!(chosen(&null, None, Algorithm::Ed25519), "-/EdDSA");
    }

    #[test]
    fn exponent_over_64_bits_is_rejected() {
        assert_eq!(set(&[format!(r#""kty":"RSA","n":"{N}","e":"AQAAAAAAAAE""#)]).len(), 1);
        let longer = format!(r#""kty":"RSA","n":"{N}","e":"AQAAAAAAAAAB""#);
        assert_eq!(reason(&longer), KeyError::Exponent);
    }

    #[test]
    fn jwk_with_any_private_member_is_a_private_key() {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"] {
            assert_eq!(reason(&format!(r#"{},"{name}":"AA""#, rsa())), KeyError::Private, "{name}");
        }
    }

    #[test]
    fn key_for_an_algorithm_that_is_not_allowed_is_skipped() {
        let json = format!(r#"{{"keys":[{{{},"alg":"PS256"}}]}}"#, rsa());
        let set = KeySet::from_json_for(json.as_bytes(), &[Algorithm::Rs256]).unwrap();
        assert_eq!(set.skipped()[0].reason, KeyError::NotAllowed);
    }

    #[test]
    fn rsa_key_listed_for_two_algorithms_is_two_keys() {
        let key = |alg| format!(r#"{},"kid":"a","alg":"{alg}""#, rsa());
        let set = set(&[key("RS256"), key("PS256")]);
        assert_eq!((set.len(), set.skipped().len()), (2, 0));
    }

    #[test]
    fn oversized_modulus_is_skipped() {
        let n = URL_SAFE_NO_PAD.encode([0xff; 1025]);
        let key = format!(r#""kty":"RSA","n":"{n}","e":"AQAB""#);
        assert_eq!(reason(&key), KeyError::ModulusSize { bits: 8200 });
    }

    #[test]
    fn elements_that_are_not_objects_are_skipped() {
        let json = format!(r#"{{"keys":[null,true,-1,1,1.5,"x",[[]],{{{ED}}}],"x":1}}"#);
        let set = KeySet::from_json(json.as_bytes()).unwrap();
        assert_eq!((set.len(), set.skipped().len()), (1, 7));
    }

    #[test]
    fn text_that_is_not_a_key_set_is_rejected_and_empty_set_is_accepted() {
        for (json, told) in [
            ("", "it is empty"),
            ("[]", "it is an array, not a JSON object"),
            ("null", "it is `null`"),
            ("<html>", "it is HTML"),
            ("{}", "`keys` is absent"),
            (r#"{"keys":{}}"#, "`keys` has a value of the wrong type"),
            (r#"{"keys":null}"#, "`keys` has a value of the wrong type"),
            (r#"{"keys":[],"keys":[]}"#, r#"its member "keys" is duplicated"#),
            (r#"{"keys":[]} x"#, "trailing characters"),
        ] {
            let error = KeySet::from_json(json.as_bytes()).unwrap_err();
            assert!(matches!(error, KeySetError::NotAKeySet { .. }), "{json}");
            assert!(error.to_string().contains(told), "{json}: {error}");
        }
        let marked = format!("\u{feff}{{\"keys\":[{{{ED}}}]}}");
        assert_eq!(KeySet::from_json(marked.as_bytes()).unwrap().len(), 1);
        assert!(KeySet::from_json(br#"{"keys":[]}"#).unwrap().is_empty());
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = format!(r#"{{"keys":[{}{}]}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(KeySet::from_json(deep.as_bytes()).unwrap().skipped().len(), 1);
        for (name, value) in [
            ("key_ops", format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
            ("kid", format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
            ("kid", r#""\ud800""#.to_owned()),
            ("n", "1e999".to_owned()),
        ] {
            let set = set(&[format!(r#"{ED},"{name}":{value}"#), ED.to_owned()]);
            assert_eq!((set.len(), set.skipped().len()), (1, 1), "{name}");
        }
        for name in ["n", "x5c"] {
            let open = format!("{{\"{name}\":").repeat(10_000);
            let deep = format!(r#"{{"keys":[{open}1{}]}}"#, "}".repeat(10_000));
            assert_eq!(KeySet::from_json(deep.as_bytes()).unwrap().skipped().len(), 1, "{name}");
        }
    }

    #[test]
    fn number_of_keys_is_limited() {
        let json = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; MAX_KEYS + 1].join(","));
        let error = KeySet::from_json(json.as_bytes()).unwrap_err();
        assert_eq!(error, KeySetError::TooManyKeys { limit: MAX_KEYS, setting: None });
        let json = json.replacen("{},", "", 1);
        assert_eq!(KeySet::from_json(json.as_bytes()).unwrap().skipped().len(), MAX_KEYS);
    }

    #[test]
    fn key_is_selected_by_kid_and_algorithm() {
        let set = set(&[
            format!(r#"{ED},"kid":"a""#),
            format!(r#"{EC},"kid":"a""#),
            format!(r#"{},"kid":"b""#, rsa()),
        ]);
        assert_eq!(chosen(&set, Some("a"), Algorithm::Ed25519), "a/EdDSA");
        assert_eq!(chosen(&set, Some("a"), Algorithm::Es256), "a/ES256");
        assert_eq!(chosen(&set, Some("b"), Algorithm::Rs256), "b/RS256");
        // CVE-2026-89313: an unknown `kid` matches no key.
        assert_eq!(chosen(&set, Some("c"), Algorithm::Rs256), "absent");
        assert_eq!(chosen(&set, Some(""), Algorithm::Rs256), "absent");
        assert_eq!(chosen(&set, Some("b"), Algorithm::Ps256), "b/PS256");
        for other in [Algorithm::Ed25519, Algorithm::Es256] {
            let mismatch = format!("`alg` is {other}, but the key with this `kid` is for RS256");
            assert_eq!(chosen(&set, Some("b"), other), mismatch);
        }
    }

    #[test]
    fn without_a_kid_each_key_of_the_algorithm_is_a_candidate() {
        let one = set(&[format!(r#"{ED},"kid":"a""#), EC.to_owned()]);
        assert_eq!(chosen(&one, None, Algorithm::Ed25519), "a/EdDSA");
        assert_eq!(chosen(&one, None, Algorithm::Es256), "-/ES256");
        assert_eq!(chosen(&one, None, Algorithm::Rs256), "absent");
        // A key without a `kid` does not match every `kid`.
        assert_eq!(chosen(&one, Some("x"), Algorithm::Es256), "absent");
        let many = |count| {
            let rsa = (0..count).map(|at| format!(r#"{},"kid":"{at}""#, rsa()));
            set(&rsa.chain([EC.to_owned(), format!(r#"{ED},"kid":"ed""#)]).collect::<Vec<_>>())
        };
        for (count, expected) in [
            (0, "absent"),
            (1, "0/RS256"),
            (2, "0 1"),
            (4, "0 1 2 3"),
            (5, "the token has no `kid`, and the issuer has more than 4 keys for RS256"),
        ] {
            assert_eq!(chosen(&many(count), None, Algorithm::Rs256), expected, "{count}");
        }
        // A `kid` selects one key, regardless of the number of keys.
        assert_eq!(chosen(&many(50), Some("49"), Algorithm::Rs256), "49/RS256");
    }

    #[test]
    fn different_keys_with_one_kid_are_dropped_and_equal_keys_are_merged() {
        let other = rsa().replace("0vx7", "1vx7");
        let ambiguous = set(&[
            format!(r#"{},"kid":"a""#, rsa()),
            format!(r#"{other},"kid":"a""#),
            format!(r#"{},"kid":"b""#, rsa()),
        ]);
        assert_eq!(chosen(&ambiguous, Some("a"), Algorithm::Rs256), "absent");
        assert_eq!(chosen(&ambiguous, Some("b"), Algorithm::Rs256), "b/RS256");
        assert_eq!(ambiguous.skipped().len(), 2);
        let twice = set(&[format!(r#"{ED},"kid":"a""#), format!(r#"{ED},"kid":"a","x5t":"y""#)]);
        assert_eq!((twice.len(), twice.skipped().len()), (1, 0));
    }
}
