//! The verdict on one token, as text or JSON.

use std::error::Error as _;
use std::fmt;

use portcullis::{
    Authenticated, Refusal, claims::NumericDate, config::Setting, refusal::RefusalKind,
    token::TokenError,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::feed::Revocable;
use super::variables;
use crate::output::escaped;

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(super) enum Verdict {
    Accepted(Accepted),
    Refused(Refused),
    /// The keys or the revocation status are unavailable.
    Undecided(Refused),
}

/// A valid token: its key, its remaining lifetime and, with `--show-claims`, its claims.
#[derive(Serialize)]
pub(super) struct Accepted {
    key_id: Option<String>,
    algorithm: &'static str,
    /// Negative if the token has expired and is accepted within the leeway.
    expires_in_secs: i64,
    issued_secs_ago: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Map<String, Value>>,
    /// Set with `--feed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<Revocable>,
}

#[derive(Serialize)]
pub(super) struct Refused {
    kind: &'static str,
    status: u16,
    rule: &'static str,
    reason: String,
    /// The cause of an undecided verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The token's `iss` or `aud`, if that claim is the reason and the signature is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    #[serde(serialize_with = "as_text")]
    setting: Option<&'static Setting>,
    option: Option<&'static str>,
    remedy: &'static str,
}

impl Accepted {
    pub(super) fn new(
        who: &Authenticated,
        now: NumericDate,
        claims: Option<Map<String, Value>>,
        feed: Option<Revocable>,
    ) -> Self {
        let secs = |date: NumericDate| date.as_duration().as_secs().cast_signed();
        let registered = who.registered();
        Self {
            key_id: who.key_id().map(str::to_owned),
            algorithm: who.algorithm().as_str(),
            expires_in_secs: secs(registered.expires_at()) - secs(now),
            issued_secs_ago: registered.issued_at().map(|issued| secs(now) - secs(issued)),
            claims,
            feed,
        }
    }
}

impl From<&Refusal> for Verdict {
    fn from(refusal: &Refusal) -> Self {
        let kind = refusal.kind();
        let setting = refusal.setting();
        let refused = Refused {
            kind: kind.as_str(),
            status: refusal.status().as_u16(),
            rule: refusal.rule(),
            reason: refusal.reason().to_string(),
            // The reason says only that no response came. The source contains the cause of the failed
            // fetch.
            error: refusal
                .source()
                .filter(|_| is_undecided(kind))
                .map(|error| format!("{error:?}")),
            found: refusal.token_error().and_then(TokenError::found).map(ToString::to_string),
            setting,
            option: setting.and_then(variables::option),
            remedy: remedy(refusal),
        };
        if is_undecided(kind) { Self::Undecided(refused) } else { Self::Refused(refused) }
    }
}

/// Returns whether the verdict depends on a fetch that failed or that a budget prevented.
fn is_undecided(kind: RefusalKind) -> bool {
    use RefusalKind::{KeyBudgetSpent, KeysUnavailable, RevocationUnavailable};
    matches!(kind, KeysUnavailable | KeyBudgetSpent | RevocationUnavailable)
}

/// Returns the service's remedy, except for undecided tokens: their remedy refers to the service's
/// log, which the command does not have.
fn remedy(refusal: &Refusal) -> &'static str {
    if is_undecided(refusal.kind()) {
        "try again when the issuer is reachable"
    } else {
        refusal.remedy()
    }
}

fn as_text<S: Serializer>(
    setting: &Option<&'static Setting>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    setting.map(ToString::to_string).serialize(serializer)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(accepted) => write!(f, "accepted{accepted}"),
            Self::Refused(refused) => write!(f, "refused{refused}"),
            Self::Undecided(refused) => write!(f, "undecided{refused}"),
        }
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key_id {
            // Quoted, because the issuer chooses the value.
            Some(id) => write!(f, "\n  key:     {id:?}, {}", self.algorithm)?,
            None => write!(f, "\n  key:     the only one for {}", self.algorithm)?,
        }
        match self.expires_in_secs {
            secs @ 0.. => write!(f, "\n  time:    expires in {secs} s")?,
            past => write!(f, "\n  time:    expired {} s ago, within the leeway", -past)?,
        }
        match self.issued_secs_ago {
            Some(secs @ 0..) => write!(f, ", issued {secs} s ago")?,
            Some(ahead) => write!(f, ", issued {} s in the future, within the leeway", -ahead)?,
            None => {}
        }
        if let Some(claims) = &self.claims {
            let claims = serde_json::to_string(claims).map_err(|_| fmt::Error)?;
            write!(f, "\n  claims:  {}", escaped(&claims))?;
        }
        if let Some(feed) = &self.feed {
            write!(f, "\n  feed:    {feed}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, status, rule, reason, error, found, setting, option, remedy } = self;
        write!(f, " ({status} {kind})\n  rule:    {rule}\n  reason:  {reason}")?;
        for (name, more) in [("error:  ", error), ("found:  ", found)] {
            more.iter().try_for_each(|more| write!(f, "\n  {name} {more}"))?;
        }
        match (setting, option) {
            (Some(setting), Some(option)) => {
                write!(f, "\n  setting: {setting}; option {option}")?;
            }
            (Some(setting), None) => write!(f, "\n  setting: {setting}")?,
            (None, _) => {}
        }
        write!(f, "\n  remedy:  {remedy}")
    }
}
