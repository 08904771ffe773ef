//! Decodes compressed bodies ([RFC 9110 §8.4]).
//!
//! Requests never ask for compression: key sets are small, and a decoder adds risk. Some servers
//! and proxies compress anyway, so such bodies are decoded in one place, for every
//! [`Fetch`](super::Fetch).
//!
//! [RFC 9110 §8.4]: https://www.rfc-editor.org/rfc/rfc9110#section-8.4

use std::error::Error;
use std::io::Read;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use flate2::read::{DeflateDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, Response};

use super::BodyTooLong;

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Undecodable {
    #[error("its Content-Encoding is {0:?}; only gzip and deflate are supported")]
    Unknown(String),
    #[error("its Content-Encoding is {coding}, but the body is not ({reason})")]
    Damaged { coding: &'static str, reason: String },
}

/// The maximum number of members of a gzip body. Servers send one member, and each member costs a
/// decoder.
const MAX_MEMBERS: usize = 8;

/// The supported codings.
#[derive(Debug, Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
}

/// Returns the response with its body decoded, and without the headers that no longer describe it.
/// A body without a coding stays as it is.
///
/// Use this function in a [`Fetch`](super::Fetch) implementation that wraps another one and reads
/// bodies. Other implementations return the body as received; the caller decodes it.
///
/// # Errors
///
/// Returns [`BodyTooLong`] if the decoded body exceeds `max_body` bytes, and an error that names
/// the coding if it is neither gzip nor deflate, or if the body does not match it.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use portcullis::fetch::decoded;
///
/// let plain = Response::new(Bytes::from_static(b"{}"));
/// assert_eq!(decoded(plain, 1024)?.body().as_ref(), b"{}");
///
/// let brotli = Response::builder().header("content-encoding", "br").body(Bytes::new())?;
/// assert!(decoded(brotli, 1024).unwrap_err().to_string().contains("\"br\""));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub fn decoded(
    response: Response<Bytes>,
    max_body: usize,
) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
    let Some(coding) = coding(response.headers())? else { return Ok(response) };
    let (mut head, body) = response.into_parts();
    let body = coding.decode(&body, max_body)?;
    head.headers.remove(CONTENT_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(head, body.into()))
}

/// Returns the coding of a body, if it has one. `identity` means none, `x-gzip` is gzip (§8.4.1.3).
fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Undecodable> {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let codings = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    let codings: Vec<_> = codings
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
        .collect();
    match codings.as_slice() {
        [] => Ok(None),
        [one] if ["gzip", "x-gzip"].iter().any(|name| one.eq_ignore_ascii_case(name)) => {
            Ok(Some(Coding::Gzip))
        }
        [one] if one.eq_ignore_ascii_case("deflate") => Ok(Some(Coding::Deflate)),
        several => Err(Undecodable::Unknown(several.join(", ").chars().take(40).collect())),
    }
}

impl Coding {
    fn decode(self, body: &[u8], max_body: usize) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let (name, decoded) = match self {
            Self::Gzip => ("gzip", gunzip(body, max_body)),
            // "deflate" is a zlib stream (§8.4.1.2); some servers omit the wrapper.
            Self::Deflate if is_zlib(body) => ("deflate", read(ZlibDecoder::new(body), max_body)),
            Self::Deflate => ("deflate", read(DeflateDecoder::new(body), max_body)),
        };
        let decoded = decoded
            .map_err(|error| Undecodable::Damaged { coding: name, reason: error.to_string() })?;
        // A few compressed bytes can expand to gigabytes.
        if decoded.len() > max_body { Err(BodyTooLong.into()) } else { Ok(decoded) }
    }
}

/// Returns whether the body begins with a zlib header (RFC 1950 §2.2).
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

/// Decodes a gzip body, which may have several members (RFC 1952 §2.2). Stops one byte past the
/// limit.
fn gunzip(mut body: &[u8], max_body: usize) -> std::io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    for _ in 0..MAX_MEMBERS {
        let mut member = GzDecoder::new(body);
        let left = (max_body as u64 + 1).saturating_sub(decoded.len() as u64);
        member.by_ref().take(left).read_to_end(&mut decoded)?;
        body = member.into_inner();
        if body.is_empty() || decoded.len() > max_body {
            return Ok(decoded);
        }
    }
    Err(std::io::Error::other(format!("it has more than {MAX_MEMBERS} members")))
}

/// Reads `stream`. Stops one byte past the limit.
fn read(stream: impl Read, max_body: usize) -> std::io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    stream.take(max_body as u64 + 1).read_to_end(&mut decoded)?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = br#"{"keys":[]}"#;

    fn response(coding: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let builder = Response::builder().header("content-encoding", coding);
        builder.header("content-length", "7").body(body.into()).unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_and_both_forms_of_deflate_are_decoded() {
        for (coding, body) in [
            ("", TEXT.to_vec()),
            ("identity", TEXT.to_vec()),
            ("gzip", gzip(TEXT)),
            ("GZip", gzip(TEXT)),
            ("x-gzip", gzip(TEXT)),
            ("identity, gzip", gzip(TEXT)),
            ("gzip", [gzip(&TEXT[..4]), gzip(&TEXT[4..])].concat()),
            ("deflate", zlib(TEXT)),
            ("deflate", raw(TEXT)),
        ] {
            let decoded = decoded(response(coding, body), TEXT.len()).unwrap();
            assert_eq!(decoded.body(), TEXT, "{coding}");
            let is_decoded = !["", "identity"].contains(&coding);
            assert_eq!(decoded.headers().contains_key("content-length"), !is_decoded, "{coding}");
        }
    }

    #[test]
    fn unsupported_coding_or_damaged_body_is_reported_by_name() {
        for (coding, body, told) in [
            ("br", TEXT.to_vec(), "\"br\""),
            ("zstd", TEXT.to_vec(), "\"zstd\""),
            ("gzip, gzip", gzip(&gzip(TEXT)), "\"gzip, gzip\""),
            ("gzip", TEXT.to_vec(), "is gzip, but the body is not"),
            ("gzip", Vec::new(), "is gzip, but the body is not"),
            ("gzip", gzip(TEXT)[..20].to_vec(), "is gzip, but the body is not"),
            ("deflate", TEXT.to_vec(), "is deflate, but the body is not"),
            ("deflate", Vec::new(), "is deflate, but the body is not"),
            ("deflate", zlib(TEXT)[..9].to_vec(), "is deflate, but the body is not"),
            ("deflate", raw(TEXT)[..9].to_vec(), "is deflate, but the body is not"),
        ] {
            let error = decoded(response(coding, body), 1000).unwrap_err();
            assert!(error.to_string().contains(told), "{coding}: {error}");
        }
        let long = decoded(response(&"x".repeat(5000), "").map(|_: Bytes| Bytes::new()), 9);
        assert!(long.unwrap_err().to_string().len() < 150);
    }

    #[test]
    fn limit_applies_to_decoded_bytes() {
        let zeros = vec![b' '; 32 * 1024 * 1024];
        for (coding, bomb) in [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros))] {
            let error = decoded(response(coding, bomb), 1000).unwrap_err();
            assert!(error.is::<BodyTooLong>(), "{error}");
        }
        for length in [1000, 1001] {
            let body = response("gzip", gzip(&zeros[..length]));
            assert_eq!(decoded(body, 1000).is_ok(), length == 1000);
        }
    }

    /// The output is never read past the limit.
    #[test]
    fn decompression_bomb_is_not_expanded() {
        struct Counted<'c>(&'c mut u64);
        impl Read for Counted<'_> {
            fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
                to.fill(b' ');
                *self.0 += to.len() as u64;
                Ok(to.len())
            }
        }
        let mut taken = 0;
        assert_eq!(read(Counted(&mut taken), 1000).unwrap().len(), 1001);
        assert_eq!(taken, 1001);
    }
}
