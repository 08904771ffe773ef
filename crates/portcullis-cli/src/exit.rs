//! How the program ends: the one table of exit codes, and what it ends early of.

use std::fmt;
use std::process::ExitCode;

/// What a script is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All good.
    Good = 0,
    /// A token was refused.
    Refused = 1,
    /// The command or its configuration is wrong.
    Wrong = 2,
    /// Keys could not be had, so that nobody can say.
    NoKeys = 3,
    /// Two ways to work out a figure of `tune` do not say the same.
    Disagree = 4,
    /// No setting reaches a goal of `tune`.
    Unmet = 5,
    /// Ctrl-C, as shells count it. What was measured until then is reported.
    #[cfg_attr(not(feature = "bench"), expect(dead_code, reason = "only `bench` goes on so long"))]
    Interrupted = 130,
}

/// The table, as `--help` shows it.
pub(crate) const HELP: &str = "\
Exit codes:
  0  all good
  1  a token was refused
  2  the command or its configuration is wrong
  3  keys could not be had
  4  closed form and simulation disagree, in `tune`
  5  no setting reaches the goal, in `tune`
  130  interrupted by Ctrl-C";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the program ends before its work is done.
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
