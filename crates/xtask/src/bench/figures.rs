//! Parses the benchmarks' output, and combines its cases.

use crate::run::Failure;

/// All cases of one run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) cases: Vec<Case>,
    notes: Vec<(String, String)>,
}

/// A case: the time of one run in each round, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) allocations: Option<f64>,
    pub(crate) rounds: Vec<f64>,
}

/// The median of the rounds, and the interval that contains 8 of 10 rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Figures {
    /// Parses lines of group, name, allocations and rounds, separated by tabs; allocations or rounds may be
    /// empty. Lines of the same case are merged. A line of `note`, group and text is a note.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut figures = Self::default();
        for line in text.lines().filter(|line| line.contains('\t')) {
            figures
                .add(line)
                .ok_or_else(|| Failure::new(format!("cannot parse a benchmark's line `{line}`")))?;
        }
        Ok(figures)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let mut cells = line.split('\t');
        let (group, name, third) = (cells.next()?, cells.next()?, cells.next()?);
        if group == "note" {
            let note = (name.to_owned(), third.to_owned());
            // Both builds, for allocations and for times, print the notes.
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
            return Some(());
        }
        let allocations = Some(third).filter(|count| !count.is_empty()).map(str::parse);
        let allocations = allocations.transpose().ok()?;
        let rounds = cells.next()?.split(' ').filter(|time| !time.is_empty()).map(str::parse);
        let mut rounds: Vec<f64> = rounds.collect::<Result<_, _>>().ok()?;
        let known = |case: &&mut Case| case.group == group && case.name == name;
        if let Some(case) = self.cases.iter_mut().find(known) {
            case.rounds.append(&mut rounds);
            case.allocations = allocations.or(case.allocations);
        } else {
            let (group, name) = (group.to_owned(), name.to_owned());
            self.cases.push(Case { group, name, allocations, rounds });
        }
        Some(())
    }

    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for case in &self.cases {
            if !groups.contains(&case.group.as_str()) {
                groups.push(&case.group);
            }
        }
        groups
    }

    pub(crate) fn of(&self, group: &str) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(move |case| case.group == group)
    }

    pub(crate) fn case(&self, group: &str, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.group == group && case.name == name)
    }

    pub(crate) fn notes(&self, group: &str) -> impl Iterator<Item = &str> {
        let notes = self.notes.iter().filter(move |(of, _)| of == group);
        notes.map(|(_, text)| text.as_str())
    }

    /// Applies `what` to the values of several cases in each round, so that a disturbance of a round affects
    /// all of its values alike.
    pub(crate) fn combined<const N: usize>(
        &self,
        cases: [(&str, &str); N],
        what: impl Fn([f64; N]) -> f64,
    ) -> Option<Spread> {
        let found: Vec<&Case> =
            cases.iter().map(|(group, name)| self.case(group, name)).collect::<Option<_>>()?;
        let rounds = found.iter().map(|case| case.rounds.len()).min()?;
        let value = |round: usize| {
            let mut values = [0.0; N];
            for (value, case) in values.iter_mut().zip(&found) {
                *value = *case.rounds.get(round)?;
            }
            Some(what(values))
        };
        spread((0..rounds).filter_map(value).collect())
    }
}

impl Case {
    pub(crate) fn spread(&self) -> Option<Spread> {
        spread(self.rounds.clone())
    }
}

fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let at = |tenths: usize| values.get(values.len().saturating_sub(1) * tenths / 10).copied();
    Some(Spread { median: at(5)?, low: at(1)?, high: at(9)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_combined_round_by_round() {
        let text = "noise\na\tx\t5\t\nb\tz\t1.5\t1 2\na\tx\t\t10 20\na\ty\t0\t5 5 5\n\
                    note\ta\tso it is\na\tx\t\t30\n";
        let figures = Figures::parse(text).unwrap();
        assert_eq!(figures.groups(), ["a", "b"]);
        let ratio = figures.combined([("a", "x"), ("a", "y")], |[x, y]| x / y).unwrap();
        assert_eq!(ratio, Spread { median: 4.0, low: 2.0, high: 4.0 });
        assert_eq!(figures.case("a", "x").unwrap().allocations, Some(5.0));
        assert_eq!(figures.notes("a").collect::<Vec<_>>(), ["so it is"]);
        assert!(figures.combined([("a", "x"), ("a", "?")], |[x, _]| x).is_none());
        assert!(Figures::parse("a\tb\tc").is_err());
    }
}
