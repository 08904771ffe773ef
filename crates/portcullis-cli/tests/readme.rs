//! Runs the commands of the crate's README, with the token and the keys that the README assumes.

mod support;

use serde_json::json;
use support::{ISSUED, Issuer, run};

const README: &str = include_str!("../README.md");

/// Returns the arguments of each line that runs `portcullis` with `token.txt` as its input.
fn commands() -> Vec<Vec<&'static str>> {
    let lines = README.split("```sh\n").skip(1).flat_map(|block| {
        block
            .split("```")
            .next()
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.strip_prefix("portcullis ")?.strip_suffix(" < token.txt"))
    });
    lines.map(|line| line.split(' ').collect()).collect()
}

#[test]
fn commands_of_the_readme_accept_a_valid_token_and_reject_an_expired_one() {
    let issuer = Issuer::new();
    let (keys, at) = (issuer.keys(), (ISSUED + 60).to_string());
    let mut names = Vec::new();
    for mut arguments in commands() {
        let name = arguments.first().copied().unwrap_or_default();
        names.push(name);
        for argument in &mut arguments {
            if *argument == "keys.json" {
                *argument = &keys;
            }
        }
        let is_check = name == "check";
        if is_check {
            arguments.extend(["--at", &at]);
            let expired = issuer.token(json!({"exp": ISSUED + 30}));
            let rejected = run(&arguments, expired.as_bytes()).expect(1).stdout;
            assert!(rejected.contains("`exp`"), "{rejected}");
        }
        run(&arguments, issuer.token(json!({})).as_bytes()).expect(0);
    }
    assert_eq!(names, ["inspect", "check"]);
}
