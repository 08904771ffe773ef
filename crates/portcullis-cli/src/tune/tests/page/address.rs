//! The settings in the address of the page, and their bounds.

use serde_json::json;

use super::evaluate;

/// A link holds only numbers within the bounds of the options.
#[test]
#[ignore = "needs Node: run cargo xtask test"]
fn address_keeps_the_settings_and_rejects_anything_else() {
    let program = "const settings = settingsOf(3, { introspection: null, status_lists: true });
        return input.map((fragment) => {
            const { values, wrong } = readFragment(fragment, settings);
            return { values, wrong, again: readFragment(writeFragment(values, settings), settings).values };
        });";
    let unknown = "an unknown name";
    let cases = [
        ("", json!({}), json!([])),
        ("#expiry=300&ttl=60", json!({"expiry": 300, "ttl": 60}), json!([])),
        (
            "#pause=0&every=0.25&live=2.5",
            json!({"pause": 0, "every": 0.25, "live": 2.5}),
            json!([]),
        ),
        ("#sessions=100000000", json!({"sessions": 100_000_000}), json!([])),
        ("#expiry=300&expiry=60", json!({"expiry": 300}), json!(["expiry"])),
        ("#expiry=0&ttl=86401", json!({}), json!(["expiry", "ttl"])),
        ("#sessions=1.5&instances=2", json!({}), json!(["sessions", "instances"])),
        (
            "#expiry=1e3&ttl=-1&burst=NaN&list=",
            json!({}),
            json!(["expiry", "ttl", "burst", "list"]),
        ),
        ("#expiry=<b>&age=5=5&live", json!({}), json!(["expiry", "age", "live"])),
        ("#__proto__=1&constructor=2", json!({}), json!([unknown, unknown])),
    ];
    let fragments: Vec<_> = cases.iter().map(|case| case.0).collect();
    let found = evaluate(&json!(fragments), program);
    for ((fragment, values, wrong), found) in cases.iter().zip(found.as_array().unwrap()) {
        let expected = json!({"values": values, "wrong": wrong, "again": values});
        assert_eq!(found, &expected, "{fragment}");
    }
}

#[test]
#[ignore = "needs Node: run cargo xtask test"]
fn mechanism_that_the_issuer_lacks_has_no_slider_range() {
    let program = "return input.map((offers) => {
        const settings = settingsOf(1, offers);
        return [settings.live.values.length > 1, settings.list.values.length > 1,
            readFragment('#live=5&list=5', settings).wrong];
    });";
    let input = json!([
        {"introspection": null, "status_lists": true},
        {"introspection": false, "status_lists": true},
        {"introspection": true, "status_lists": false},
    ]);
    let found = evaluate(&input, program);
    let expected = json!([[true, true, []], [false, true, ["live"]], [true, false, ["list"]]]);
    assert_eq!(found, expected);
}
