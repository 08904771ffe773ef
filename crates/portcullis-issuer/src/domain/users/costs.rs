//! The argon2id costs of the stored hashes.
//!
//! After a change of the settings, users' hashes have different costs until each user has logged
//! in. If a check computed the user's hash only, its duration would reveal which names exist. So
//! each check computes one hash for every cost in use. Only the hash with the user's cost is
//! compared, and the others are discarded. For an unknown user all hashes are discarded.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};

use super::password_cost::PasswordCost;

/// The maximum number of costs for which a check computes hashes. An operator rarely changes the
/// cost, so more are not expected.
const MAX_COSTS: usize = 8;

/// The costs in use. Other processes may have other settings, so the costs of hashes that are read
/// later are added.
#[derive(Debug)]
pub(super) struct Costs(Mutex<Vec<Cost>>);

/// The parameters of a hash: memory in KiB, iterations, lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    memory: u32,
    iterations: u32,
    lanes: u32,
}

impl Costs {
    /// Creates the set of the configured cost and the costs of the stored hashes.
    pub(super) fn new(configured: PasswordCost, stored: &[String]) -> Self {
        let PasswordCost { memory_kib: memory, iterations } = configured;
        let costs = Self(Mutex::new(vec![Cost { memory, iterations, lanes: 1 }]));
        for cost in stored.iter().filter_map(|hash| Cost::of(hash)) {
            costs.add(cost);
        }
        costs
    }

    /// Returns the costs in use, except the cost of the user's hash, if there is one.
    pub(super) fn besides(&self, hash: Option<&str>) -> Vec<Cost> {
        let own = hash.and_then(Cost::of);
        if let Some(own) = own {
            self.add(own);
        }
        let costs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        costs.iter().copied().filter(|cost| Some(*cost) != own).collect()
    }

    fn add(&self, cost: Cost) {
        let mut costs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if costs.len() < MAX_COSTS && !costs.contains(&cost) {
            costs.push(cost);
        }
    }
}

impl Cost {
    /// Reads the parameters of a PHC string, whose salt and hash may be cut off.
    fn of(hash: &str) -> Option<Self> {
        let mut parts = hash.split('$').skip(1);
        let (algorithm, version, params) = (parts.next()?, parts.next()?, parts.next()?);
        let params = PasswordHash::new(&format!("${algorithm}${version}${params}")).ok()?;
        let params = Params::try_from(&params).ok()?;
        let (memory, iterations, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        Some(Self { memory, iterations, lanes })
    }

    /// Computes and discards a hash with this cost, to take the same time.
    pub(super) fn pay(self, password: &str) {
        let Ok(params) = Params::new(self.memory, self.iterations, self.lanes, None) else {
            return;
        };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut out = [0; 32];
        // The salt does not matter: the result is discarded.
        let _ = argon2.hash_password_into(password.as_bytes(), &[0; 16], &mut out);
        std::hint::black_box(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(memory: u32, iterations: u32) -> Cost {
        Cost { memory, iterations, lanes: 1 }
    }

    #[test]
    fn check_computes_all_costs_in_use_even_for_an_unknown_user() {
        let stored = [
            "$argon2id$v=19$m=9216,t=4,p=1".to_owned(),
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaA".to_owned(),
            "no PHC string".to_owned(),
        ];
        let costs = Costs::new(PasswordCost { memory_kib: 65_536, iterations: 3 }, &stored);
        let (new, old, older) = (cost(65_536, 3), cost(19_456, 2), cost(9216, 4));
        assert_eq!(costs.besides(None), [new, older, old]);
        assert_eq!(costs.besides(Some(&stored[0])), [new, old]);
        assert_eq!(costs.besides(Some("no PHC string")), [new, older, old]);
        // This hash was stored by another process with other settings.
        let other = "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0$aGFzaA";
        assert_eq!(costs.besides(Some(other)), [new, older, old]);
        assert_eq!(costs.besides(None), [new, older, old, cost(7168, 5)]);
    }

    #[test]
    fn check_computes_a_bounded_number_of_costs() {
        let stored: Vec<_> =
            (0..100).map(|n| format!("$argon2id$v=19$m={},t=2,p=1", 7168 + n)).collect();
        let costs = Costs::new(PasswordCost::default(), &stored);
        assert_eq!(costs.besides(None).len(), MAX_COSTS);
    }
}
