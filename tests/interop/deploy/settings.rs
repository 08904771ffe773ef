//! What the shipped files say to the issuer and to the API, as those read it.

use std::fs;
use std::path::Path;

use portcullis_issuer::{IssuerConfig, SettingSources};

pub(crate) const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The issuer's settings from this text of a file and these variables, or what it says against them.
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
