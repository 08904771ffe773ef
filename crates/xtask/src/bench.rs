//! What validation costs, beside the bare signature check and every peer.

mod figures;
mod goals;
mod page;
mod plot;

use std::fs;

use crate::run::{Failure, cargo, output, root, tools_dir};
use figures::Figures;

/// `cargo xtask bench`: measures, and writes `benches/RESULTS.md` and its plots.
pub(crate) fn bench(rounds: usize, peers: bool) -> Result<(), Failure> {
    let rounds = format!("rounds={rounds}");
    let benches = ["bench", "--package", "tollgate-benches", "--bench", "results", "--"];
    let mut text = output(cargo(&benches).arg(&rounds))?;
    if peers {
        let manifest = "benches/peers/Cargo.toml";
        let mut run = cargo(&["run", "--release", "--locked", "--manifest-path", manifest, "--"]);
        // What is built for them does not mix with what is built for us.
        run.arg(&rounds).env("CARGO_TARGET_DIR", tools_dir().join("peers"));
        text.push_str(&output(&mut run)?);
    }
    let figures = Figures::parse(&text)?;
    let folder = root().join("benches");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| {
            Failure::new(format!("{} can not be written: {error}", path.display()))
        })
    };
    fs::create_dir_all(folder.join("plots"))
        .map_err(|error| Failure::new(format!("benches/plots can not be made: {error}")))?;
    write("RESULTS.md", page::page(&figures, &rounds))?;
    for (name, svg) in plot::plots(&figures) {
        write(&format!("plots/{name}.svg"), svg)?;
    }
    println!("{}", goals::table(&figures));
    println!("written: benches/RESULTS.md and benches/plots");
    Ok(())
}
