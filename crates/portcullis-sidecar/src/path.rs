//! Paths that two programs could read differently.
//!
//! A route decides what a request needs by its path, and the app behind decides by the same path
//! which code runs. If the two could disagree, a request that is accepted for one route could reach
//! another one. Such a path is rejected instead of being normalized: a normalized path is only right
//! for apps that normalize in the same way.

use percent_encoding::percent_decode_str;

/// Why a path is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous(pub(crate) &'static str);

/// Checks that all programs read a path in the same way: RFC 3986, without its normalizations.
///
/// # Errors
///
/// An error for an empty segment, a dot segment, a backslash, a parameter (`;`), a character that is
/// not ASCII, a malformed percent-encoding, and for percent-encodings of a slash, a backslash, `;`,
/// `?`, `#`, a control character, an unreserved character, bytes that are not UTF-8, or another
/// percent-encoding.
pub(crate) fn check(path: &str) -> Result<(), Ambiguous> {
    let Some(rest) = path.strip_prefix('/') else { return Err(Ambiguous("no leading slash")) };
    check_characters(rest.as_bytes())?;
    // Some programs replace such bytes, and some read them as Latin-1.
    if percent_decode_str(rest).decode_utf8().is_err() {
        return Err(Ambiguous("text that is not UTF-8"));
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(Ambiguous("dot segment")),
            // The last segment is empty in `/` and after a trailing slash.
            "" if segments.peek().is_some() => return Err(Ambiguous("empty segment")),
            _ => {}
        }
    }
    Ok(())
}

fn check_characters(path: &[u8]) -> Result<(), Ambiguous> {
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'%' => {
                let Some((byte, after)) = decoded(rest) else {
                    return Err(Ambiguous("malformed percent-encoding"));
                };
                match byte {
                    b'/' | b'\\' => return Err(Ambiguous("encoded slash")),
                    b';' => return Err(Ambiguous("encoded parameter")),
                    // A program that decodes the path before it splits the target sees its end here.
                    b'?' | b'#' => return Err(Ambiguous("encoded end of the path")),
                    b'%' if decoded(after).is_some() => {
                        return Err(Ambiguous("double percent-encoding"));
                    }
                    0..0x20 | 0x7f => return Err(Ambiguous("encoded control character")),
                    byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                        return Err(Ambiguous("encoded unreserved character"));
                    }
                    _ => rest = after,
                }
            }
            b'\\' => return Err(Ambiguous("backslash")),
            // Servlet containers ignore `;x` when they look a path up: `/public/..;/admin`.
            b';' => return Err(Ambiguous("parameter")),
            0..0x21 | 0x7f.. | b'#' | b'?' => return Err(Ambiguous("character")),
            _ => {}
        }
    }
    Ok(())
}

/// The byte of a percent-encoding after its `%`, and what follows.
fn decoded(encoding: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = encoding else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = digit(high)? * 16 + digit(low)?;
    Some((u8::try_from(byte).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_that_two_programs_could_read_differently_is_rejected() {
        for (path, why) in [
            ("", "no leading slash"),
            ("*", "no leading slash"),
            ("orders", "no leading slash"),
            ("//", "empty segment"),
            ("//orders", "empty segment"),
            ("/a//b", "empty segment"),
            ("/a//", "empty segment"),
            ("/.", "dot segment"),
            ("/..", "dot segment"),
            ("/a/./b", "dot segment"),
            ("/public/../admin", "dot segment"),
            ("/public/..;/admin", "parameter"),
            ("/admin;x", "parameter"),
            ("/admin%3Bx", "encoded parameter"),
            ("/a%2Fb", "encoded slash"),
            ("/a%2fb", "encoded slash"),
            ("/a%5cb", "encoded slash"),
            ("/a\\b", "backslash"),
            ("/%2e%2e/admin", "encoded unreserved character"),
            ("/.%2E/admin", "encoded unreserved character"),
            ("/%61dmin", "encoded unreserved character"),
            ("/%7euser", "encoded unreserved character"),
            ("/%252e%252e/admin", "double percent-encoding"),
            ("/a%2525", "double percent-encoding"),
            ("/a%00", "encoded control character"),
            ("/a%0d%0ab", "encoded control character"),
            ("/a%", "malformed percent-encoding"),
            ("/a%2", "malformed percent-encoding"),
            ("/a%zz", "malformed percent-encoding"),
            ("/a%+1", "malformed percent-encoding"),
            ("/admin%3Fx", "encoded end of the path"),
            ("/admin%3fx", "encoded end of the path"),
            ("/admin%23x", "encoded end of the path"),
            ("/%F0%9F", "text that is not UTF-8"),
            ("/a%C0%AFb", "text that is not UTF-8"),
            ("/%E4", "text that is not UTF-8"),
            ("/ä", "character"),
            ("/a b", "character"),
            ("/a#b", "character"),
        ] {
            assert_eq!(check(path), Err(Ambiguous(why)), "{path}");
        }
    }

    #[test]
    fn path_with_one_reading_is_accepted() {
        for path in [
            "/",
            "/orders",
            "/orders/",
            "/orders/17",
            "/...",
            "/.well-known/openid-configuration",
            "/a.b/c..d/.e",
            "/100%25",
            "/%C3%A4%F0%9F%98%80",
            "/a%20b",
            "/@scope/name",
            "/a:b,c=d&e'f(g)*!$+",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }
}
