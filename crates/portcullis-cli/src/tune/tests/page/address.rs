//! The settings in the address of the page, and their bounds.

use serde_json::json;

use super::evaluate;

/// A link contains only numbers within the bounds of the options.
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
        const wide = ['live', 'list', 'feed'].map((name) => settings[name].values.length > 1);
        return [wide, readFragment('#live=5&list=5&feed=5', settings).wrong];
    });";
    let input = json!([
        {"introspection": null, "status_lists": true, "backchannel_logout": true},
        {"introspection": false, "status_lists": true, "backchannel_logout": null},
        {"introspection": true, "status_lists": false, "backchannel_logout": false},
    ]);
    let found = evaluate(&input, program);
    let expected = json!([
        [[true, true, true], []],
        [[false, true, false], ["live", "feed"]],
        [[true, false, false], ["list", "feed"]],
    ]);
    assert_eq!(found, expected);
}

#[test]
#[ignore = "needs Node: run cargo xtask test"]
fn changed_share_lowers_the_others_to_100_percent() {
    let program = "return input.map(([values, touched]) => withinAll(values, touched));";
    let of = |live, list, feed| json!({"live": live, "list": list, "feed": feed});
    let input = json!([
        [of(20, 30, 40), "feed"],
        [of(20, 30, 90), "feed"],
        [of(90, 60, 30), "list"],
        [of(100, 60, 30), "live"],
    ]);
    let expected = json!([of(20, 30, 40), of(0, 10, 90), of(10, 60, 30), of(100, 0, 0)]);
    assert_eq!(evaluate(&input, program), expected);
}
