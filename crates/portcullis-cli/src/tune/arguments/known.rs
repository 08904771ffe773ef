//! What is known beside the options: a file of activity, an issuer that was asked, a benchmark.

use super::TuneArguments;
use crate::exit::Failure;
use crate::tune::activity::Recorded;
use crate::tune::costs::{MeasuredAt, ValidationCosts};
use crate::tune::issuer::{Found, Habits};

#[derive(Debug, Default)]
pub(in crate::tune) struct Known {
    pub(in crate::tune) recorded: Option<Recorded>,
    pub(in crate::tune) issuer: Option<Found>,
    pub(in crate::tune) validation: Option<ValidationCosts>,
}

impl TuneArguments {
    /// Reads the files and asks the issuer: whatever of these is given.
    pub(in crate::tune) fn known(&self) -> Result<Known, Failure> {
        let file = self.activity.as_deref();
        Ok(Known {
            recorded: file.map(|file| Recorded::read(file, self.burst_gap)).transpose()?,
            validation: self.bench.as_deref().map(ValidationCosts::read).transpose()?,
            issuer: self.issuer.ask()?,
        })
    }
}

impl Known {
    /// What the issuer's headers say of its keys: as given, as found, or as `--costs-of` knows.
    pub(in crate::tune) fn max_age(&self, arguments: &TuneArguments) -> Option<f64> {
        arguments.jwks_max_age.or_else(|| match &self.issuer {
            Some(found) => found.max_age,
            None => arguments.costs_of.max_age(),
        })
    }

    /// How long access tokens live: by the options, by the issuer, or as `--costs-of` knows.
    pub(in crate::tune) fn access_expiry(&self, arguments: &TuneArguments) -> f64 {
        let theirs = self.issuer.as_ref().and_then(|found| found.token_lifetime);
        arguments.access_expiry.or(theirs).unwrap_or_else(|| arguments.costs_of.access_expiry())
    }

    /// What the issuer does, by the options, as found, or as `--costs-of` knows.
    pub(in crate::tune) fn habits(&self, arguments: &TuneArguments) -> Habits {
        let (offers, pushes) = match &self.issuer {
            Some(found) => (found.offers, false),
            None => {
                let of = arguments.costs_of;
                (of.offers(), of == MeasuredAt::Companion)
            }
        };
        Habits { max_age: self.max_age(arguments), offers, pushes }
    }
}
