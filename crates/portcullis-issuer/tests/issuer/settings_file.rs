//! The program's settings from a file and from variables, `config check` and `config show`.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use portcullis_issuer::{Issuer, NewUser};

use crate::common::{Home, KEY, PASSWORD, login, part, with_token};
use crate::process::run;

fn written(home: &Home, text: &str, mode: u32) -> String {
    let path = home.path().join("issuer.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn config_check_exit_code_shows_whether_a_start_would_work() {
    let home = Home::new();
    let right = "issuer = 'https://auth.example.com'\naccess_expiry_secs = 60\n";
    let file = written(&home, right, 0o644);
    let check = ["--config", &file, "config", "check"];
    let (code, told, errors) = texts(&run(home.path(), &[], &check, ""));
    assert_eq!(told, "the settings of https://auth.example.com are right\n");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(!home.database().exists());

    let misspelt = [("IDENTSPHERE_AUDIENCE", "https://api.example")];
    let (code, _, errors) = texts(&run(home.path(), &misspelt, &check, ""));
    let ignored = "portcullis-issuer: IDENTSPHERE_AUDIENCE is not a setting and has no effect; \
                   IDENTSPHERE_AUDIENCES is one\n";
    assert_eq!((code, errors.as_str()), (Some(3), ignored));

    let (code, _, _) = texts(&run(home.path(), &[], &["config", "chekc"], ""));
    assert_eq!(code, Some(2));

    let wrong = written(&home, "\naccess_expiry_secs = 0\n", 0o644);
    let expected = format!(
        "portcullis-issuer: {wrong}:2: access_expiry_secs is \"0\": it must be a whole number of \
         seconds from 1 to 86400\n"
    );
    let through_variable = [("IDENTSPHERE_CONFIG", wrong.as_str())];
    for (variables, arguments) in [
        (&[][..], &check[..]),
        (&through_variable, &["config", "check"]),
        (&through_variable, &["serve"]),
        (&through_variable, &["users", "list"]),
    ] {
        let (code, told, errors) = texts(&run(home.path(), variables, arguments, ""));
        assert_eq!((code, told.as_str(), errors.as_str()), (Some(1), "", expected.as_str()));
    }
}

#[test]
fn secret_that_others_can_read_stops_the_start_and_is_not_shown() {
    let home = Home::new();
    let text = format!("key_encryption_key = '{KEY}'\n");
    let file = written(&home, &text, 0o644);
    let (code, told, errors) = texts(&run(home.path(), &[], &["--config", &file, "serve"], ""));
    assert_eq!(code, Some(1));
    assert!(errors.contains(":1: key_encryption_key is a secret, and every user"), "{errors}");
    assert!(!format!("{told}{errors}").contains(KEY));
    assert!(!home.database().exists());

    written(&home, &text, 0o600);
    let show = ["config", "show", "--config", &file];
    let url = "postgres://issuer:hunter2@127.0.0.1/issuer";
    let variables = [("IDENTSPHERE_DATABASE_URL", url), ("IDENTSPHERE_ISSUER", "nonsense")];
    let (code, told, errors) = texts(&run(home.path(), &variables, &show, ""));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    for line in [
        format!("IDENTSPHERE_KEY_ENCRYPTION_KEY\t(set, not shown)\t{file}:1"),
        "IDENTSPHERE_DATABASE_URL\tpostgres://issuer@127.0.0.1/issuer\tvariable".to_owned(),
        // The values are not checked: the output helps to find the source of a wrong value.
        "IDENTSPHERE_ISSUER\tnonsense\tvariable".to_owned(),
        "IDENTSPHERE_ACCESS_EXPIRY_SECS\t900\tdefault".to_owned(),
        "IDENTSPHERE_COOKIE_DOMAIN\t(not set)\tdefault".to_owned(),
    ] {
        assert!(told.lines().any(|shown| shown == line), "{line}\n{told}");
    }
    assert!(!told.contains(KEY) && !told.contains("hunter2"), "{told}");
}

#[test]
fn file_written_by_config_show_can_be_read() {
    let home = Home::new();
    let variables = [
        ("IDENTSPHERE_ISSUER", "https://auth.example.com"),
        ("IDENTSPHERE_AUDIENCES", "https://a.example,https://b.example"),
        ("IDENTSPHERE_ACCESS_EXPIRY_SECS", "60"),
    ];
    let (code, file, _) = texts(&run(home.path(), &variables, &["config", "show", "--toml"], ""));
    assert_eq!(code, Some(0));
    assert!(file.contains("\naudiences = [\"https://a.example\", \"https://b.example\"]\n"));
    let path = written(&home, &file, 0o600);
    let show = ["config", "show", "--config", &path];
    let (_, told, _) = texts(&run(home.path(), &[("IDENTSPHERE_ISSUER", "")], &show, ""));
    let issuer = told.lines().find(|line| line.starts_with("IDENTSPHERE_ISSUER\t")).unwrap();
    assert!(issuer.starts_with("IDENTSPHERE_ISSUER\thttps://auth.example.com\t/"), "{issuer}");
    let expiry = told.lines().find(|line| line.contains("_ACCESS_EXPIRY_SECS\t")).unwrap();
    assert!(expiry.contains("\t60\t/"), "{expiry}");
}

/// Containers use such a URL if they have a private network and serve no browsers.
#[tokio::test]
async fn http_url_is_accepted_for_the_named_host_only() {
    let home = Home::new();
    let mut config = home.config();
    config.issuer = "http://issuer:8080".to_owned();
    let told = Issuer::open(config.clone()).await.unwrap_err().to_string();
    assert!(told.contains("http is accepted on a loopback host only"), "{told}");
    config.dangerous_http_host = Some("issuer".to_owned());
    let issuer = Issuer::open(config).await.unwrap();
    issuer.add_user(NewUser::new("alice", PASSWORD)).await.unwrap();
    let token = login(&issuer).await.expect(200).text("access_token");
    assert_eq!(part(&token, 1)["iss"], "http://issuer:8080");
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
}
