//! Counts the instructions of a validation by place in the code, with valgrind's callgrind.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::results_command;
use crate::install;
use crate::run::{Failure, output, program, target_dir};

/// Instructions are counted twice, over these numbers of runs. The difference of the two counts
/// excludes start and warm-up.
const RUNS: [usize; 2] = [500, 3_000];

/// The counted cases and their algorithms. HS256 is used because generating a shared secret takes
/// few instructions, and always the same number.
pub(super) const PROFILED: [(&str, &str); 2] = [("cold", "HS256"), ("warm", "HS256")];

/// The places in the code, each with a part of its file path or function name. The first match
/// applies.
const PLACES: [(&str, &str); 13] = [
    ("aws_lc", "the signature check (aws-lc)"),
    ("aws-lc", "the signature check (aws-lc)"),
    ("constant_time_eq", "the constant-time comparison (constant_time_eq)"),
    ("serde", "JSON (serde, serde_json)"),
    ("base64", "base64url (base64-simd)"),
    ("vsimd", "base64url (base64-simd)"),
    ("portcullis", "portcullis itself"),
    ("smallvec", "portcullis itself"),
    ("malloc", "allocation"),
    ("/http-", "the header map (http)"),
    ("memchr", "finding dots (memchr)"),
    ("mem", "copying and comparing (libc)"),
    ("library/", "Rust's standard library, inlined"),
];

/// Returns a note for each case with its instructions per run, by place.
pub(super) fn profile() -> Result<String, Failure> {
    install::valgrind()?;
    let mut text = String::new();
    for (case, algorithm) in PROFILED {
        let mut counted = Vec::new();
        for runs in RUNS {
            counted.push(count(case, algorithm, runs)?);
        }
        let [few, many] = counted.as_slice() else { continue };
        let group = format!("instructions, {case} {algorithm}");
        let share = |place: &&str| {
            let of =
                |counts: &BTreeMap<&'static str, u64>| counts.get(*place).copied().unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let added = of(many).saturating_sub(of(few)) as f64;
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let runs = (RUNS[1] - RUNS[0]) as f64;
            added / runs
        };
        let mut places: Vec<(&str, f64)> =
            many.keys().map(|place| (*place, share(place))).collect();
        places.sort_by(|one, other| other.1.total_cmp(&one.1));
        let total: f64 = places.iter().map(|(_, count)| count).sum();
        let mut rows = format!("{total:.0} instructions:");
        for (place, count) in places.iter().filter(|(_, count)| *count >= 1.0) {
            let _ = write!(rows, " {place} {count:.0};");
        }
        let _ = writeln!(text, "note\t{group}\t{rows}");
    }
    Ok(text)
}

fn count(case: &str, algorithm: &str, runs: usize) -> Result<BTreeMap<&'static str, u64>, Failure> {
    let file = target_dir().join("bench/callgrind.out");
    let valgrind = format!("valgrind --tool=callgrind --callgrind-out-file={}", file.display());
    // Cargo runs its binaries with the runner that this variable names.
    let mut run = results_command();
    run.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", valgrind);
    output(run.args(["--", "profile", case, algorithm, &runs.to_string()]))?;
    let listing = output(program("callgrind_annotate").arg("--threshold=100").arg(&file))?;
    Ok(by_place(&listing))
}

/// Sums up the listing's first table, of functions. The second table, of source lines, is ignored.
fn by_place(listing: &str) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    let rows = listing.lines().skip_while(|line| !line.contains("file:function"));
    for row in rows.take_while(|line| !line.contains("Auto-annotated source")) {
        let Some((count, code)) = row.trim().split_once(" (") else { continue };
        let Ok(count) = count.replace(',', "").parse::<u64>() else { continue };
        let code = code.split_once(") ").map_or(code, |(_, code)| code);
        let found = PLACES.iter().find(|(part, _)| code.contains(part));
        *counts.entry(found.map_or("everything else", |(_, place)| place)).or_default() += count;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_functions_are_summed_up_by_place() {
        let listing = "\
            Ir    file:function\n\
            1,000 (50.0%)  /x/aws-lc/sha.S:aws_lc_sha [/bin/results]\n\
            300 (15.0%)  /r/serde_json-1.0/src/read.rs:parse [/bin/results]\n\
            200 (10.0%)  crates/portcullis/src/jws.rs:portcullis::jws::parse\n\
            -- Auto-annotated source: x.rs\n\
            900 (45.0%)  let x = serde;\n";
        let counts = by_place(listing);
        assert_eq!(counts.get("the signature check (aws-lc)"), Some(&1000));
        assert_eq!(counts.get("JSON (serde, serde_json)"), Some(&300));
        assert_eq!(counts.get("portcullis itself"), Some(&200));
        assert_eq!(counts.len(), 3);
    }
}
