//! An error and its causes in one line.

use std::error::Error;

/// Returns the error and its causes, without causes that the text before them contains already.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

/// Implements `Debug` as `Display` with the causes, since a `main` that returns the error prints
/// `Debug`.
macro_rules! debug_with_causes {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::error::causes::with_causes(self))
            }
        }
    };
}

pub(crate) use debug_with_causes;

#[cfg(test)]
mod tests {
    use crate::error::{ConfigError, Error, StoreError};

    #[test]
    fn main_that_returns_an_error_prints_a_sentence_with_the_causes() {
        let store = StoreError::new("disk full");
        assert_eq!(format!("{store:?}"), "the store failed: disk full");
        assert_eq!(format!("{:?}", Error::from(store)), "the store failed: disk full");
        let config = ConfigError::new("IDENTSPHERE_LISTEN", "x", "it must be an address");
        assert_eq!(format!("{config:?}"), "IDENTSPHERE_LISTEN is \"x\": it must be an address");
    }
}
