//! The HTML reports and the page with sliders in a browser: phone and desktop widths, light and dark,
//! pointer and keyboard.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::path::Path;
use std::process::Command;

use support::run;

/// Reports, each with the command that writes it.
const REPORTS: [(&str, &[&str]); 2] = [
    ("page", &["tune", "--vs-access-expiry", "60", "--sessions", "2000", "--page"]),
    ("tune", &["tune", "--vs-access-expiry", "60", "--sessions", "2000", "--html"]),
];

const BENCH: (&str, &[&str]) = (
    "bench",
    &["bench", "--rounds", "2", "--threads", "4", "--rotation-secs", "1", "--json", "--html"],
);

#[test]
#[ignore = "needs Chromium and Node: run cargo xtask test"]
fn reports_fit_a_phone_and_show_their_values_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let reports = REPORTS.into_iter().chain(cfg!(feature = "bench").then_some(BENCH));
    for (name, options) in reports {
        let file = folder.path().join(name).with_extension("html");
        run(&[options, &[file.to_str().unwrap()]].concat(), b"").expect(0);
        files.push(file);
    }
    // `cargo xtask test` sets the variables to the programs that it found or installed.
    let named = |name, default: &str| std::env::var_os(name).unwrap_or_else(|| default.into());
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/pages.mjs");
    let output = Command::new(named("PORTCULLIS_NODE", "node"))
        .arg(driver)
        .args(&files)
        .env("CHROMIUM", named("PORTCULLIS_CHROMIUM", "/usr/bin/chromium"))
        .env("PROFILE", folder.path().join("profile"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let checked = said.lines().filter(|line| line.starts_with("ok: ")).count();
    assert_eq!(checked, 4 * files.len() + 2, "{said}");
}
