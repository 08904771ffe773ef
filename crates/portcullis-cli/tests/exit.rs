//! Exit codes and their error texts, and readers that close standard output.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use serde_json::json;
use support::{AUDIENCE, ISSUER, Issuer, command, run};

#[test]
fn help_and_reference_list_the_exit_codes() {
    let reference = include_str!("../../../docs/reference/command-line.md");
    for command in ["", "check", "inspect", "jwks", "jws", "bench", "tune", "completions"] {
        let arguments: Vec<_> = [command, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        let text = run(&arguments, b"").expect(0).stdout;
        for (code, meaning) in [
            (0, "success"),
            (1, "a token was rejected"),
            (2, "invalid command line or configuration"),
            (3, "keys or revocation status unavailable"),
            (4, "`tune`: closed form and simulation disagree"),
            (5, "`tune`: no setting reaches the goal"),
            (130, "interrupted by Ctrl-C"),
        ] {
            assert!(text.contains(&format!("  {code}  {meaning}")), "{command}: {code}");
            assert!(reference.contains(&format!("| {code} | {meaning}")), "reference: {code}");
        }
    }
}

#[cfg(not(feature = "bench"))]
#[test]
fn bench_without_its_feature_is_2_and_names_the_feature() {
    for options in [&["bench"][..], &["bench", "--json", "--rounds", "2"], &["bench", "token"]] {
        let told = run(options, b"").expect(2).stderr;
        assert!(told.contains("cargo install portcullis-cli --features bench"), "{told}");
    }
}

#[cfg(not(feature = "live"))]
#[test]
fn live_run_without_its_feature_is_2_and_names_the_feature() {
    let told = run(&["tune", "--live"], b"").expect(2).stderr;
    assert!(told.contains("cargo install portcullis-cli --features live"), "{told}");
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell], b"").expect(0).stdout;
        for word in ["check", "inspect", "jwks", "jws", "bench", "tune", "access-expiry"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    run(&["completions", "cmd"], b"").expect(2);
}

#[test]
fn invalid_command_line_is_2_and_names_the_option() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    let check = |more: &[&str]| {
        let base = ["check", "--issuer", ISSUER, "--jwks", &keys, "--audience", AUDIENCE];
        run(&[&base[..], more].concat(), b"x")
    };
    for (ended, named) in [
        (run(&[], b""), "Usage"),
        (run(&["chekc"], b""), "chekc"),
        (run(&["check", "--issuer", ISSUER, "x"], b""), "--audience"),
        (run(&["check", "--audience", AUDIENCE, "--jwks", &keys, "x"], b""), "--issuer"),
        (run(&["check", "--issuer", "", "--jwks", &keys, "--audience", "a"], b"x"), "--issuer"),
        (
            run(&["check", "--issuer", ISSUER, "--jwks", &keys, "--audience", ""], b"x"),
            "--audience",
        ),
        (
            run(&["check", "--issuer", "http://a.example", "--audience", "a"], b"x"),
            "option: --issuer",
        ),
        (check(&["--jwk", "x"]), "--jwk"),
        (check(&["--alg", "HS256"]), "HS256"),
        (check(&["--alg", "none"]), "none"),
        (check(&["--profile", "jwe"]), "jwe"),
        (check(&["--leeway", "301"]), "option: --leeway"),
        (check(&["--leeway", "-1"]), "--leeway"),
        (check(&["--max-lifetime", "0"]), "--max-lifetime"),
        (check(&["--max-lifetime", "5"]), "option: --leeway, --max-lifetime"),
        (check(&["--at", "253402300800"]), "--at"),
        (
            run(
                &["check", "--issuer", ISSUER, "--jwks", "http://a.example/k", "--audience", "a"],
                b"x",
            ),
            "option: --jwks",
        ),
        (
            run(&["check", "--issuer", ISSUER, "--jwks", "file:///k", "--audience", "a"], b"x"),
            "option: --jwks",
        ),
    ] {
        let ended = ended.expect(2);
        assert!(ended.stderr.contains(named), "{named}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{named}");
    }
}

#[test]
fn input_without_a_token_is_2() {
    let ended = Issuer::new().check(&[], "\n \n").expect(2);
    assert!(ended.stderr.contains("no token on standard input"), "{}", ended.stderr);
}

#[test]
fn misplaced_token_is_not_printed() {
    let token = Issuer::new().token(json!({}));
    for arguments in [
        &["jws", &token][..],
        &[&token],
        &["check", "--at", &token],
        &["check", "--issuer", &token, "--audience", "a", "x"],
    ] {
        let ended = run(arguments, b"").expect(2);
        for piece in token.split('.') {
            assert!(!ended.stderr.contains(piece), "{}", ended.stderr);
        }
    }
}

#[test]
fn unavailable_keys_are_3() {
    let issuer = Issuer::new();
    let page = issuer.write("page.html", "<html>");
    let list = issuer.write("list.json", r#"{"keys":{}}"#);
    // A port without a listener.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let unreachable = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for (options, named) in [
        (&["--issuer", ISSUER, "--jwks", &page][..], "page.html: it is HTML or XML"),
        (&["--issuer", ISSUER, "--jwks", &list], "`keys` has a value of the wrong type"),
        (&["--issuer", ISSUER, "--jwks", "/nowhere/keys.json"], "/nowhere/keys.json"),
        (&["--issuer", &unreachable], &unreachable),
        (&["--issuer", ISSUER, "--jwks", &unreachable], &unreachable),
    ] {
        let ended = run(&[&["check", "--audience", "a"], options].concat(), b"x").expect(3);
        assert!(ended.stderr.contains(named), "{named}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{named}");
    }
}

#[test]
fn skipped_key_is_reported_with_its_reason() {
    let issuer = Issuer::new();
    let keys = issuer.write("oct.json", r#"{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0"}]}"#);
    let base = ["check", "--issuer", ISSUER, "--jwks", &keys, "--audience", AUDIENCE];
    let ended = run(&base, issuer.token(json!({})).as_bytes()).expect(1);
    assert!(ended.stderr.contains("\"s\""), "{}", ended.stderr);
    assert!(ended.stderr.contains("a symmetric key"), "{}", ended.stderr);
    assert!(ended.stderr.contains("has no usable key"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("c2VjcmV0"), "{}", ended.stderr);
}

#[test]
fn closed_standard_output_ends_the_command_without_an_error() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    let check = ["check", "--issuer", ISSUER, "--jwks", &keys, "--audience", AUDIENCE];
    for (arguments, code) in [(&["jws"][..], 0), (&check, 1)] {
        let mut child = command(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdin.write_all(b"x\n").unwrap();
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        drop(stdout);
        // Standard input stays open: the command ends because standard output is closed.
        while stdin.write_all(b"x\n").is_ok() {}
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(code), ""));
    }
}
