//! The rules for new passwords.

use zxcvbn::{Score, zxcvbn};

use crate::error::Error;

/// The number of characters that are passed to zxcvbn, which reads at most 100.
const ESTIMATED: usize = 100;

/// Rejects a password that is too short, too long, the user's name or address, or common.
///
/// The length limits and the rejection of common passwords follow NIST SP 800-63B section 3.1.1. A
/// password is common if the crate zxcvbn guesses it within a million attempts. It knows 30,000
/// leaked passwords, names and words with their usual substitutions, repetitions, sequences,
/// keyboard rows and dates.
///
/// # Errors
///
/// [`Error::InvalidPassword`] with the rule that is broken.
pub(super) fn check(password: &str, name: &str, address: Option<&str>) -> Result<(), Error> {
    let invalid = |why| Err(Error::InvalidPassword(why));
    if password.chars().count() < 8 {
        return invalid("a password must have at least 8 characters");
    }
    if password.len() > 1024 {
        return invalid("a password must have at most 1024 bytes");
    }
    let address = address.unwrap_or_default();
    if password.eq_ignore_ascii_case(name) || password.eq_ignore_ascii_case(address) {
        return invalid("a password must not be the user's name or address");
    }
    let beginning =
        password.char_indices().nth(ESTIMATED).map_or(password, |(at, _)| &password[..at]);
    if zxcvbn(beginning, &[name, address]).score() < Score::Two {
        return invalid(
            "the password is a common one or a simple pattern, which attackers try first. Use a \
             longer one, such as several unrelated words",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(password: &str) -> &'static str {
        match check(password, "alice.smith", Some("alice@example.com")) {
            Err(Error::InvalidPassword(why)) => why,
            other => panic!("{password}: {other:?}"),
        }
    }

    #[test]
    fn broken_rule_is_named() {
        assert!(reason("1234567").contains("8 characters"));
        assert!(reason(&"\u{e4}".repeat(513)).contains("1024 bytes"));
        for name in ["alice.smith", "Alice.Smith", "ALICE@example.com"] {
            assert!(reason(name).contains("name or address"), "{name}");
        }
        for common in [
            "password",
            "Passw0rd",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "aaaaaaaaaaaa",
            "abcdefgh",
            "01/01/1990",
            "alice.smith1",
        ] {
            assert!(reason(common).contains("attackers try first"), "{common}");
        }
    }

    #[test]
    fn long_or_unusual_password_is_accepted() {
        let longest = "correct horse ".repeat(74);
        for password in
            ["correct horse battery staple", "t7$kQz!m", "\u{e4}\u{f6}\u{fc} und Birnenmus"]
        {
            check(password, "alice", None).unwrap();
        }
        check(&longest[..1024], "alice", None).unwrap();
    }
}
