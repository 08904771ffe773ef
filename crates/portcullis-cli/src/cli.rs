//! The command line.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use portcullis::{Algorithm, Profile};

#[cfg(feature = "bench")]
use crate::bench::{self, BenchArguments};
use crate::exit::{self, Exit};
use crate::tune::TuneArguments;
use crate::{inspect, jwks, jws, output, tune, units};

/// Validate tokens and signatures in the same way as services with the crate `portcullis`, and
/// explain each result.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, after_help = exit::HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the cost of validation on this machine, next to the bare signature check and jsonwebtoken
    #[cfg(feature = "bench")]
    #[command(after_help = format!("{}\n{}", bench::HELP, exit::HELP))]
    Bench(Box<BenchArguments>),
    /// Measure the cost of validation on this machine (not in this build)
    #[cfg(not(feature = "bench"))]
    #[command(after_help = format!("{WITHOUT_BENCH}\n\n{}", exit::HELP))]
    Bench {
        /// The arguments of `bench`, which this build ignores.
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        ignored: Vec<std::ffi::OsString>,
    },
    /// Validate tokens: accepted, or the rule that rejects them and the remedy
    #[command(after_help = check_help())]
    Check(Box<CheckArguments>),
    /// Diagnose an issuer's key set: usable keys, faults and cache lifetime
    #[command(after_help = format!("{}\n{}", jwks::HELP, exit::HELP))]
    Jwks(JwksArguments),
    /// Verify only the signatures of JWSs, for test vectors; reads and writes JSON Lines
    #[command(after_help = format!("{}\n\n{}", jws::HELP, exit::HELP))]
    Jws,
    /// Decode tokens, note what is unusual and suggest settings; verifies nothing
    #[command(after_help = format!("{}\n{}", inspect::HELP, exit::HELP))]
    Inspect(InspectArguments),
    /// Choose an access expiry and a JWKS TTL by their revocation lag and cost
    #[command(after_help = format!("{}\n{}", tune::HELP, exit::HELP))]
    Tune(Box<TuneArguments>),
    /// Print shell completions
    #[command(after_help = format!("{COMPLETIONS}\n{}", exit::HELP))]
    Completions {
        /// Shell to print completions for.
        shell: Shell,
    },
}

#[cfg(not(feature = "bench"))]
pub(crate) const WITHOUT_BENCH: &str = "this build has no `bench`; install one with \
    `cargo install portcullis-cli --features bench`";

const COMPLETIONS: &str = "\
Install:
  bash:  portcullis completions bash > ~/.local/share/bash-completion/completions/portcullis
  zsh:   portcullis completions zsh > \"${fpath[1]}/_portcullis\"
  fish:  portcullis completions fish > ~/.config/fish/completions/portcullis.fish
";

/// Generates completions from the same definition as the help.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "portcullis", &mut text);
    text
}

/// The options of `check`. Each setting overrides the service's environment variable.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Token to validate; without one, or with `-`, one token per line of standard input. Other users of
    /// this machine can read arguments, so pass a live token on standard input.
    #[arg(value_name = "TOKEN")]
    pub(crate) tokens: Vec<String>,

    /// Required value of `iss`, byte for byte. Keys are discovered below this URL unless --jwks is given.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Key set: an https URL, an http URL on this machine, or a file [default: discovered below --issuer]
    #[arg(long, value_name = "URL|FILE")]
    pub(crate) jwks: Option<String>,

    /// Required name in `aud`: the API's identifier at the issuer. Repeatable: one of the names is enough.
    #[arg(long, value_name = "NAME")]
    pub(crate) audience: Vec<String>,

    /// Profile of the tokens: jwt, rfc9068, or an issuer's (auth0, okta, entra-v2, keycloak, …)
    /// [default: jwt]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Profile>,

    /// Claim to read scopes from, instead of the profile's: its name, or a path as a JSON array [default:
    /// the profile's]
    #[arg(long, value_name = "CLAIM")]
    pub(crate) scopes_at: Option<String>,

    /// Claim to read roles from, in addition to the profile's: its name, a path as a JSON array, such as
    /// '["resource_access","orders-api","roles"]', or an array of paths.
    #[arg(long, value_name = "CLAIM")]
    pub(crate) roles_at: Option<String>,

    /// Allowed signature algorithm, such as ES256. Repeatable [default: every asymmetric algorithm]
    #[arg(long, value_name = "NAME")]
    pub(crate) alg: Vec<Algorithm>,

    /// Tolerated clock skew [default: 10s]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::whole_seconds)]
    pub(crate) leeway: Option<u64>,

    /// Reject tokens with a longer lifetime (`exp` - `iat`) than this [default: no limit]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::some_seconds)]
    pub(crate) max_lifetime: Option<NonZeroU64>,

    /// Reject tokens issued (`iat`) longer ago than this [default: no limit]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::some_seconds)]
    pub(crate) max_age: Option<NonZeroU64>,

    /// Required claim. Repeatable: the token must have all of them.
    #[arg(long, value_name = "NAME")]
    pub(crate) require_claim: Vec<String>,

    /// Require that introspection reports the token as active, as a route with `Revocation::live()` does.
    /// Needs PORTCULLIS_INTROSPECTION_URL and its credentials.
    #[arg(long, conflicts_with = "status_list", help_heading = "Revocation")]
    pub(crate) live: bool,

    /// Require that a status list of at most this age reports the token as valid, as a route with
    /// `Revocation::status_list` does.
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::some_seconds, help_heading = "Revocation")]
    pub(crate) status_list: Option<NonZeroU64>,

    /// Report how logout tokens are applied, and what can revoke each accepted token, on a route with
    /// `Revocation::feed`. Reads no store. Needs --max-lifetime or --max-age.
    #[arg(long, conflicts_with_all = ["live", "status_list"], help_heading = "Revocation")]
    pub(crate) feed: bool,

    /// Validate as of this time, in seconds since 1970 [default: now]
    // The maximum is the end of the year 9999.
    #[arg(long, value_name = "UNIX_SECONDS", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=253_402_300_799))]
    pub(crate) at: Option<u64>,

    /// Required scope. Repeatable: the token must have all of them.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) scope: Vec<String>,

    /// Alternative scope. Repeatable: the token must have at least one of them.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) any_scope: Vec<String>,

    /// Required role. Repeatable: the caller must have all of them.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) role: Vec<String>,

    /// Alternative role. Repeatable: the caller must have at least one of them.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) any_role: Vec<String>,

    /// Policy as JSON, or a file with one, such as {"and":[{"scopes":["orders:read"]},
    /// {"max_auth_age_secs":300}]}. Custom checks are code of the service and cannot be evaluated.
    #[arg(long, value_name = "JSON|FILE", help_heading = "Policy")]
    pub(crate) policy: Option<String>,

    /// Print the claims of accepted tokens, including the subject. Off by default.
    #[arg(long, help_heading = "Output")]
    pub(crate) show_claims: bool,

    /// Print one JSON object per token, one per line.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// The options of `jwks`: the key set to diagnose, and the settings of the service.
#[derive(Debug, Clone, Args)]
pub(crate) struct JwksArguments {
    /// Key set: an https URL, an http URL on this machine, or a file. An issuer's URL works, too, so you can
    /// paste any value of the metric label `location`.
    #[arg(value_name = "URL|FILE", required_unless_present = "issuer", conflicts_with = "issuer")]
    pub(crate) url: Option<String>,

    /// Issuer, whose metadata names the key set.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// URL of the issuer's metadata [default: the well-known paths of --issuer]
    #[arg(long, value_name = "URL", requires = "issuer")]
    pub(crate) discovery_url: Option<String>,

    /// Maximum time that a service uses a key set before it fetches again, 10 s to 24 h.
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = units::seconds_within::<10, 86_400>)]
    pub(crate) jwks_ttl: u64,

    /// Obey no-cache, no-store, must-revalidate, max-age=0 and a past Expires, as a service with
    /// `obey_no_cache` does. Off by default.
    #[arg(long)]
    pub(crate) obey_no_cache: bool,

    /// Timeout of each whole fetch, 1 ms to 1 h.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = seconds)]
    pub(crate) fetch_timeout: f64,

    /// Maximum size of a response body, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 524_288)]
    pub(crate) max_body: usize,

    /// CA certificates (PEM) to trust in addition to the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Fetch repeatedly for this long, 1 s to 30 days, and assess the rotations observed [default: fetch once]
    #[arg(long, value_name = "DURATION", value_parser = units::seconds_within::<1, 2_592_000>, help_heading = "Rotation")]
    pub(crate) watch: Option<u64>,

    /// Interval between two fetches of --watch, 1 ms to 1 h.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, help_heading = "Rotation")]
    pub(crate) every: f64,

    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let secs = units::seconds(text)?;
    if (0.001..=3600.0).contains(&secs) {
        Ok(secs)
    } else {
        Err("must be from 1 ms to 1 h".to_owned())
    }
}

/// The options of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Token to decode; without one, or with `-`, one token per line of standard input. Other users of
    /// this machine can read arguments, so pass a live token on standard input.
    #[arg(value_name = "TOKEN")]
    pub(crate) tokens: Vec<String>,

    /// Suggest the settings of a service for such tokens, as Rust code and as environment variables.
    #[arg(long)]
    pub(crate) suggest: bool,

    /// Show times relative to this time, in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIX_SECONDS")]
    pub(crate) at: Option<u64>,

    /// Print one JSON object per token, one per line.
    #[arg(long)]
    pub(crate) json: bool,
}

fn check_help() -> String {
    format!(
        "\
Validates each token as if it came in a request's Authorization header: form, algorithm, key,
signature, claims and time, then the policy, if one is given. The token itself is never printed.

Durations: 90 (seconds), 15m, 1h30m; a whole number of seconds.

Settings come from the service's environment variables (PORTCULLIS_ISSUER, PORTCULLIS_PROFILE,
PORTCULLIS_CA_FILE, …), as with `Authenticator::from_env()`; an option overrides its variable. In the
service's environment, `portcullis check` without options validates as the service does, with these
differences:

  - one issuer: run the command once for each; `also_issuer`, `dangerous` and the policies of routes
    are set in code, so pass a policy by the options above
  - the token is treated as one from `Authorization: Bearer`, wherever the service reads it
  - keys are fetched at the start (exit code 3 if that fails) and are not stored for the next run
  - the cooldown between two key fetches is 1 s, and a key file is read once

Examples:

  Why does the API answer 401? Token from the clipboard, keys by discovery:
    wl-paste | portcullis check --issuer https://auth.example --audience https://api.example

  Offline, as of the time of the incident:
    portcullis check --issuer https://auth.example --jwks keys.json --audience https://api.example \\
      --at 1700000000 - < token.txt

  Why 403? Apply the route's policy:
    portcullis check --issuer https://auth.example --audience https://api.example \\
      --scope orders:read --any-role clerk --any-role admin - < token.txt

  With the service's variables, and roles from the claim `groups`:
    portcullis check --roles-at groups --role clerk - < token.txt

  Which rule rejects most tokens of a file?
    portcullis check --issuer https://auth.example --audience https://api.example --json \\
      < tokens.txt | jq -r .rule | sort | uniq -c

With --json, every line has `token` (the argument or line it came from), `verdict` (accepted, refused,
undecided) and `bearer_prefix`. Accepted: `key_id`, `algorithm`, `expires_in_secs`, `issued_secs_ago`
and, with --show-claims, `claims`. Otherwise: `kind`, `status`, `rule`, `reason`, `setting`, `option`,
`remedy`; `found` if `iss` or `aud` is wrong; `error` if the verdict is undecided.

{}

Exit code 3 takes precedence over 1: an undecided token may be valid or not.

With keys from a URL, the key set is fetched again for an unknown `kid`: at most once per second, and
for 10 s in total. Tokens that need a later fetch are undecided.

If the reader closes standard output, the command stops; the exit code covers the tokens up to then.",
        exit::HELP
    )
}

/// Parses the command line. If there is no command to run, prints the help or an error.
pub(crate) fn parse() -> Result<Command, Exit> {
    Cli::try_parse().map(|cli| cli.command).map_err(|error| {
        if error.exit_code() == 0 {
            // The help or the version was requested. A closed standard output is not an error.
            let _ = error.print();
            return Exit::Good;
        }
        output::complain(error.render().to_string().trim_end());
        Exit::Wrong
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_in_the_help_parse() {
        let mut help = [&check_help(), tune::HELP, inspect::HELP, jwks::HELP].concat();
        if cfg!(feature = "bench") {
            help += include_str!("bench/help.txt");
        }
        let help = help.replace("\\\n", " ");
        let examples = help.lines().filter_map(|line| Some(line.split_once("portcullis ")?.1));
        let mut count = 0;
        for example in examples.filter(|example| example.contains(" --")) {
            let options =
                example.split_whitespace().take_while(|word| !["<", ">", "|"].contains(word));
            let words = ["portcullis"].into_iter().chain(options);
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{example}\n{error}"));
            count += 1;
        }
        assert_eq!(count, if cfg!(feature = "bench") { 26 } else { 20 });
    }

    #[test]
    fn clap_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
