//! `portcullis inspect`: decodes a token and notes what is unusual. It verifies nothing, so no output
//! calls a token valid.

mod audiences;
mod decode;
mod issuers;
mod notes;
mod nothing;
mod places;
mod show;
mod suggest;
mod trial;

use portcullis::{
    claims::NumericDate,
    clock::{Clock as _, SystemClock},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::check::tokens;
use crate::cli::InspectArguments;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use suggest::Suggestion;
use trial::Trial;

/// The text at the end of `inspect --help`.
pub(crate) const HELP: &str = include_str!("inspect/help.txt");

/// The output for one token.
#[derive(Debug, Serialize)]
struct Inspected {
    token: String,
    /// One of `jws`, `jwe`, `opaque`, `unreadable`.
    form: &'static str,
    /// Always false: only `check` verifies signatures.
    verified: bool,
    header: Option<Map<String, Value>>,
    claims: Option<Map<String, Value>>,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<Suggestion>,
    #[serde(skip)]
    now: u64,
}

pub(crate) fn run(arguments: &InspectArguments) -> Result<Exit, Failure> {
    let now = arguments
        .at
        .unwrap_or_else(|| NumericDate::from(SystemClock::new().now()).as_duration().as_secs());
    let trial = arguments.suggest.then(Trial::new).transpose()?;
    let mut output = Output::new();
    let (mut exit, mut count) = (Exit::Good, 0);
    for token in tokens::tokens(&arguments.tokens)? {
        let token = token?;
        count += 1;
        let inspected = inspect(&token, now, trial.as_ref());
        if inspected.form != "jws" {
            exit = Exit::Refused;
        }
        let written = if arguments.json {
            output.json(&inspected)
        } else {
            output.text(&inspected.to_string())
        };
        if written?.is_break() {
            return Ok(exit);
        }
    }
    if count == 0 {
        return Err(Failure::wrong("no token on standard input"));
    }
    Ok(exit)
}

fn inspect(token: &tokens::Token, now: u64, trial: Option<&Trial>) -> Inspected {
    let mut inspected = Inspected {
        token: token.place.to_string(),
        form: "jws",
        verified: false,
        header: None,
        claims: None,
        notes: Vec::new(),
        suggestion: None,
        now,
    };
    match decode::decode(&token.text) {
        Ok((header, claims)) => {
            inspected.notes = notes::notes(&header, &claims, now);
            inspected.suggestion =
                trial.map(|trial| Suggestion::new(&token.text, &header, &claims, trial));
            inspected.header = Some(header);
            inspected.claims = Some(claims);
        }
        Err(other) => {
            inspected.form = other.form;
            inspected.notes.push(other.note);
        }
    }
    if token.bearer_prefix {
        inspected.notes.push("the prefix `Bearer` was removed".to_owned());
    }
    inspected
}
