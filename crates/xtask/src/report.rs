//! The steps of a task that continues after a failure, so that one run shows all failures.

use std::fmt;
use std::time::{Duration, Instant};

use crate::run::Failure;

/// The outcome and the duration of each step.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<(&'static str, Duration, Option<Failure>)>,
}

impl Report {
    /// Runs a step and prints its failure; returns its value if it succeeds.
    pub(crate) fn step<T>(
        &mut self,
        name: &'static str,
        action: impl FnOnce() -> Result<T, Failure>,
    ) -> Option<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let (value, failure) = match action() {
            Ok(value) => (Some(value), None),
            Err(failure) => (None, Some(failure)),
        };
        if let Some(failure) = &failure {
            println!("{failure}");
        }
        self.steps.push((name, start.elapsed(), failure));
        value
    }

    /// Prints all steps; fails if one of them failed.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        println!("\n{self}");
        let failed: Vec<&str> = self
            .steps
            .iter()
            .filter(|(_, _, failure)| failure.is_some())
            .map(|(name, _, _)| *name)
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(format!("failed: {}", failed.join(", "))))
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, duration, failure) in &self.steps {
            let outcome = if failure.is_some() { "FAILED" } else { "ok" };
            writeln!(f, "{name:<14}{outcome:<8}{:>6.1} s", duration.as_secs_f64())?;
        }
        let total: Duration = self.steps.iter().map(|(_, duration, _)| *duration).sum();
        write!(f, "{:<22}{:>6.1} s", "total", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_step_is_reported_and_later_steps_run() {
        let mut report = Report::default();
        assert_eq!(report.step("first", || Ok(1)), Some(1));
        assert_eq!(report.step::<()>("second", || Err(Failure::new("no"))), None);
        assert_eq!(report.step("third", || Ok(3)), Some(3));

        let lines: Vec<String> = report.to_string().lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("first") && lines[0].contains("ok"), "{lines:?}");
        assert!(lines[1].starts_with("second") && lines[1].contains("FAILED"), "{lines:?}");
        assert!(lines[3].starts_with("total"), "{lines:?}");
        assert_eq!(report.finish().unwrap_err().to_string(), "failed: second");
    }
}
