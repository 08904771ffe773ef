//! Errors of the settings file: they name the key, the line and what is right.

use portcullis_sidecar::{Config, Sidecar};

const UPSTREAM: &str = "upstream = 'http://127.0.0.1:3000'\n";
const ISSUER: &str = "[[issuer]]\nissuer = 'https://auth.example'\naudience = 'api'\n";

#[tokio::test]
async fn wrong_settings_are_named_with_their_line() {
    for (text, message) in [
        ("upstraem = 'x'", "line 1: unknown field `upstraem`, expected one of `listen`"),
        ("\n\n[identity]\nsubjcet = 'X'", "line 4: unknown field `subjcet`, expected one of"),
        ("upstream = 7", "line 1: invalid type: integer `7`, expected a string"),
        ("upstream = 'x", "line 1: "),
        ("listen = 'x'", "line 1: invalid socket address syntax"),
        ("", "set `upstream` (the app to forward requests to), or the table `[forward_auth]`"),
        (
            "upstream = 'https://a'",
            "line 1: `upstream` is \"https://a\": must be a URL with a host only",
        ),
        (
            "{U}proxies = ['10.0.0.1/8']",
            "line 2: `proxies` has \"10.0.0.1/8\": expected an address",
        ),
        ("{U}proxies = ['localhost']", "line 2: `proxies` has \"localhost\""),
        (
            "{U}response_timeout_secs = 0",
            "line 2: `response_timeout_secs` is 0: must be 1 to 86400",
        ),
        ("{U}max_connections = 0", "line 2: `max_connections` is 0"),
        (
            "{U}[forward_auth]\npath = '/a'\nuri_header = 'U'\nmethod_header = 'M'",
            "line 2: both `upstream` and `forward_auth` are set",
        ),
        (
            "[forward_auth]\npath = '/a'\nuri_header = 'U'\nmethod_header = 'M'",
            "line 1: `forward_auth` needs `proxies`",
        ),
        (
            "{U}[identity]\nsubject = 'Host'",
            "line 3: `subject` is \"Host\", a header that has another meaning",
        ),
        ("{U}[identity]\nsubject = 'X-Forwarded-User'", "line 3: `subject` is"),
        (
            "{U}[identity]\nsubject = 'a b'",
            "line 3: `subject` is \"a b\": invalid HTTP header name",
        ),
        (
            "{U}[identity]\nsubject = 'X-A'\nroles = 'x_a'",
            "line 4: two headers for the caller are called `x_a`",
        ),
        ("{U}[identity.claims]\nX-A = []", "line 3: the path of the claim for `X-A` is empty"),
        ("{U}[[route]]\ntoken = 'none'", "line 2: a route needs either `path` or `prefix`"),
        ("{U}[[route]]\npath = '/a'\nprefix = '/b'", "line 2: a route needs either"),
        (
            "{U}[[route]]\npath = '/a/../b'",
            "line 3: `path` is \"/a/../b\": it contains something that the path of a request must not have: dot segment",
        ),
        ("{U}[[route]]\npath = 'a'", "line 3: `path` is \"a\""),
        (
            "{U}[[route]]\npath = '/a'\ntoken = 'maybe'",
            "line 4: unknown variant `maybe`, expected one of",
        ),
        (
            "{U}[[route]]\npath = '/a'\nmethods = ['get']",
            "line 4: `methods` has \"get\": methods are upper",
        ),
        (
            "{U}[[route]]\npath = '/a'\npolicy = { scope = ['a'] }",
            "line 4: unknown variant `scope`, expected one of",
        ),
        ("{U}[[route]]\npath = '/a'\npolicy = { scopes = [] }", "line 4: "),
        (
            "{U}[[route]]\npath = '/a'\npolicy = { custom = 'staff' }",
            "line 4: `policy` has the custom check `staff`, which needs code",
        ),
        (
            "{U}[[route]]\npath = '/a'\ntoken = 'none'\npolicy = { scopes = ['a'] }",
            "line 2: a route with `token = \"none\"` has no caller",
        ),
        (
            "{U}[[route]]\npath = '/a'\npass_foreign = true",
            "line 2: `pass_foreign` is for routes with",
        ),
        (
            "{U}[[route]]\npath = '/a'\n[[route]]\npath = '/a'",
            "line 4: another route has the same path",
        ),
        ("{U}unmatched = 'open'", "line 2: unknown variant `open`, expected `refuse` or `token`"),
        (
            "{U}unmatched = 'token'\n[[route]]\nprefix = '/a'\npolicy = { scopes = ['a'] }\n\
             [[route]]\npath = '/a/b'\nmethods = ['GET']",
            "line 6: `/a/b` has no route for some methods for which `/a/*` has a `policy`",
        ),
        (
            "{U}[[route]]\npath = '/a'\nrevocation = { by = 'status_list' }",
            "line 4: `max_age_secs` is missing",
        ),
        (
            "{U}[[route]]\npath = '/a'\nrevocation = { by = 'feed', max_age_secs = 5 }",
            "line 4: revocation by `feed` needs `logout_path`",
        ),
        (
            "{U}revocation = { by = 'expiry', max_age_secs = 5 }",
            "line 2: `max_age_secs` has no effect",
        ),
        (
            "{U}[tokens]\nrealmm = 'x'",
            "line 3: unknown field `realmm` in [tokens], expected one of `realm`",
        ),
        ("{U}[tokens]\njwks_url = 'x'", "line 3: unknown field `jwks_url` in [tokens]"),
        (
            "{U}[[issuer]]\nissuer = 'https://a'\ncookie = 'x'",
            "line 4: unknown field `cookie` in [[issuer]]",
        ),
        ("{U}[[issuer]]\nissuer = 'https://a'", "line 2: `audience` is missing"),
        (
            "{U}[[issuer]]\nissuer = 'https://a'\naudience = 'b'\nprofile = 'x'",
            "line 5: `profile` is \"x\": ",
        ),
        (
            "{U}[[issuer]]\nissuer = 'https://a'\naudience = 'b'\njwks_ttl_secs = 1.5",
            "line 5: `jwks_ttl_secs` must be a string, a number, true or false, or a list of strings",
        ),
        // Found by the core, without a fetch.
        (UPSTREAM, "there is no [[issuer]]; add the issuer of the tokens"),
        (
            "{U}[[issuer]]\nissuer = 'https://a.example'\naudience = 'b'\njwks_url = 'http://a.example/keys'",
            "line 5: `jwks_url` is \"http://a.example/keys\"",
        ),
        (
            "{U}{I}[[issuer]]\nissuer = 'https://b.example'\naudience = 'b'\nleeway_secs = 1000",
            "line 8: `leeway_secs` is",
        ),
        ("{U}[tokens]\ntoken_places = ['header:Cookie']\n{I}", "line 3: `token_places` is"),
        ("{U}revocation = { by = 'live' }\n{I}", "the gate requires introspection"),
        (
            "{U}{I}[[route]]\npath = '/pay'\nrevocation = { by = 'live' }",
            "the gate requires introspection",
        ),
    ] {
        let text = text.replace("{U}", UPSTREAM).replace("{I}", ISSUER);
        let error = match Config::parse(&text) {
            Ok(config) => Sidecar::check(&config).await.err(),
            Err(error) => Some(error),
        };
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(message), "{text}\n  {error}\n  {message}");
    }
}

#[tokio::test]
async fn settings_of_the_reference_are_right() {
    let text = format!("{UPSTREAM}{ISSUER}");
    Sidecar::check(&Config::parse(&text).unwrap()).await.unwrap();
    for text in [
        include_str!("../../../../deploy/sidecar/proxy.toml"),
        include_str!("../../../../deploy/sidecar/forward-auth.toml"),
    ] {
        Sidecar::check(&Config::parse(text).unwrap()).await.unwrap();
    }
}

#[test]
fn error_of_a_file_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sidecar.toml");
    let error = Config::read(&file).unwrap_err();
    assert!(format!("{error:?}").contains("sidecar.toml: the file cannot be read: "), "{error:?}");
    std::fs::write(&file, "\nlistne = 1").unwrap();
    let error = Config::read(&file).unwrap_err().to_string();
    assert!(error.contains("sidecar.toml:2: unknown field `listne`"), "{error}");
}

/// A gap between methods drops no policy if such requests are refused, or if no policy is around it.
#[test]
fn gap_is_an_error_only_if_it_drops_a_policy() {
    let strict = "policy = { scopes = ['a'] }";
    for (unmatched, around, inner, is_right) in [
        ("refuse", strict, "methods = ['GET']", true),
        ("token", strict, "methods = ['GET']", false),
        ("token", strict, "", true),
        ("token", "", "methods = ['GET']", true),
        ("token", "methods = ['GET']\npolicy = { scopes = ['a'] }", "methods = ['GET']", true),
        ("token", "methods = ['HEAD']\npolicy = { scopes = ['a'] }", "methods = ['GET']", true),
        ("token", "methods = ['PUT']\npolicy = { scopes = ['a'] }", "methods = ['GET']", false),
    ] {
        for pattern in ["path = '/a'", "path = '/a/b'", "prefix = '/a/b'"] {
            let text = format!(
                "{UPSTREAM}unmatched = '{unmatched}'\n[[route]]\nprefix = '/a'\n{around}\n\
                 [[route]]\n{pattern}\n{inner}"
            );
            assert_eq!(Config::parse(&text).is_ok(), is_right, "{text}");
        }
    }
}

/// serde lists all keys of a table in the error for an unknown one.
#[test]
fn reference_has_every_key() {
    const PAGE: &str = include_str!("../../../../docs/reference/sidecar.md");
    for (text, at_least) in [
        ("zzz = 1", 15),
        ("[identity]\nzzz = 1", 5),
        ("[forward_auth]\nzzz = 1", 3),
        ("[[route]]\nzzz = 1", 8),
        ("revocation = { zzz = 1 }", 3),
        ("upstream = 'http://a'\n[tokens]\nzzz = 1", 9),
    ] {
        let error = Config::parse(text).unwrap_err().to_string();
        let (_, keys) = error.split_once("expected one of ").unwrap();
        let keys: Vec<&str> = keys.split(", ").collect();
        assert!(keys.len() >= at_least, "{error}");
        for key in keys {
            let name = key.trim_matches('`');
            assert!(PAGE.contains(key) || PAGE.contains(&format!("{name} = ")), "{key}");
        }
    }
}
