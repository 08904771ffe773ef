//! Warnings of audiences that nothing else names, which may be typing errors.

use std::collections::BTreeSet;

use portcullis_issuer::Issuer;

use crate::cli::Outcome;

/// The maximum number of edits between a mistyped audience and the right one.
const TYPING_ERRORS: usize = 3;

/// Prints a warning for each of `names` that is neither the issuer, nor one of
/// `IDENTSPHERE_AUDIENCES`, nor an audience or a resource server of another client. Such an audience
/// may be right, so it is not an error. If no audience is known at all, nothing is printed.
pub(super) async fn warn_of_unknown(issuer: &Issuer, client: &str, names: &[String]) -> Outcome {
    let config = issuer.config();
    let mut known: BTreeSet<String> = config.audiences.iter().cloned().collect();
    for other in issuer.clients().await?.into_iter().filter(|other| other.id != client) {
        known.extend(other.audiences.into_iter().chain(other.resource_servers));
    }
    for name in names {
        if let Some(warning) = warning(name, &config.issuer, &known) {
            eprintln!("warning: {warning}");
        }
    }
    Ok(())
}

fn warning(name: &str, issuer: &str, known: &BTreeSet<String>) -> Option<String> {
    if known.is_empty() || name == issuer || known.contains(name) {
        return None;
    }
    let nearest = known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(other, name), other))
        .min()
        .filter(|(distance, _)| *distance <= TYPING_ERRORS);
    let advice = match nearest {
        Some((_, other)) => format!("did you mean `{other}`?"),
        None => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("the known ones are {}", known.join(", "))
        }
    };
    Some(format!(
        "neither IDENTSPHERE_AUDIENCES nor another client has the audience `{name}`; {advice}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_audience_is_compared_with_the_known_ones() {
        let issuer = "https://auth.example";
        let known: BTreeSet<String> =
            ["https://api.example", "orders"].map(str::to_owned).into_iter().collect();
        let told = |name| warning(name, issuer, &known);
        assert_eq!(told("orders"), None);
        assert_eq!(told(issuer), None);
        assert!(
            told("https://apis.example").unwrap().contains("did you mean `https://api.example`?")
        );
        let far = told("https://billing.example").unwrap();
        assert!(far.ends_with("the known ones are https://api.example, orders"), "{far}");
        assert_eq!(warning("anything", issuer, &BTreeSet::new()), None);
    }
}
