//! What checking a password costs, the issuer and whoever guesses.

use crate::error::ConfigError;

/// What argon2id (RFC 9106) costs for one password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// How many times it goes over that memory.
    pub iterations: u32,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2 }
    }
}

impl PasswordCost {
    /// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>: of its
    /// alternatives the cheapest, by memory and by memory times iterations.
    pub(crate) fn check(self) -> Result<(), ConfigError> {
        let Self { memory_kib, iterations } = self;
        if !(7168..=1_048_576).contains(&memory_kib) {
            let expected = "it must be from 7168 to 1048576";
            return Err(ConfigError::new("IDENTSPHERE_PASSWORD_MEMORY_KIB", memory_kib, expected));
        }
        if iterations > 100 || memory_kib.saturating_mul(iterations) < 35_840 {
            let least = 35_840_u32.div_ceil(memory_kib);
            return Err(ConfigError::new(
                "IDENTSPHERE_PASSWORD_ITERATIONS",
                iterations,
                format!("with {memory_kib} KiB it must be from {least} to 100"),
            ));
        }
        Ok(())
    }
}
