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
    let of_peers = if peers { measure_peers(&rounds) } else { Ok(String::new()) };
    // Ours are written all the same.
    text.push_str(of_peers.as_deref().unwrap_or_default());
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
    of_peers.map(drop)
}

fn measure_peers(rounds: &str) -> Result<String, Failure> {
    let manifest = "benches/peers/Cargo.toml";
    let mut run = cargo(&["run", "--release", "--manifest-path", manifest, "--", rounds]);
    // What is built for them does not mix with what is built for us.
    output(run.env("CARGO_TARGET_DIR", tools_dir().join("peers")))
}
