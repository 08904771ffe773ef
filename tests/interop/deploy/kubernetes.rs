//! Checks the schemas of the Kubernetes manifests, their references to each other, and their
//! settings.

use std::path::Path;

use serde_json::{Value, json};

use crate::settings::{KEY, issuer};
use crate::tools::{check, documents, python_tool, shipped, tell};

fn all() -> Vec<Value> {
    let mut files: Vec<_> = shipped("kubernetes").read_dir().unwrap().flatten().collect();
    files.sort_by_key(|file| file.file_name());
    let name = |file: &std::fs::DirEntry| file.file_name().into_string().unwrap();
    files.iter().flat_map(|file| documents(&format!("kubernetes/{}", name(file)))).collect()
}

fn of_kind(kind: &str) -> Value {
    let found: Vec<_> = all().into_iter().filter(|one| one["kind"] == kind).collect();
    let [one] = &found[..] else { panic!("{} of {kind}", found.len()) };
    one.clone()
}

fn pod() -> Value {
    of_kind("Deployment")["spec"]["template"].clone()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
#[ignore = "needs kubernetes-validate: run cargo xtask test"]
fn manifests_fit_the_schemas_of_kubernetes() {
    let validate = |path: &Path| tell(python_tool("kubernetes-validate").arg("--strict").arg(path));
    for (file, broken) in [
        ("config.yaml", ("data:", "date:")),
        ("secret.yaml", ("stringData:", "stringDate:")),
        ("deployment.yaml", ("containerPort: 8080", "containerPort: \"8080\"")),
        ("service.yaml", ("minAvailable", "leastAvailable")),
        ("network-policy.yaml", ("podSelector:", "selector:")),
    ] {
        check(&format!("kubernetes/{file}"), broken, validate);
    }
    assert_eq!(shipped("kubernetes").read_dir().unwrap().count(), 5, "a file is not checked");
}

#[test]
#[ignore = "needs Python with PyYAML: run cargo xtask test"]
fn manifests_refer_to_what_is_there() {
    let labels = &pod()["metadata"]["labels"];
    assert!(labels.is_object());
    for selector in [
        &of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        &of_kind("Service")["spec"]["selector"],
        &of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        &of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
    let pod = &pod()["spec"];
    let container = &pod["containers"][0];
    assert_eq!(pod["serviceAccountName"], of_kind("ServiceAccount")["metadata"]["name"]);
    let named: Vec<_> = list(&container["ports"]).iter().map(|port| &port["name"]).collect();
    let service = of_kind("Service");
    let policy = of_kind("NetworkPolicy");
    let mut ports: Vec<_> =
        list(&service["spec"]["ports"]).iter().map(|port| &port["targetPort"]).collect();
    for rule in list(&policy["spec"]["ingress"]) {
        ports.extend(list(&rule["ports"]).iter().map(|port| &port["port"]));
    }
    for (probe, path) in
        [("startupProbe", "/healthz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")]
    {
        let request = &container[probe]["httpGet"];
        assert_eq!(request["path"], path, "{probe}");
        ports.push(&request["port"]);
    }
    assert!(ports.iter().all(|port| named.contains(port)), "{ports:?}");
    let secret = of_kind("Secret");
    for variable in list(&container["env"]) {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        assert_eq!(reference["name"], secret["metadata"]["name"]);
        assert!(secret["stringData"][reference["key"].as_str().unwrap()].is_string());
    }
    let config = of_kind("ConfigMap");
    assert_eq!(pod["volumes"][0]["configMap"]["name"], config["metadata"]["name"]);
    assert_eq!(container["volumeMounts"][0]["name"], pod["volumes"][0]["name"]);
    let folder = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    assert_eq!(container["args"], json!(["--config", format!("{folder}/issuer.toml"), "serve"]));
}

#[test]
#[ignore = "needs Python with PyYAML: run cargo xtask test"]
fn pod_has_no_privileges() {
    let pod = &pod()["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let expected = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    });
    assert_eq!(pod["containers"][0]["securityContext"], expected);
    // The endpoints are withdrawn first. Requests in progress then end, and the pod is killed last.
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > settings(Some("postgres:///issuer")).unwrap().shutdown_delay.as_secs() + 5);
}

/// Returns the settings of the ConfigMap and the Secret. If `database` is given, they also have
/// this database and a key.
fn settings(database: Option<&str>) -> Result<portcullis_issuer::IssuerConfig, String> {
    let secret = of_kind("Secret");
    let pod = pod();
    let variables: Vec<_> = list(&pod["spec"]["containers"][0]["env"])
        .iter()
        .map(|variable| {
            let name = variable["name"].as_str().unwrap().to_owned();
            let key = variable["valueFrom"]["secretKeyRef"]["key"].as_str().unwrap();
            let value = match (database, key) {
                (Some(url), "database-url") => url,
                (Some(_), "key-encryption-key") => KEY,
                _ => secret["stringData"][key].as_str().unwrap(),
            };
            (name, value.to_owned())
        })
        .collect();
    issuer(of_kind("ConfigMap")["data"]["issuer.toml"].as_str().unwrap(), &variables)
}

#[test]
#[ignore = "needs Python with PyYAML: run cargo xtask test"]
fn settings_are_accepted_and_the_placeholders_are_not() {
    let config = settings(Some("postgres://issuer:secret@db/issuer?sslmode=verify-full")).unwrap();
    let ports = list(&pod()["spec"]["containers"][0]["ports"]).clone();
    assert_eq!(ports[0]["containerPort"], config.listen.port());
    assert_eq!(ports[1]["containerPort"], config.metrics_listen.unwrap().port());
    let told = settings(None).unwrap_err();
    assert!(told.starts_with("IDENTSPHERE_DATABASE_URL must be a URL"), "{told}");
}
