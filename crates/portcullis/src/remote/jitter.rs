//! Random jitter, so that services do not act at the same time.

/// Returns a random number from 0 to 1.
pub(super) fn fraction() -> f64 {
    let mut bytes = [0; 4];
    // A failure of the random source only disables the jitter.
    if getrandom::fill(&mut bytes).is_err() {
        return 0.0;
    }
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn fractions_differ_and_stay_within_bounds() {
        let fractions: Vec<_> = (0..100).map(|_| super::fraction()).collect();
        assert!(fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction)));
        assert!(fractions.iter().any(|&fraction| fraction < 0.5));
        assert!(fractions.iter().any(|&fraction| fraction > 0.5));
    }
}
