//! What a route asks for, in words.

use super::*;

const SEC: Duration = Duration::from_secs(1);

#[test]
fn ages_are_bounded_below_and_said() {
    for (revocation, said) in [
        (Revocation::default(), "expiry"),
        (Revocation::expiry().in_outage(SEC), "expiry"),
        (Revocation::status_list(10 * SEC), "status_list(10s)"),
        (Revocation::status_list(SEC), "status_list(3s)"),
        (Revocation::status_list(10 * SEC).in_outage(SEC), "status_list(10s)"),
        (
            Revocation::status_list(10 * SEC).in_outage(60 * SEC),
            "status_list(10s, in an outage 60s)",
        ),
    ] {
        assert_eq!(revocation.to_string(), said);
    }
}
