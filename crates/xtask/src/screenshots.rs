//! The pictures that the documentation shows: the tool's HTML reports, and a session in a browser.

use std::fs;
use std::path::Path;

use crate::install;
use crate::run::{Failure, cargo, program, root, run, target_dir};

/// The largest that a picture may be.
const MAX_BYTES: u64 = 150_000;

/// Each picture: its name, the size of the window, and the command whose report it shows.
const PICTURES: [(&str, &str, &[&str]); 2] = [
    ("bench", "800,1150", &["bench", "--html"]),
    ("tune", "800,1215", &["tune", "--access-expiry", "900", "--vs-access-expiry", "60", "--html"]),
];

/// What the test of `examples/browser-session` draws on its way.
const SESSION: [&str; 2] = ["browser-session", "browser-session-phone"];

/// `cargo xtask screenshots`: writes all of them to `docs`.
pub(crate) fn screenshots() -> Result<(), Failure> {
    let chromium = install::chromium()?;
    let build = ["build", "--release", "--package", "portcullis-cli", "--features", "bench"];
    run(&mut cargo(&build))?;
    let (pages, docs) = (target_dir().join("screenshots"), root().join("docs"));
    for folder in [&pages, &docs] {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    }
    for (name, window, command) in PICTURES {
        let page = pages.join(name).with_extension("html");
        run(program(target_dir().join("release/portcullis")).args(command).arg(&page))?;
        let picture = docs.join(name).with_extension("png");
        // What it loads is a file that this project wrote; a container has no sandbox to offer.
        run(program(&chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .arg(format!("--window-size={window}"))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", page.display())))?;
        check(&picture)?;
    }
    let node = install::for_browser_session()?;
    let mut session = cargo(&["test", "--package", "example-browser-session", "--", "--ignored"]);
    run(session.env("PORTCULLIS_NODE", node).env("PORTCULLIS_PICTURES", &docs))?;
    SESSION.iter().try_for_each(|name| check(&docs.join(name).with_extension("png")))
}

/// Whether the picture is there, and small enough.
fn check(picture: &Path) -> Result<(), Failure> {
    let length = fs::metadata(picture)
        .map_err(|error| Failure::new(format!("{}: {error}", picture.display())))?
        .len();
    if length > MAX_BYTES {
        return Err(Failure::new(format!("{} has {length} bytes", picture.display())));
    }
    println!("written: {}, {length} bytes", picture.display());
    Ok(())
}
