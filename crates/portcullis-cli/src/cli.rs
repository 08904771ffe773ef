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

/// Says of tokens and signatures what a service with the crate `portcullis` would say, and why.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, after_help = exit::HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure what validation costs on this machine, beside the bare check and jsonwebtoken
    #[cfg(feature = "bench")]
    #[command(after_help = format!("{}\n{}", bench::HELP, exit::HELP))]
    Bench(Box<BenchArguments>),
    /// Measure what validation costs on this machine (not in this build)
    #[cfg(not(feature = "bench"))]
    #[command(after_help = format!("{WITHOUT_BENCH}\n\n{}", exit::HELP))]
    Bench {
        /// Whatever `bench` would be told.
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        ignored: Vec<std::ffi::OsString>,
    },
    /// Check tokens: accepted, or refused by which rule, and what to do about it
    #[command(after_help = check_help())]
    Check(Box<CheckArguments>),
    /// Examine an issuer's keys: what services make of them, and what is wrong
    #[command(after_help = format!("{}\n{}", jwks::HELP, exit::HELP))]
    Jwks(JwksArguments),
    /// Verify signatures alone, one JSON line each: for test vectors
    #[command(after_help = format!("{}\n\n{}", jws::HELP, exit::HELP))]
    Jws,
    /// Show what tokens say, what is unusual, and which settings would fit; verifies nothing
    #[command(after_help = format!("{}\n{}", inspect::HELP, exit::HELP))]
    Inspect(InspectArguments),
    /// Tune access expiry and JWKS TTL: what they bound, and what they cost
    #[command(after_help = format!("{}\n{}", tune::HELP, exit::HELP))]
    Tune(Box<TuneArguments>),
    /// Write the completions of a shell
    #[command(after_help = format!("{COMPLETIONS}\n{}", exit::HELP))]
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

#[cfg(not(feature = "bench"))]
pub(crate) const WITHOUT_BENCH: &str = "this build has no `bench`; install one that has: \
    `cargo install portcullis-cli --features bench`";

const COMPLETIONS: &str = "\
  bash:  portcullis completions bash > ~/.local/share/bash-completion/completions/portcullis
  zsh:   portcullis completions zsh > \"${fpath[1]}/_portcullis\"
  fish:  portcullis completions fish > ~/.config/fish/completions/portcullis.fish
";

/// The completions, from the same description as the help.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "portcullis", &mut text);
    text
}

/// The options of `check`: settings of the service, which override its variables.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// A token; `-`, or none, for a line each on standard input. Other users of this machine can
    /// read arguments: a token that matters belongs on standard input.
    #[arg(value_name = "TOKEN")]
    pub(crate) tokens: Vec<String>,

    /// What `iss` must say, byte for byte. The keys are discovered below it, unless --jwks says
    /// where they are.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Where the keys are: an https URL, an http one on this machine, or a file.
    #[arg(long, value_name = "URL|FILE")]
    pub(crate) jwks: Option<String>,

    /// The API's name, which `aud` must hold. Repeat it for an API with several: one suffices.
    #[arg(long, value_name = "NAME")]
    pub(crate) audience: Vec<String>,

    /// The kind of token: jwt, rfc9068, or an issuer's habits (auth0, okta, entra-v2, keycloak, …).
    /// [default: jwt]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Profile>,

    /// The one claim that scopes are read from: its name, or a path as a JSON array. [default: as the
    /// profile says]
    #[arg(long, value_name = "CLAIM")]
    pub(crate) scopes_at: Option<String>,

    /// A claim that roles are read from as well: its name, a path as a JSON array, or an array of
    /// paths, such as '["resource_access","orders-api","roles"]'.
    #[arg(long, value_name = "CLAIM")]
    pub(crate) roles_at: Option<String>,

    /// A signature algorithm that is allowed, such as ES256. Repeat it for several. [default:
    /// every asymmetric one]
    #[arg(long, value_name = "NAME")]
    pub(crate) alg: Vec<Algorithm>,

    /// The clock skew that is tolerated. [default: 10s]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::whole_seconds)]
    pub(crate) leeway: Option<u64>,

    /// Refuse tokens that were issued for longer than this. [default: no limit]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::some_seconds)]
    pub(crate) max_lifetime: Option<NonZeroU64>,

    /// Refuse tokens that were issued longer ago than this. [default: no limit]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::some_seconds)]
    pub(crate) max_age: Option<NonZeroU64>,

    /// A claim that the token must have. Repeated: every one of them.
    #[arg(long, value_name = "NAME")]
    pub(crate) require_claim: Vec<String>,

    /// As a route with `Revocation::live()`: the issuer must say that the token is active. Needs
    /// PORTCULLIS_INTROSPECTION_URL and what goes with it.
    #[arg(long, conflicts_with = "status_list", help_heading = "Revocation")]
    pub(crate) live: bool,

    /// As a route with `Revocation::status_list`: a list that is at most this old must say that the
    /// token is valid.
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = units::some_seconds, help_heading = "Revocation")]
    pub(crate) status_list: Option<NonZeroU64>,

    /// Judge as at this time, in seconds since 1970, instead of now.
    // Up to the end of the year 9999.
    #[arg(long, value_name = "UNIX_SECONDS", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=253_402_300_799))]
    pub(crate) at: Option<u64>,

    /// A scope that the token must have. Repeated: every one of them.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) scope: Vec<String>,

    /// Scopes of which the token must have at least one.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) any_scope: Vec<String>,

    /// A role that the bearer must have. Repeated: every one of them.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) role: Vec<String>,

    /// Roles of which the bearer must have at least one.
    #[arg(long, value_name = "NAME", help_heading = "Policy")]
    pub(crate) any_role: Vec<String>,

    /// A whole policy, as JSON or in a file, such as {"and":[{"scopes":["orders:read"]},
    /// {"max_auth_age_secs":300}]}. Custom checks can not be judged here.
    #[arg(long, value_name = "JSON|FILE", help_heading = "Policy")]
    pub(crate) policy: Option<String>,

    /// Show the claims of accepted tokens, the subject among them. Without it none is shown.
    #[arg(long, help_heading = "Output")]
    pub(crate) show_claims: bool,

    /// One JSON object for each token, in one line.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Whose keys `jwks` examines, and with which settings.
#[derive(Debug, Clone, Args)]
pub(crate) struct JwksArguments {
    /// Where the keys are: an https URL, an http one on this machine, or a file; or the issuer's URL, as a
    /// metric's label `location` may have it.
    #[arg(value_name = "URL|FILE", required_unless_present = "issuer", conflicts_with = "issuer")]
    pub(crate) url: Option<String>,

    /// The issuer, whose metadata say where the keys are.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Where the issuer's metadata are, if they are not below its URL.
    #[arg(long, value_name = "URL", requires = "issuer")]
    pub(crate) discovery_url: Option<String>,

    /// How long a service uses the keys at most before it asks again.
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = units::seconds_within::<10, 86_400>)]
    pub(crate) jwks_ttl: u64,

    /// As a service with `obey_no_cache`: no-cache, no-store, must-revalidate, max-age=0 and a past
    /// Expires count.
    #[arg(long)]
    pub(crate) obey_no_cache: bool,

    /// The deadline of the whole fetch.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = seconds)]
    pub(crate) fetch_timeout: f64,

    /// The longest document that is read.
    #[arg(long, value_name = "BYTES", default_value_t = 524_288)]
    pub(crate) max_body: usize,

    /// Certificates (PEM) that are trusted as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Look again and again for so long, and judge the rotations that were seen.
    #[arg(long, value_name = "DURATION", value_parser = units::seconds_within::<1, 2_592_000>, help_heading = "Rotation")]
    pub(crate) watch: Option<u64>,

    /// The time between two looks.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = seconds, help_heading = "Rotation")]
    pub(crate) every: f64,

    /// One JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let secs = units::seconds(text)?;
    if (0.001..=3600.0).contains(&secs) {
        Ok(secs)
    } else {
        Err("it must be from 1 ms to 1 h".to_owned())
    }
}

/// What `inspect` is told.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// A token; `-`, or none, for a line each on standard input. Other users of this machine can
    /// read arguments: a token that matters belongs on standard input.
    #[arg(value_name = "TOKEN")]
    pub(crate) tokens: Vec<String>,

    /// Suggest the settings of a service for tokens like this, in Rust and as environment.
    #[arg(long)]
    pub(crate) suggest: bool,

    /// Times are relative to this one, in seconds since 1970, instead of now.
    #[arg(long, value_name = "UNIX_SECONDS")]
    pub(crate) at: Option<u64>,

    /// One JSON object for each token, in one line.
    #[arg(long)]
    pub(crate) json: bool,
}

fn check_help() -> String {
    format!(
        "\
A token is judged as in a request's Authorization header: form, algorithm, key, signature, claims,
time, and then the policy, if one is given. The token itself is never shown.

Every setting that has a variable (PORTCULLIS_ISSUER, PORTCULLIS_PROFILE, PORTCULLIS_CA_FILE, …) is
read from it, as a service reads it with `Authenticator::from_env()`; an option stands over its
variable. In the service's environment, `portcullis check` alone judges as the service does. It
differs in this: one issuer; the token comes as in `Authorization: Bearer`, wherever the service
looks; keys are fetched at the start or it ends with 3, and nothing is kept for another start; the
cooldown is 1 s; keys of a file are read once. What is set in code alone (`also_issuer`,
`dangerous`, a policy of a route) has no variable: a policy is given by options, and the tokens of
several issuers are judged with one run for each.

Examples:

  Why does the API answer 401? The token from the clipboard, the keys discovered:
    wl-paste | portcullis check --issuer https://auth.example --audience https://api.example

  Without a network, and as at the time of the incident:
    portcullis check --issuer https://auth.example --jwks keys.json --audience https://api.example \\
      --at 1700000000 - < token.txt

  Why 403? Hold it to what the route asks for:
    portcullis check --issuer https://auth.example --audience https://api.example \\
      --scope orders:read --any-role clerk --any-role admin - < token.txt

  As the service judges, by its variables, and with groups for roles:
    portcullis check --roles-at groups --role clerk - < token.txt

  Which rule refuses most, of the tokens in a file?
    portcullis check --issuer https://auth.example --audience https://api.example --json \\
      < tokens.txt | jq -r .rule | sort | uniq -c

With --json, every line has `token` (where it came from), `verdict` (accepted, refused, undecided)
and `bearer_prefix`. Accepted: `key_id`, `algorithm`, `expires_in_secs`, `issued_secs_ago` and, with
--show-claims, `claims`. Otherwise: `kind`, `status`, `rule`, `reason`, `setting`, `option`,
`remedy`; `found` where `iss` or `aud` is wrong; `error` where the verdict is undecided.

{}
     (3 stands before 1: a token that nobody could judge may be either)

With keys from a URL, the issuer is asked again about a `kid` that it had not: once a second, and
for 10 seconds in all. Tokens that would need more of it are undecided.

When the reader of the output goes away, the rest is left unread, and the exit code tells of the
tokens until then.",
        exit::HELP
    )
}

/// The command, or how the program ends without one.
pub(crate) fn parse() -> Result<Command, Exit> {
    Cli::try_parse().map(|cli| cli.command).map_err(|error| {
        if error.exit_code() == 0 {
            // Help or version, and whoever asked may have gone.
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
    fn the_examples_of_the_help_can_be_typed() {
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
        assert_eq!(count, if cfg!(feature = "bench") { 25 } else { 19 });
    }

    #[test]
    fn the_command_line_is_put_together_rightly() {
        Cli::command().debug_assert();
    }
}
