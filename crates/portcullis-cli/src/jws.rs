//! `portcullis jws`: verifies signatures only, one JSON line in and one JSON line out.

mod line;
mod stage;

use std::borrow::Cow;
use std::io;

use portcullis::{keys::KeySet, signature};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::exit::{Exit, Failure};
use crate::lines::{Line, Lines, MAX_LINE_BYTES};
use crate::output::Output;
use line::{Keys, Task};
use stage::Stage;

/// The description of the line format in `--help`.
pub(crate) const HELP: &str = include_str!("jws/help.txt");

pub(crate) fn run() -> Result<Exit, Failure> {
    let mut output = Output::new();
    for line in Lines::new(io::stdin().lock()) {
        let line = line.map_err(|error| Failure::wrong(format!("standard input: {error}")))?;
        if output.json(&answer(&line))?.is_break() {
            break;
        }
    }
    Ok(Exit::Good)
}

/// One line of output.
#[derive(Serialize)]
struct Answer<'a> {
    id: Id<'a>,
    valid: bool,
    error: Option<String>,
    stage: Option<Stage>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Id<'a> {
    Given(&'a RawValue),
    Line(u64),
}

/// The reason that a line's answer is not `valid`.
struct Fault {
    stage: Stage,
    error: String,
}

fn answer(line: &Line) -> Answer<'_> {
    let (id, outcome) = if line.cut {
        let error = format!("the line is longer than {MAX_LINE_BYTES} bytes");
        (None, Err(Fault { stage: Stage::Input, error }))
    } else {
        let (id, task) = line::read(&line.text);
        let task = task.map_err(|error| Fault { stage: Stage::Input, error });
        (id, task.and_then(|task| verify(&task)))
    };
    let fault = outcome.err();
    Answer {
        id: id.map_or(Id::Line(line.number), Id::Given),
        valid: fault.is_none(),
        stage: fault.as_ref().map(|fault| fault.stage),
        error: fault.map(|fault| fault.error),
    }
}

fn verify(task: &Task<'_>) -> Result<(), Fault> {
    let keys = key_set(task).map_err(|error| Fault { stage: Stage::Key, error })?;
    signature::verify(&task.jws, &keys, task.allowed())
        .map(drop)
        .map_err(|error| Fault { stage: Stage::of(&error), error: error.to_string() })
}

/// Reads the keys of a line. An empty set is valid; a set whose keys are all unusable is an error.
fn key_set(task: &Task<'_>) -> Result<KeySet, String> {
    let document = match task.keys {
        Keys::One(jwk) => Cow::Owned(format!(r#"{{"keys":[{jwk}]}}"#)),
        Keys::Set(jwks) => Cow::Borrowed(jwks.get()),
    };
    // Also keeps keys for algorithms that are not allowed, so that the error names the token's `alg`.
    let set = KeySet::from_json(document.as_bytes()).map_err(|e| e.to_string())?;
    match set.skipped().first() {
        Some(skipped) if set.is_empty() => Err(format!("no usable key: {}", skipped.reason)),
        _ => Ok(set),
    }
}
