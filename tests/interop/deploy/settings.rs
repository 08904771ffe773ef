//! Reads the settings in the shipped files as the issuer and the API do.

use std::fs;
use std::path::Path;

use portcullis_issuer::{IssuerConfig, SettingSources};

pub(crate) const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Returns the issuer's settings from the text of this file and these variables, or the issuer's
/// error.
pub(crate) fn issuer(file: &str, variables: &[(String, String)]) -> Result<IssuerConfig, String> {
    for (name, _) in variables {
        let is_setting = portcullis_issuer::SETTINGS.iter().any(|setting| setting.name == name);
        assert!(is_setting, "{name} is not a setting");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.toml");
    fs::write(&path, file).unwrap();
    let lookup = |asked: &str| {
        variables.iter().find(|(name, _)| name == asked).map(|(_, value)| value.clone())
    };
    let sources = SettingSources::from_lookup(Some(Path::new(&path)), lookup);
    sources.and_then(|sources| sources.config()).map_err(|error| error.to_string())
}
