//! Takes the screenshots of the documentation: HTML reports, and a session in a browser.

use std::fs;
use std::path::Path;

use crate::install;
use crate::run::{Failure, cargo, program, root, run, target_dir};

/// Maximum size of a picture, in bytes.
const MAX_BYTES: u64 = 150_000;

/// The pictures of reports: name, window size, and the command that writes the report.
const PICTURES: [(&str, &str, &[&str]); 2] = [
    ("bench", "800,1150", &["bench", "--html"]),
    ("tune", "800,1240", &["tune", "--access-expiry", "900", "--vs-access-expiry", "60", "--html"]),
];

/// The pictures of the tests of `examples/browser-session` that the documentation shows, and their names there.
const SESSION: [(&str, &str); 2] = [
    ("browser-session-orders", "browser-session"),
    ("browser-session-passkeys", "browser-session-passkeys"),
];

/// `cargo xtask screenshots`: writes the pictures to `docs`. Those of all pages of the session stay in
/// `target/screenshots`.
pub(crate) fn screenshots() -> Result<(), Failure> {
    let chromium = install::chromium()?;
    let build =
        ["build", "--profile", "dist", "--package", "portcullis-cli", "--features", "bench"];
    run(&mut cargo(&build))?;
    let (pages, docs) = (target_dir().join("screenshots"), root().join("docs"));
    for folder in [&pages, &docs] {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    }
    for (name, window, command) in PICTURES {
        let page = pages.join(name).with_extension("html");
        run(program(target_dir().join("dist/portcullis")).args(command).arg(&page))?;
        let picture = docs.join(name).with_extension("png");
        // Containers do not support the sandbox, and the page is this project's own file.
        run(program(&chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .arg(format!("--window-size={window}"))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", page.display())))?;
        check(&picture)?;
    }
    let node = install::for_browser_session()?;
    let mut session = cargo(&["test", "--package", "example-browser-session"]);
    session.args(["--", "--ignored", "session_works", "passkeys_log_in"]);
    run(session.env("PORTCULLIS_NODE", node).env("PORTCULLIS_PICTURES", &pages))?;
    SESSION.iter().try_for_each(|(taken, name)| {
        let picture = docs.join(name).with_extension("png");
        fs::copy(pages.join(taken).with_extension("png"), &picture)
            .map_err(|error| Failure::new(format!("{}: {error}", picture.display())))?;
        check(&picture)
    })
}

/// Checks that the picture exists and is small enough.
fn check(picture: &Path) -> Result<(), Failure> {
    let length = fs::metadata(picture)
        .map_err(|error| Failure::new(format!("{}: {error}", picture.display())))?
        .len();
    if length > MAX_BYTES {
        return Err(Failure::new(format!(
            "{} has {length} bytes, at most {MAX_BYTES} allowed",
            picture.display()
        )));
    }
    println!("written: {}, {length} bytes", picture.display());
    Ok(())
}
