//! Exit codes, and the errors that end the program early.

use std::fmt;
use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success.
    Good = 0,
    /// A token was rejected.
    Refused = 1,
    /// The command line or the configuration is invalid.
    Wrong = 2,
    /// Keys or revocation status are unavailable, so the verdict is undecided.
    NoKeys = 3,
    /// The closed form and the simulation of a figure of `tune` disagree.
    Disagree = 4,
    /// No setting reaches a goal of `tune`.
    Unmet = 5,
    /// Ctrl-C ended the run, with a report of the measurements so far. The code is 128 + SIGINT, as
    /// in shells.
    #[cfg_attr(not(feature = "bench"), expect(dead_code, reason = "only `bench` handles Ctrl-C"))]
    Interrupted = 130,
}

/// The table of exit codes in `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  success
  1  a token was rejected
  2  invalid command line or configuration
  3  keys or revocation status unavailable
  4  `tune`: closed form and simulation disagree
  5  `tune`: no setting reaches the goal
  130  interrupted by Ctrl-C";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the program early, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self { exit: Exit::Wrong, message: message.into() }
    }

    #[cfg(feature = "bench")]
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into() }
    }

    pub(crate) fn no_keys(message: impl Into<String>) -> Self {
        Self { exit: Exit::NoKeys, message: message.into() }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
