//! The sidecar of this example as a library, so that a benchmark can measure it.

use http::uri::Authority;
use portcullis_sidecar::portcullis::Gate;
use portcullis_sidecar::{Config, ConfigError, Sidecar};

/// Creates a sidecar that forwards the issuer's paths to the issuer, without its administration,
/// and all other paths to the app if the gate accepts the request.
///
/// # Errors
///
/// An error if a setting is invalid.
pub fn sidecar(gate: Gate, issuer: &Authority, app: &Authority) -> Result<Sidecar, ConfigError> {
    // The issuer authenticates these requests itself.
    let of_issuer = [
        "prefix = '/v1/auth'",
        "prefix = '/v1/users'",
        "path = '/v1/audit'",
        "prefix = '/v1/status-lists'",
        "prefix = '/oauth'",
        "prefix = '/.well-known'",
        "path = '/openapi.json'",
        "path = '/readyz'",
    ];
    let mut settings = include_str!("../sidecar.toml").to_owned();
    for path in of_issuer {
        settings += &format!(
            "\n[[route]]\n{path}\ntoken = 'none'\npass_credentials = true\nupstream = \
             'http://{issuer}'\n"
        );
    }
    let settings = settings.replace("http://127.0.0.1:9000", &format!("http://{app}"));
    Sidecar::with_gate(&Config::parse(&settings)?, gate)
}
