//! Conversion of a `Validation` to the settings of an issuer.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::Validation;
use portcullis::{Algorithm, IssuerSettings};

use crate::algorithm::asymmetric;

/// The maximum of [`IssuerSettings::leeway`], in seconds.
const MAX_LEEWAY: u64 = 300;

/// The claims that jsonwebtoken checks in `required_spec_claims`. The first three are always
/// required here.
const CLAIMS: [&str; 5] = ["exp", "iss", "aud", "nbf", "sub"];

/// Returns settings that validate tokens as `validation` does, or more strictly.
///
/// | `Validation` | `IssuerSettings` |
/// |---|---|
/// | `iss`, one | the issuer, which is then required |
/// | `aud` | the audiences, one of which is then required |
/// | `algorithms` | `algorithms` |
/// | `leeway`, up to 300 s | `leeway`; `iat` is also checked |
/// | `required_spec_claims` | `nbf` and `sub` in `required_claims`; `exp`, `iss` and `aud` are required anyway |
/// | `validate_nbf` | `nbf` is always checked |
///
/// The profile is [`jwt`](portcullis::Profile::jwt): set the issuer's own profile if there is one.
/// Keys are discovered, unless [`key_source`](IssuerSettings::key_source) sets the key set that is
/// already in use.
///
/// ```
/// use jsonwebtoken::{Algorithm, Validation};
/// use portcullis_jsonwebtoken::issuer_settings;
///
/// let mut validation = Validation::new(Algorithm::ES256);
/// validation.set_issuer(&["https://auth.example"]);
/// validation.set_audience(&["https://api.example"]);
/// let settings = issuer_settings(&validation)?;
/// # let _ = settings;
///
/// validation.validate_exp = false;
/// let error = issuer_settings(&validation).unwrap_err();
/// assert_eq!(error.fields().collect::<Vec<_>>(), ["validate_exp"]);
/// # Ok::<(), portcullis_jsonwebtoken::NotExpressible>(())
/// ```
///
/// # Errors
///
/// Returns all fields that the settings cannot express, each with a remedy.
pub fn issuer_settings(validation: &Validation) -> Result<IssuerSettings, NotExpressible> {
    // Lists all fields, so that a new field in jsonwebtoken fails to compile until it is handled.
    let Validation {
        required_spec_claims,
        leeway,
        reject_tokens_expiring_in_less_than,
        validate_exp,
        validate_nbf: _,
        validate_aud,
        aud,
        iss,
        sub,
        algorithms,
    } = validation;
    let mut problems = Vec::new();
    let mut refuse = |field, problem| problems.push((field, problem));
    if !validate_exp {
        refuse("validate_exp", "`exp` is always validated; have the issuer include it");
    }
    if *reject_tokens_expiring_in_less_than != 0 {
        refuse(
            "reject_tokens_expiring_in_less_than",
            "tokens are accepted until `exp`; set this field to 0, and compare `expires_at` in the \
             handler",
        );
    }
    if *leeway > MAX_LEEWAY {
        refuse("leeway", "it must be at most 300 seconds");
    }
    if sub.is_some() {
        refuse(
            "sub",
            "not a setting; unset it, and require `Policy::claim(\"sub\", …)` on the routes",
        );
    }
    if required_spec_claims.iter().any(|name| !CLAIMS.contains(&name.as_str())) {
        refuse(
            "required_spec_claims",
            "jsonwebtoken ignores names other than exp, iss, aud, nbf and sub; move the others to \
             `IssuerSettings::required_claims`",
        );
    }
    let mut audiences: Vec<_> = aud.iter().flatten().collect();
    audiences.sort_unstable();
    if !validate_aud || audiences.is_empty() {
        let field = if *validate_aud { "aud" } else { "validate_aud" };
        refuse(
            field,
            "a token must be for this API; set the audience, or see `dangerous::any_audience`",
        );
    }
    let issuers: Vec<_> = iss.iter().flatten().collect();
    if issuers.len() != 1 {
        refuse(
            "iss",
            "an `IssuerSettings` is for exactly one issuer; create one for each, with its own keys, and add them \
             with `also_issuer`",
        );
    }
    let known: Vec<Algorithm> = algorithms.iter().copied().filter_map(asymmetric).collect();
    if known.len() != algorithms.len() {
        refuse(
            "algorithms",
            "a key set cannot contain a secret; for HMAC algorithms such as HS256, see `dangerous::hmac_key`",
        );
    } else if known.is_empty() {
        refuse("algorithms", "name at least one");
    }
    let (Some(issuer), Some((first, others)), true) =
        (issuers.first(), audiences.split_first(), problems.is_empty())
    else {
        return Err(NotExpressible { problems });
    };
    let mut settings = IssuerSettings::new(*issuer, *first);
    for other in others {
        settings = settings.also_audience(*other);
    }
    let required = CLAIMS.iter().skip(3).filter(|name| required_spec_claims.contains(**name));
    Ok(settings
        .algorithms(known)
        .leeway(Duration::from_secs(*leeway))
        .required_claims(required.copied()))
}

/// The fields of a [`Validation`] that [`IssuerSettings`] cannot express.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the `Validation` has no equivalent settings: {}", list(.problems))]
pub struct NotExpressible {
    problems: Vec<(&'static str, &'static str)>,
}

impl NotExpressible {
    /// Returns the names of the fields.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.problems.iter().map(|(field, _)| *field)
    }
}

/// Prints the `Display` text, for a `main` that returns the error.
impl fmt::Debug for NotExpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn list(problems: &[(&str, &str)]) -> String {
    let each: Vec<_> = problems.iter().map(|(field, why)| format!("`{field}` ({why})")).collect();
    each.join("; ")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;

    use super::*;

    fn good() -> Validation {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&["https://auth.example"]);
        validation.set_audience(&["b", "a"]);
        validation
    }

    #[test]
    fn expressible_validation_is_converted_completely() {
        let mut validation = good();
        validation.algorithms = vec![Algorithm::RS256, Algorithm::EdDSA];
        validation.set_required_spec_claims(&["exp", "nbf", "sub"]);
        validation.leeway = 300;
        let settings = format!("{:?}", issuer_settings(&validation).unwrap());
        assert!(settings.contains(r#"issuer: "https://auth.example""#), "{settings}");
        assert!(settings.contains(r#"audiences: ["a", "b"], any_audience: false"#), "{settings}");
    }

    #[test]
    fn inexpressible_field_is_rejected_by_name() {
        type Change = fn(&mut Validation);
        let changes: [(&str, Change); 12] = [
            ("validate_exp", |validation| validation.validate_exp = false),
            ("reject_tokens_expiring_in_less_than", |validation| {
                validation.reject_tokens_expiring_in_less_than = 1;
            }),
            ("leeway", |validation| validation.leeway = 301),
            ("sub", |validation| validation.sub = Some("alice".to_owned())),
            ("required_spec_claims", |validation| validation.set_required_spec_claims(&["scope"])),
            ("aud", |validation| validation.aud = None),
            ("aud", |validation| validation.set_audience::<&str>(&[])),
            ("validate_aud", |validation| validation.validate_aud = false),
            ("iss", |validation| validation.iss = None),
            ("iss", |validation| validation.set_issuer(&["a", "b"])),
            ("algorithms", |validation| validation.algorithms.push(Algorithm::HS256)),
            ("algorithms", |validation| validation.algorithms.clear()),
        ];
        for (field, change) in changes {
            let mut validation = good();
            change(&mut validation);
            let error = issuer_settings(&validation).unwrap_err();
            assert_eq!(error.fields().collect::<Vec<_>>(), [field]);
            assert!(error.to_string().contains(field), "{error}");
        }
        let all = issuer_settings(&Validation::default()).unwrap_err();
        assert_eq!(all.fields().collect::<Vec<_>>(), ["aud", "iss", "algorithms"]);
    }
}
