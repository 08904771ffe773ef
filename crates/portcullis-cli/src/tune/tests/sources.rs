//! Each cost names its source, in every form of the report.

use super::report;

#[test]
fn each_cost_names_its_option_or_that_it_is_assumed() {
    let of = report("--sessions 1000 --login-peak 900 --refresh-cost 7ms --costs-of keycloak");
    let inputs = of.inputs();
    let input = |name: &str| inputs.iter().find(|input| input.0 == name).unwrap().1.clone();
    for (name, value) in [
        ("CPU of a refresh at the issuer", "7 ms (--refresh-cost)"),
        ("CPU of a fetch at the issuer", "1.35 ms (assumed: --costs-of keycloak)"),
        ("CPU of an introspection at the issuer", "4.65 ms (assumed: --costs-of keycloak)"),
        (
            "CPU of a login at the issuer",
            "75 ms (assumed: measured at Keycloak 26 with a password grant)",
        ),
        ("CPU of a validation, cache miss", "21.8 µs (assumed: RS256, of --costs-of keycloak)"),
        ("CPU of a validation, cache hit", "200 ns (assumed: benches/RESULTS.md)"),
    ] {
        assert_eq!(input(name), value, "{name}");
    }
    let json = serde_json::to_value(&of).unwrap();
    assert_eq!(json["cost_sources"]["refresh"], "--refresh-cost");
    assert_eq!(json["cost_sources"]["fetch"], "assumed: --costs-of keycloak");
}

#[test]
fn mechanism_that_the_issuer_lacks_is_left_out() {
    let of = report(
        "--sessions 1000 --lacks status-lists --lacks introspection --lacks backchannel-logout",
    );
    assert_eq!((of.mechanisms.len(), of.left_out.len()), (1, 3), "{of}");
}
