//! Measures the figures of `RESULTS.md` that need none of the peers in `benches/peers`. `cargo
//! xtask bench` runs this benchmark.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]
#![expect(clippy::disallowed_methods, reason = "jsonwebtoken is the measured peer")]
#![expect(clippy::indexing_slicing, reason = "a failed setup ends the program")]
#![expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
#![expect(clippy::cast_possible_truncation, reason = "64 bits")]

mod adapters;
mod finding;
mod refresh;

use std::cell::Cell;
use std::hint::black_box;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use jsonwebtoken::{DecodingKey, Validation, decode};
use portcullis_benches::measure::{COUNTS, Case, measure, report};
use portcullis_benches::scenario::{
    AUDIENCE, CACHE, Claims, ISSUER, Signer, bearer, caller, public_key,
};
use portcullis_benches::service;

/// The cache size for measuring a miss: so small that a token is evicted before it is used again.
const TINY_CACHE: usize = 64 * 1024;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, serve, mode, jwk_and_token] = arguments.as_slice()
        && serve == "serve"
    {
        return adapters::serve(mode, jwk_and_token);
    }
    // `cargo test --all-targets` also runs this program, but does not need its figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    if let [_, profile, case, algorithm, runs, ..] = arguments.as_slice()
        && profile == "profile"
    {
        return run_alone(case, algorithm, runs.parse().unwrap());
    }
    let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let rounds = value("rounds=").map_or(31, |rounds| rounds.parse().unwrap());
    let wanted = |part: &str| value("part=").is_none_or(|only| part == only);
    if wanted("validator") {
        for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "HS256"] {
            validator(algorithm, rounds);
        }
    }
    if wanted("cache") {
        finding::walks(rounds);
        if !COUNTS {
            finding::threads(rounds);
            finding::candidates(rounds);
            finding::flood();
        }
    }
    // This part alternates with runs of another program, for comparison.
    if value("part=") == Some("hit") {
        hit(rounds);
    }
    if wanted("adapters") {
        adapters::added(rounds);
    }
    if wanted("refresh") {
        refresh::under_load(rounds);
    }
    if wanted("service") && !COUNTS {
        for algorithm in ["RS256", "ES256"] {
            let signer = Signer::new(algorithm);
            let modes = ["no layer", "warm", "cold"];
            let measured =
                service::compare(&modes, &signer.token(0), &signer.jwk().to_string(), rounds / 3);
            report(&format!("service {algorithm}"), &measured);
        }
    }
}

/// Measures a cache hit, without other cases.
fn hit(rounds: usize) {
    let signer = Signer::new("RS256");
    let (headers, auth) = (bearer(&signer.token(0)), signer.authenticator(CACHE));
    let case =
        Case::new("portcullis, warm", || drop(black_box(caller(&auth, black_box(&headers)))));
    report("beside node RS256", &measure(vec![case], rounds));
}

/// Runs one case repeatedly and nothing else, for a profiler that counts instructions.
fn run_alone(case: &str, algorithm: &str, runs: usize) {
    let signer = Signer::new(algorithm);
    let token = signer.token(0);
    let headers = bearer(&token);
    let auth = signer.authenticator(if case == "warm" { CACHE } else { 0 });
    let bare = bare(&signer, &token);
    for _ in 0..runs {
        match case {
            "bare" => bare(),
            _ => drop(black_box(caller(&auth, black_box(&headers)))),
        }
    }
}

/// The bare signature check of one token.
fn bare(signer: &Signer, token: &str) -> Box<dyn Fn()> {
    let (message, encoded) = token.rsplit_once('.').unwrap();
    let (message, signature) =
        (message.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(encoded).unwrap());
    if let Signer::Secret(secret) = signer {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        return Box::new(move || hmac::verify(&key, black_box(&message), &signature).unwrap());
    }
    let public = public_key(&signer.jwk());
    Box::new(move || public.verify_sig(black_box(&message), &signature).unwrap())
}

fn theirs(signer: &Signer, algorithm: &str) -> (DecodingKey, Validation) {
    let key = match signer {
        Signer::Pair(..) => {
            DecodingKey::from_jwk(&serde_json::from_value(signer.jwk()).unwrap()).unwrap()
        }
        Signer::Secret(secret) => DecodingKey::from_secret(secret).unwrap(),
    };
    let mut validation = Validation::new(algorithm.parse().unwrap());
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    (key, validation)
}

/// Measures the validation of a repeated token and of many new tokens.
fn validator(algorithm: &str, rounds: usize) {
    let signer = Signer::new(algorithm);
    let token = signer.token(0);
    let one = bearer(&token);
    let many: Vec<HeaderMap> = (0..512).map(|number| bearer(&signer.token(number))).collect();
    let (off, on, tiny) =
        (signer.authenticator(0), signer.authenticator(CACHE), signer.authenticator(TINY_CACHE));
    let bare = bare(&signer, &token);
    let (key, validation) = theirs(&signer, algorithm);
    let (at, at_tiny) = (Cell::new(0), Cell::new(0));
    let next = |at: &Cell<usize>| {
        at.set((at.get() + 1) % many.len());
        many.get(at.get()).unwrap()
    };
    let cases = vec![
        Case::new("bare signature check", bare),
        Case::new("cold", || drop(black_box(caller(&off, black_box(&one))))),
        Case::new("new tokens, cache off", || drop(black_box(caller(&off, next(&at))))),
        Case::new("new tokens, cache on", || drop(black_box(caller(&tiny, next(&at_tiny))))),
        Case::new("warm", || drop(black_box(caller(&on, black_box(&one))))),
        Case::new("jsonwebtoken", || {
            drop(decode::<Claims>(black_box(token.as_str()), &key, &validation).unwrap());
        }),
    ];
    report(&format!("validator {algorithm}"), &measure(cases, rounds));
}
