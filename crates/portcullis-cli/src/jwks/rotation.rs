//! Compares the key sets that are published over time, and assesses whether a rotation makes
//! verifiers reject tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Examined;
use super::findings::{Finding, Level};

/// A key that was published or withdrawn, and the time of the first fetch that showed the change.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) secs: f64,
    pub(super) kid: String,
    pub(super) published: bool,
}

/// The observed times at which each key was published and withdrawn.
#[derive(Debug, Default)]
pub(super) struct Rotations {
    pub(super) changes: Vec<Change>,
    keys: BTreeMap<String, Seen>,
    looks: u64,
    /// The number of failed fetches.
    faults: u64,
    max_age: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The time of the first fetch with the key, in seconds; `None` if the key was in the first key
    /// set.
    from: Option<f64>,
    /// The time of the first fetch without the key, in seconds; `None` if the key is still
    /// published.
    until: Option<f64>,
}

impl Rotations {
    pub(super) fn look(&mut self, at: Duration, examined: &Examined) {
        let secs = at.as_secs_f64();
        let first = self.looks == 0;
        self.looks += 1;
        if examined.fault.is_some() {
            // The published set is unknown; verifiers continue with their cached keys.
            self.faults += 1;
            return;
        }
        let control = examined.answers.last().and_then(|answer| answer.cache_control.as_deref());
        self.max_age = control.and_then(max_age);
        let kids: Vec<_> = examined.accepted.iter().filter_map(|key| key.kid.as_ref()).collect();
        for (kid, seen) in &mut self.keys {
            if seen.until.is_none() && !kids.contains(&kid) {
                seen.until = Some(secs);
                self.changes.push(Change { secs, kid: kid.clone(), published: false });
            }
        }
        for kid in kids {
            if self.keys.get(kid).is_some_and(|seen| seen.until.is_none()) {
                continue;
            }
            let from = (!first).then_some(secs);
            self.keys.insert(kid.clone(), Seen { from, until: None });
            if !first {
                self.changes.push(Change { secs, kid: kid.clone(), published: true });
            }
        }
    }

    /// Adds a finding for each withdrawn key. It is a warning if the key and its successor were published
    /// together for less time than verifiers may cache a key set without the successor.
    pub(super) fn judge(&self, jwks_ttl: u64, findings: &mut Vec<Finding>) {
        let mut add = |level, what, remedy: &'static str| {
            findings.push(Finding { level, what, remedy: remedy.into() });
        };
        let kept = self.max_age.unwrap_or(jwks_ttl);
        if self.faults > 0 {
            add(
                Level::Warning,
                format!("{} of {} fetches failed", self.faults, self.looks),
                "services continue with their cached keys; have the issuer fix its server",
            );
        }
        if self.changes.is_empty() {
            add(
                Level::Note,
                "no key was published or withdrawn".to_owned(),
                "watch for longer, or while the issuer rotates its keys",
            );
        }
        for (old, seen) in &self.keys {
            let Some(gone) = seen.until else { continue };
            let left = self.keys.iter().filter(|(_, seen)| seen.until.is_none_or(|end| end > gone));
            // The remaining key that was published for the longest time.
            let successor = left.map(|(kid, seen)| (kid, gone - seen.from.unwrap_or(f64::MIN)));
            match successor.max_by(|a, b| a.1.total_cmp(&b.1)) {
                None => add(
                    Level::Warning,
                    format!(
                        "{old:?} was withdrawn {gone:.0} s after the first fetch, and no key was left"
                    ),
                    "unless this was an emergency, publish the next key first",
                ),
                Some((other, f64::MAX..)) => add(
                    Level::Note,
                    format!(
                        "{old:?} was withdrawn; {other:?} was published before the first fetch"
                    ),
                    "no action needed, if all tokens signed by the old key had expired by then",
                ),
                Some((new, overlap)) if overlap < kept as f64 => add(
                    Level::Warning,
                    format!(
                        "{old:?} was withdrawn {overlap:.0} s after {new:?} was published, and verifiers \
                         may cache a set without {new:?} for {kept} s"
                    ),
                    "publish the next key at least max-age before its first use, and withdraw the \
                     old key after its last token has expired",
                ),
                Some((new, overlap)) => add(
                    Level::Note,
                    format!(
                        "{old:?} and {new:?} were published together for {overlap:.0} s, at least the \
                         {kept} s that verifiers cache a set"
                    ),
                    "no action needed, if all tokens signed by the old key had expired by then",
                ),
            }
        }
    }
}

pub(super) fn max_age(control: &str) -> Option<u64> {
    let control = control.to_ascii_lowercase();
    let secs =
        control.split(',').find_map(|directive| directive.trim().strip_prefix("max-age="))?;
    secs.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Accepted;
    use super::super::record::Answer;
    use super::*;

    fn published(kids: &[&str], max_age: u64) -> Examined {
        let answer = Answer {
            url: String::new(),
            status: Some(200),
            millis: 1,
            bytes: 1,
            cache_control: Some(format!("public, Max-Age={max_age}")),
            expires: None,
            etag: true,
            date_off_secs: None,
        };
        let accepted =
            |kid: &&str| Accepted { kid: Some((*kid).to_owned()), alg: "ES256".to_owned() };
        Examined {
            location: String::new(),
            answers: vec![answer],
            fault: None,
            is_answered: false,
            ttl_secs: None,
            accepted: kids.iter().map(accepted).collect(),
            skipped: Vec::new(),
            changes: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn judged(looks: &[(u64, &[&str])]) -> Vec<String> {
        let mut rotations = Rotations::default();
        for (at, kids) in looks {
            rotations.look(Duration::from_secs(*at), &published(kids, 60));
        }
        let mut findings = Vec::new();
        rotations.judge(300, &mut findings);
        findings
            .into_iter()
            .map(|finding| format!("{:?} {}", finding.level, finding.what))
            .collect()
    }

    #[test]
    fn withdrawal_is_a_warning_if_verifiers_may_lack_the_successor() {
        for (looks, level, told) in [
            (&[(0, &["a"][..]), (50, &["a"])][..], "Note", "no key was published or withdrawn"),
            (
                &[(0, &["a"]), (10, &["b"])],
                "Warning",
                "\"a\" was withdrawn 0 s after \"b\" was published",
            ),
            (&[(0, &["a"]), (10, &["a", "b"]), (60, &["b"])], "Warning", "withdrawn 50 s after"),
            (&[(0, &["a"]), (10, &["a", "b"]), (70, &["b"])], "Note", "together for 60 s"),
            (&[(0, &["a", "b"]), (10, &["b"])], "Note", "\"b\" was published before"),
            (&[(0, &["a"]), (9, &["a", "b"]), (19, &["a"])], "Note", "\"a\" was published before"),
            (&[(0, &["a"]), (9, &[])], "Warning", "and no key was left"),
        ] {
            let [judged] = &judged(looks)[..] else { panic!("{looks:?}: {:?}", judged(looks)) };
            assert!(judged.starts_with(level) && judged.contains(told), "{looks:?}: {judged}");
        }
        // A key that is published before its first use is a change, but gives no finding.
        assert_eq!(judged(&[(0, &["a"]), (10, &["a", "b"])]), Vec::<String>::new());
    }

    #[test]
    fn failed_fetch_is_not_a_withdrawal() {
        let mut rotations = Rotations::default();
        rotations.look(Duration::ZERO, &published(&["a"], 60));
        let failed = Examined { fault: Some("away".to_owned()), ..published(&[], 60) };
        rotations.look(Duration::from_secs(5), &failed);
        rotations.look(Duration::from_secs(9), &published(&["a"], 60));
        assert!(rotations.changes.is_empty(), "{rotations:?}");
        let mut findings = Vec::new();
        rotations.judge(300, &mut findings);
        assert_eq!(findings[0].what, "1 of 3 fetches failed");
    }
}
