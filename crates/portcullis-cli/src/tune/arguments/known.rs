//! Inputs that are not options: recorded requests, a measured issuer and a benchmark.

use super::TuneArguments;
use crate::exit::Failure;
use crate::tune::activity::Recorded;
use crate::tune::costs::{MeasuredAt, ValidationCosts};
use crate::tune::issuer::{Found, Habits, Lacked};
use crate::units::duration;

#[derive(Debug, Default)]
pub(in crate::tune) struct Known {
    pub(in crate::tune) recorded: Option<Recorded>,
    pub(in crate::tune) issuer: Option<Found>,
    pub(in crate::tune) validation: Option<ValidationCosts>,
}

impl TuneArguments {
    /// Returns the options that state the measured values. With them in place of `--issuer`, the
    /// command repeats the report without the issuer.
    pub(in crate::tune) fn in_place_of_issuer(&self, known: &Known) -> Option<Vec<String>> {
        let found = known.issuer.as_ref()?;
        let mut options = Vec::new();
        if found.is_keycloak && self.costs_of.is_none() {
            options.push(format!("--costs-of {}", MeasuredAt::Keycloak.name()));
        }
        let lifetime = found.token_lifetime.filter(|_| self.access_expiry.is_none());
        options.extend(lifetime.map(|secs| format!("--access-expiry {secs}")));
        if self.jwks_max_age.is_none() {
            options.push(format!("--jwks-max-age {}", found.max_age.unwrap_or(0.0)));
        }
        if found.is_keycloak && self.session_idle.is_none() {
            options
                .extend(known.session_idle(self).map(|(secs, _)| format!("--session-idle {secs}")));
        }
        options.extend(self.sourced(known).options());
        let offers = found.offers;
        for (lacked, is_lacked) in [
            ("introspection", offers.introspection == Some(false)),
            ("status-lists", offers.status_lists == Some(false)),
            ("backchannel-logout", !offers.sends_logouts()),
        ] {
            if is_lacked {
                options.push(format!("--lacks {lacked}"));
            }
        }
        Some(options)
    }

    /// Reads the files and measures the issuer that the options name.
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
    /// The issuer whose costs and defaults are assumed where none were measured.
    pub(in crate::tune) fn costs_of(&self, arguments: &TuneArguments) -> MeasuredAt {
        let is_keycloak = self.issuer.as_ref().is_some_and(|found| found.is_keycloak);
        let default = if is_keycloak { MeasuredAt::Keycloak } else { MeasuredAt::Companion };
        arguments.costs_of.unwrap_or(default)
    }

    /// The `max-age` of the issuer's JWKS: the option, otherwise the measured value, otherwise that
    /// of `--costs-of`.
    pub(in crate::tune) fn max_age(&self, arguments: &TuneArguments) -> Option<f64> {
        arguments.jwks_max_age.or_else(|| match &self.issuer {
            Some(found) => found.max_age,
            None => self.costs_of(arguments).max_age(),
        })
    }

    /// The lifetime of access tokens: the option, otherwise the measured value, otherwise that of
    /// `--costs-of`.
    pub(in crate::tune) fn access_expiry(&self, arguments: &TuneArguments) -> f64 {
        let theirs = self.issuer.as_ref().and_then(|found| found.token_lifetime);
        arguments
            .access_expiry
            .or(theirs)
            .unwrap_or_else(|| self.costs_of(arguments).access_expiry())
    }

    /// The time after which the issuer ends an idle session, and its source.
    pub(in crate::tune) fn session_idle(&self, arguments: &TuneArguments) -> Option<(f64, String)> {
        if let Some(secs) = arguments.session_idle {
            return Some((secs, "--session-idle".to_owned()));
        }
        let is_keycloak = self.issuer.as_ref().is_some_and(|found| found.is_keycloak);
        let (of, source) = if is_keycloak {
            (MeasuredAt::Keycloak, "assumed: Keycloak's default".to_owned())
        } else {
            let of = self.costs_of(arguments);
            (of, format!("assumed: --costs-of {}", of.name()))
        };
        Some((of.session_idle()?, source))
    }

    /// The issuer setting that changes the lifetime of access tokens, if the issuer is measured or is Keycloak.
    pub(in crate::tune) fn change_of_expiry(
        &self,
        arguments: &TuneArguments,
        secs: f64,
    ) -> Option<String> {
        let measured = self.issuer.as_ref().and_then(|found| found.token_lifetime);
        let is_keycloak = match &self.issuer {
            Some(found) => found.is_keycloak,
            None => self.costs_of(arguments) == MeasuredAt::Keycloak,
        };
        let setting = if is_keycloak {
            ", with \"Access Token Lifespan\" in the realm's settings"
        } else {
            ""
        };
        let new = format!("set {} at the issuer{setting}", duration(secs));
        match measured {
            Some(theirs) if theirs == secs => None,
            Some(theirs) => Some(format!("The issuer's tokens last {}: {new}", duration(theirs))),
            None if !is_keycloak => None,
            None if arguments.access_expiry.is_some() => {
                Some(format!("The lifetime of tokens is a setting of the issuer: {new}"))
            }
            None => {
                let theirs = duration(MeasuredAt::Keycloak.access_expiry());
                Some(format!("The issuer's tokens last {theirs} by default: {new}"))
            }
        }
    }

    /// The properties of the issuer: the options, otherwise what was measured, otherwise those of
    /// `--costs-of`.
    pub(in crate::tune) fn habits(&self, arguments: &TuneArguments) -> Habits {
        let measured = self.issuer.as_ref().map(|found| found.offers);
        let mut offers = measured.unwrap_or_else(|| self.costs_of(arguments).offers());
        for lacked in &arguments.lacks {
            match lacked {
                Lacked::Introspection => offers.introspection = Some(false),
                Lacked::StatusLists => offers.status_lists = Some(false),
                Lacked::BackchannelLogout => offers.backchannel_logout = Some(false),
            }
        }
        // The metadata do not show whether an issuer pushes its list.
        let pushes = self.costs_of(arguments) == MeasuredAt::Companion;
        Habits { max_age: self.max_age(arguments), offers, pushes }
    }
}
