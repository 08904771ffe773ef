//! Checks the Compose file against the schema of the Compose Specification, and checks its
//! references and settings.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis::AuthenticatorBuilder;
use serde_json::Value;

use crate::settings::{KEY, issuer};
use crate::tools::{check, documents, python_tool, shipped, tell, text};

fn compose() -> Value {
    documents("compose/compose.yaml").remove(0)
}

/// The environment of a service, with the variables of `.env` filled in.
pub(crate) fn environment(service: &str) -> Vec<(String, String)> {
    let compose = compose();
    let environment = compose["services"][service]["environment"].as_object().unwrap().clone();
    environment
        .into_iter()
        .map(|(name, value)| {
            let mut value = value.as_str().expect("a string, not a number or a boolean").to_owned();
            for (variable, content) in
                [("POSTGRES_PASSWORD", "secret"), ("ISSUER_KEY_ENCRYPTION_KEY", KEY)]
            {
                let reference = format!("${{{variable}:?set it in deploy/compose/.env}}");
                value = value.replace(&reference, content);
            }
            assert!(!value.contains("${"), "{name}: {value}");
            (name, value)
        })
        .collect()
}

#[test]
#[ignore = "needs check-jsonschema: run cargo xtask test"]
fn file_fits_the_compose_specification() {
    let validate = |path: &Path| {
        let mut command = python_tool("check-jsonschema");
        tell(command.args(["--builtin-schema", "vendor.compose-spec"]).arg(path))
    };
    check("compose/compose.yaml", ("depends_on:", "depend_on:"), validate);
}

#[test]
#[ignore = "needs Python with PyYAML: run cargo xtask test"]
fn file_refers_to_what_is_there() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let dockerfile = text("Dockerfile");
    for (name, service) in services {
        for network in service["networks"].as_array().unwrap() {
            assert!(compose["networks"].get(network.as_str().unwrap()).is_some(), "{network}");
        }
        let needed: Vec<&str> = match &service["depends_on"] {
            Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
            Value::Object(names) => names.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        assert!(needed.iter().all(|needed| services.contains_key(*needed)), "{needed:?}");
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let (source, _) = volume.as_str().unwrap().split_once(':').unwrap();
            // The certificates are created before the first start.
            if source.starts_with('.') && !source.ends_with("/certificates") {
                assert!(shipped("compose").join(source).exists(), "{source}");
            } else if !source.starts_with('.') {
                assert!(compose["volumes"].get(source).is_some(), "{source}");
            }
        }
        if let Some(target) = service["build"]["target"].as_str() {
            assert!(dockerfile.contains(&format!("\nFROM scratch AS {target}\n")), "{target}");
            assert_eq!(service["build"]["context"], "../..");
            assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]));
        }
        // Only nginx has ports, and they are reachable from this machine only.
        let ports = service["ports"].as_array().cloned().unwrap_or_default();
        assert_eq!(ports.is_empty(), name != "nginx", "{name}");
        assert!(ports.iter().all(|port| port.as_str().unwrap().starts_with("127.0.0.1:")));
    }
    let example = text("compose/env.example");
    let documented: BTreeSet<_> =
        example.lines().filter_map(|line| line.strip_suffix('=')).collect();
    let file = text("compose/compose.yaml");
    let used = file.split("${").skip(1).map(|rest| rest.split(':').next().unwrap());
    assert_eq!(used.collect::<BTreeSet<_>>(), documented);
}

#[tokio::test]
#[ignore = "needs Python with PyYAML: run cargo xtask test"]
async fn issuer_and_api_accept_their_settings_and_agree() {
    let config = issuer("", &environment("issuer")).unwrap();
    let api = environment("api");
    let build = async |without: &str| {
        let builder = AuthenticatorBuilder::from_lookup(|asked| {
            let found = api.iter().find(|(name, _)| name == asked && name != without);
            found.map(|(_, value)| value.clone())
        });
        builder.unwrap().build().await.map_err(|error| error.to_string())
    };
    build("").await.unwrap();
    // Plain http is accepted on the named host only.
    let told = build("PORTCULLIS_ALLOW_HTTP_HOST").await.unwrap_err();
    assert!(told.contains("allow_http_host") && told.contains("http://issuer:8080"), "{told}");
    let of_api = |name: &str| &api.iter().find(|(found, _)| found == name).unwrap().1;
    assert_eq!(*of_api("PORTCULLIS_ISSUER"), config.issuer);
    assert_eq!([of_api("PORTCULLIS_AUDIENCE").clone()], config.audiences[..]);
    assert_eq!(config.client_address_header.unwrap(), "x-forwarded-for");
}

/// Runs the page's commands up to the first one that needs Docker.
#[cfg(unix)]
#[test]
#[ignore = "needs openssl: run cargo xtask test"]
fn commands_before_the_first_start_make_what_it_needs() {
    use std::os::unix::fs::PermissionsExt as _;

    const PAGE: &str = include_str!("../../../docs/reference/deployment.md");
    let (_, block) = PAGE.split_once("```sh\ncd deploy/compose\n").unwrap();
    let commands: Vec<_> =
        block.lines().take_while(|command| !command.starts_with("docker ")).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut shell = std::process::Command::new("sh");
    let (right, told) = tell(shell.args(["-euc", &commands.join("\n")]).current_dir(&folder));
    assert!(right, "{told}");
    let env = folder.path().join(".env");
    assert_eq!(std::fs::metadata(&env).unwrap().permissions().mode() & 0o777, 0o600);
    let values: Vec<_> = std::fs::read_to_string(&env)
        .unwrap()
        .lines()
        .map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .map(Option::unwrap)
        .collect();
    let key = [("IDENTSPHERE_KEY_ENCRYPTION_KEY".to_owned(), values[1].1.clone())];
    issuer("", &key).unwrap();
    for (name, _) in values {
        assert!(text("compose/env.example").contains(&format!("\n{name}=\n")), "{name}");
    }
    for name in ["localhost.crt", "localhost.key"] {
        let named = format!("/etc/nginx/certificates/{name};");
        assert!(text("compose/nginx.conf").contains(&named));
        assert!(folder.path().join("certificates").join(name).exists());
    }
}
