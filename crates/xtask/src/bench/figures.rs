//! What the benchmarks print, and what can be made of it.

use crate::run::Failure;

/// All cases of one run.
#[derive(Debug, Default)]
pub(crate) struct Figures(pub(crate) Vec<Case>);

/// One case: nanoseconds for one run of it, round by round.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) allocations: f64,
    pub(crate) rounds: Vec<f64>,
}

/// The middle of some rounds, and what eight of ten lie between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Figures {
    /// Reads lines of group, name, allocations and rounds, separated by tabs.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |line: &str| Failure::new(format!("a benchmark printed `{line}`"));
        let case = |line: &str| {
            let mut cells = line.split('\t');
            let (group, name) = (cells.next()?.to_owned(), cells.next()?.to_owned());
            let allocations = cells.next()?.parse().ok()?;
            let rounds = cells.next()?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
            Some(Case { group, name, allocations, rounds })
        };
        let lines = text.lines().filter(|line| line.contains('\t'));
        lines.map(|line| case(line).ok_or_else(|| wrong(line))).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.0.iter().map(|case| case.group.as_str()).collect();
        groups.dedup();
        groups
    }

    pub(crate) fn of(&self, group: &str) -> impl Iterator<Item = &Case> {
        self.0.iter().filter(move |case| case.group == group)
    }

    pub(crate) fn case(&self, group: &str, name: &str) -> Option<&Case> {
        self.0.iter().find(|case| case.group == group && case.name == name)
    }

    /// `what` of the values of several cases, round by round, so that what disturbed a round
    /// disturbs it once.
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
        let text = "noise\na\tx\t5\t10 20 30\na\ty\t0\t5 5 5\nb\tz\t1.5\t1 2\n";
        let figures = Figures::parse(text).unwrap();
        assert_eq!(figures.groups(), ["a", "b"]);
        let ratio = figures.combined([("a", "x"), ("a", "y")], |[x, y]| x / y).unwrap();
        assert_eq!(ratio, Spread { median: 4.0, low: 2.0, high: 4.0 });
        assert_eq!(figures.case("b", "z").unwrap().allocations, 1.5);
        assert!(figures.combined([("a", "x"), ("a", "?")], |[x, _]| x).is_none());
        assert!(Figures::parse("a\tb\tc").is_err());
    }
}
