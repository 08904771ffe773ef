//! `portcullis check`: the verdict on each token, and a count of the verdicts.

mod configuration;
mod feed;
mod judge;
pub(crate) mod tokens;
mod variables;
mod verdict;

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::CheckArguments;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use judge::Judge;
pub(crate) use judge::{Request, StoppedClock};
use tokens::Token;
use verdict::Verdict;

pub(crate) fn run(arguments: &CheckArguments) -> Result<Exit, Failure> {
    let tokens = tokens::tokens(&arguments.tokens)?;
    // Reading tokens blocks this thread, so keys are fetched on another one.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::wrong(format!("cannot start a thread to fetch keys: {error}")))?;
    let mut judge = runtime.block_on(Judge::new(arguments))?;
    let mut output = Output::new();
    let mut tally = Tally::default();
    for token in tokens {
        let token = token?;
        let began = Instant::now();
        let verdict = runtime.block_on(judge.judge(&token));
        tally.count(&verdict, began.elapsed());
        let report = Report::new(&token, &verdict);
        let written =
            if arguments.json { output.json(&report) } else { output.text(&report.to_string()) };
        if written?.is_break() {
            return Ok(tally.exit());
        }
    }
    if tally.all() == 0 {
        return Err(Failure::wrong("no token on standard input"));
    }
    if tally.all() > 1 {
        output::complain(&tally.to_string());
    }
    Ok(tally.exit())
}

/// The output for one token.
#[derive(Serialize)]
struct Report<'a> {
    token: String,
    bearer_prefix: bool,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

impl<'a> Report<'a> {
    fn new(token: &Token, verdict: &'a Verdict) -> Self {
        Self { token: token.place.to_string(), bearer_prefix: token.bearer_prefix, verdict }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.token, self.verdict)?;
        if self.bearer_prefix {
            write!(f, "\n  note:    the prefix `Bearer` was removed")?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    undecided: u64,
    /// Time spent in validation, without reading tokens and writing results.
    took: Duration,
}

impl Tally {
    fn count(&mut self, verdict: &Verdict, took: Duration) {
        match verdict {
            Verdict::Accepted(_) => self.accepted += 1,
            Verdict::Refused(_) => self.refused += 1,
            Verdict::Undecided(_) => self.undecided += 1,
        }
        self.took += took;
    }

    fn all(&self) -> u64 {
        self.accepted + self.refused + self.undecided
    }

    fn exit(&self) -> Exit {
        match self {
            Self { undecided: 1.., .. } => Exit::NoKeys,
            Self { refused: 1.., .. } => Exit::Refused,
            _ => Exit::Good,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, refused, undecided, took } = self;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.all() as f64 / took.as_secs_f64().max(1e-9);
        write!(
            f,
            "{} tokens: {accepted} accepted, {refused} refused, {undecided} undecided; \
             {rate:.0} tokens per second",
            self.all(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undecided_token_takes_precedence_over_a_rejected_one_in_the_exit_code() {
        for (refused, undecided, exit) in
            [(0, 0, Exit::Good), (1, 0, Exit::Refused), (0, 1, Exit::NoKeys), (2, 1, Exit::NoKeys)]
        {
            let tally = Tally { accepted: 3, refused, undecided, ..Tally::default() };
            assert_eq!(tally.exit(), exit, "{tally}");
        }
    }
}
