//! PEM ([RFC 7468]): public keys and certificates.
//!
//! [RFC 7468]: https://www.rfc-editor.org/rfc/rfc7468

#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{KeyError, KeyParser, KeySet, KeySetError, SkippedKey, VerificationKey, spki};
#[cfg(feature = "aws-lc")]
use crate::algorithm::Algorithm;
#[cfg(feature = "aws-lc")]
use crate::crypto::AwsLc;

impl VerificationKey {
    /// Parses a public key or a certificate in PEM: exactly one block, `PUBLIC KEY`, `RSA PUBLIC
    /// KEY` or `CERTIFICATE`. The key passes the same checks as a JWK and is used with each
    /// algorithm of `allowed` that fits it. It has no `kid`: see [`with_id`](Self::with_id) and
    /// [`with_thumbprint_id`](Self::with_thumbprint_id).
    ///
    /// **A certificate is only a container**: its dates, names, extensions, signature and chain are
    /// not checked. Trust in the key is trust in the source of the file.
    ///
    /// ```
    /// use portcullis::{Algorithm, keys::{KeyError, VerificationKey}};
    ///
    /// // RFC 8410 §10.1.
    /// let pem = b"-----BEGIN PUBLIC KEY-----
    /// MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
    /// -----END PUBLIC KEY-----";
    /// let key = VerificationKey::from_pem(pem, Algorithm::ALL)?.with_id("2027-01");
    /// assert_eq!(key.id(), Some("2027-01"));
    /// assert!(key.algorithms().eq([Algorithm::Ed25519]));
    ///
    /// // RFC 8410 §10.3.
    /// let private = b"-----BEGIN PRIVATE KEY-----
    /// MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
    /// -----END PRIVATE KEY-----";
    /// assert_eq!(VerificationKey::from_pem(private, Algorithm::ALL).unwrap_err(), KeyError::Private);
    /// # Ok::<(), KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not exactly one such block, or if the key is private,
    /// invalid, or for none of `allowed`.
    #[doc(alias("from_rsa_pem", "from_ec_pem", "from_ed_pem", "x509", "certificate"))]
    #[cfg(feature = "aws-lc")]
    pub fn from_pem(pem: &[u8], allowed: &[Algorithm]) -> Result<Self, KeyError> {
        KeyParser::new(&AwsLc).algorithms(allowed).pem(pem)
    }

    fn parse_pem(pem: &[u8], parser: &KeyParser<'_>) -> Result<Self, KeyError> {
        let mut blocks = Blocks(pem);
        let first = blocks.next().ok_or(KeyError::Pem { problem: "it has no `-----BEGIN`" })?;
        let key = first.and_then(|block| block.import(parser))?;
        match blocks.next() {
            None => Ok(key),
            Some(_) => {
                Err(KeyError::Pem { problem: "it has several blocks; use `KeySet::from_pem`" })
            }
        }
    }

    /// Parses a public key or a certificate in DER: a SubjectPublicKeyInfo, an RSAPublicKey (PKCS
    /// #1) or a certificate. See [`from_pem`](Self::from_pem) for what is not checked in a
    /// certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is none of these, has trailing data, or if the key is private,
    /// invalid, or for none of `allowed`.
    #[cfg(feature = "aws-lc")]
    pub fn from_der(der: &[u8], allowed: &[Algorithm]) -> Result<Self, KeyError> {
        KeyParser::new(&AwsLc).algorithms(allowed).der(der)
    }

    fn parse_der(der: &[u8], parser: &KeyParser<'_>) -> Result<Self, KeyError> {
        import(spki::read(der)?, parser)
    }
}

impl KeySet {
    /// Parses all public keys and certificates of a PEM file. The `kid` of each is its
    /// [thumbprint](VerificationKey::thumbprint), so the keys are used for tokens with that `kid`
    /// and for tokens without one. A block that cannot be used is [skipped](Self::skipped) with a
    /// reason; text between blocks is ignored. Only the key of a certificate is read, as in
    /// [`VerificationKey::from_pem`].
    ///
    /// ```
    /// use portcullis::keys::KeySet;
    ///
    /// let pem = b"-----BEGIN PUBLIC KEY-----
    /// MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
    /// -----END PUBLIC KEY-----
    /// -----BEGIN X509 CRL-----
    /// AAAA
    /// -----END X509 CRL-----";
    /// let keys = KeySet::from_pem(pem)?;
    /// assert_eq!((keys.len(), keys.skipped().len()), (1, 1));
    ///
    /// assert!(KeySet::from_pem(b"{\"keys\":[]}").is_err());
    /// # Ok::<(), portcullis::keys::KeySetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not PEM, has more than 200 blocks, or **contains a private
    /// key**: a service that only verifies must not hold one, so the whole file is rejected.
    #[cfg(feature = "aws-lc")]
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeySetError> {
        KeyParser::new(&AwsLc).key_set_pem(pem)
    }

    fn parse_pem(pem: &[u8], parser: &KeyParser<'_>) -> Result<Self, KeySetError> {
        let mut set = Self::default();
        let mut count = 0;
        for block in Blocks(pem) {
            count += 1;
            if count > parser.max_keys {
                return Err(KeySetError::TooManyKeys { limit: parser.max_keys, setting: None });
            }
            match block.and_then(|block| block.import(parser)) {
                Ok(key) => set.push(Arc::new(key.with_thumbprint_id())),
                Err(KeyError::Private) => return Err(KeySetError::PrivateKey),
                Err(KeyError::Pem { problem }) => {
                    return Err(KeySetError::NotAKeySet { problem: problem.to_owned() });
                }
                Err(reason) => set.skip(SkippedKey { id: None, reason }),
            }
        }
        if count == 0 {
            let problem = "it has no `-----BEGIN`".to_owned();
            return Err(KeySetError::NotAKeySet { problem });
        }
        set.drop_ambiguous();
        Ok(set)
    }
}

impl KeyParser<'_> {
    /// Parses a public key or a certificate in PEM, as [`VerificationKey::from_pem`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not exactly one such block, or if the key is private,
    /// invalid, or for none of the algorithms.
    pub fn pem(&self, pem: &[u8]) -> Result<VerificationKey, KeyError> {
        VerificationKey::parse_pem(pem, self)
    }

    /// Parses a public key or a certificate in DER, as [`VerificationKey::from_der`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is neither, has trailing data, or if the key is private,
    /// invalid, or for none of the algorithms.
    pub fn der(&self, der: &[u8]) -> Result<VerificationKey, KeyError> {
        VerificationKey::parse_der(der, self)
    }

    /// Parses all public keys and certificates of a PEM file, as [`KeySet::from_pem`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not PEM, has more than 200 blocks, or contains a private
    /// key.
    pub fn key_set_pem(&self, pem: &[u8]) -> Result<KeySet, KeySetError> {
        KeySet::parse_pem(pem, self)
    }
}

/// Returns whether a file is PEM rather than JSON.
pub(crate) fn is_pem(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    !text.starts_with(b"{") && Blocks(text).next().is_some()
}

fn import(found: spki::Found, parser: &KeyParser<'_>) -> Result<VerificationKey, KeyError> {
    let possible = found.possible.iter().copied().filter(|it| parser.allowed.contains(it));
    found.jwk.import(&parser.algorithms(&possible.collect::<Vec<_>>()))
}

/// One decoded block.
struct Block<'p> {
    label: &'p [u8],
    der: Vec<u8>,
}

impl Block<'_> {
    fn import(self, parser: &KeyParser<'_>) -> Result<VerificationKey, KeyError> {
        let found = match self.label {
            b"PUBLIC KEY" => spki::public_key_info(&self.der),
            b"RSA PUBLIC KEY" => spki::rsa_public_key(&self.der),
            b"CERTIFICATE" | b"X509 CERTIFICATE" => spki::certificate(&self.der),
            _ => Err(KeyError::Unsupported),
        };
        match found {
            Ok(found) => import(found, parser),
            // A private key is reported as one, whatever the label of the block.
            Err(error) => match spki::read(&self.der) {
                Err(KeyError::Private) => Err(KeyError::Private),
                _ => Err(error),
            },
        }
    }
}

/// An iterator over the blocks of a text. Holds the text that is left.
struct Blocks<'p>(&'p [u8]);

impl<'p> Blocks<'p> {
    fn line(&mut self) -> Option<&'p [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.0).unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.strip_prefix(b"\n").unwrap_or(rest);
        Some(line.trim_ascii())
    }

    fn body(&mut self, label: &'p [u8]) -> Result<Block<'p>, KeyError> {
        let mut encoded = Vec::new();
        while let Some(line) = self.line() {
            if let Some(end) = boundary(line, b"-----END ") {
                if end != label {
                    break;
                }
                // Never decode a private key, encrypted or not.
                if contains(label, b"PRIVATE KEY") {
                    return Err(KeyError::Private);
                }
                let der = STANDARD.decode(&encoded);
                let der = der.map_err(|_| KeyError::Pem { problem: "a block is not base64" })?;
                return Ok(Block { label, der });
            }
            encoded.extend_from_slice(line);
        }
        Err(KeyError::Pem { problem: "a block has no matching `-----END`" })
    }
}

impl<'p> Iterator for Blocks<'p> {
    type Item = Result<Block<'p>, KeyError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(label) = boundary(self.line()?, b"-----BEGIN ") {
                return Some(self.body(label));
            }
        }
    }
}

fn contains(label: &[u8], part: &[u8]) -> bool {
    label.windows(part.len()).any(|window| window == part)
}

/// Returns the label of a line that begins or ends a block.
fn boundary<'l>(line: &'l [u8], start: &[u8]) -> Option<&'l [u8]> {
    line.strip_prefix(start)?.strip_suffix(b"-----")
}
