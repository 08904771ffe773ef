//! Checks the files that GitHub reads, and that the repository has one address.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::run::{output, program, root, target_dir};

const WORKFLOWS: [&str; 3] = ["advisories", "ci", "release"];

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn workflow(name: &str) -> String {
    text(&format!(".github/workflows/{name}.yml"))
}

/// Returns the paths of all files of the repository.
fn files() -> Vec<String> {
    let files = output(program("git").arg("ls-files")).unwrap();
    files.lines().map(str::to_owned).collect()
}

#[test]
fn each_workflow_is_known() {
    let prefix = ".github/workflows/";
    let files = files();
    let names = files.iter().filter_map(|file| file.strip_prefix(prefix)?.strip_suffix(".yml"));
    assert_eq!(names.collect::<Vec<_>>(), WORKFLOWS);
    assert!(workflow("ci").contains("run: cargo xtask ci\n"));
    assert!(workflow("release").contains("run: cargo xtask dist\n"));
}

/// A tag can be moved to other code, a commit cannot.
#[test]
fn actions_are_pinned_by_commit_and_name_their_version() {
    for name in WORKFLOWS {
        let workflow = workflow(name);
        let used: Vec<_> = workflow.lines().filter_map(|line| line.split_once("uses: ")).collect();
        assert!(!used.is_empty(), "{name}");
        for (_, action) in used {
            assert!(is_pinned(action), "{name}: {action}");
        }
    }
    assert!(!is_pinned("actions/checkout@v6 # v6.0.2"));
    assert!(!is_pinned("actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd"));
}

fn is_pinned(action: &str) -> bool {
    let Some((_, version)) = action.split_once('@') else { return false };
    let Some((commit, comment)) = version.split_once(" # v") else { return false };
    let is_hash = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash && comment.starts_with(|first: char| first.is_ascii_digit())
}

/// A workflow may only read the code. A job that needs more says so, and none of those runs for a
/// pull request.
#[test]
fn workflows_have_least_permissions() {
    for name in WORKFLOWS {
        let workflow = workflow(name);
        assert!(workflow.contains("\npermissions:\n  contents: read\n\n"), "{name}");
        let is_for_pull_requests = workflow.contains("pull_request");
        assert!(!workflow.contains("pull_request_target"), "{name}");
        let writes = workflow.contains(": write");
        assert!(!(is_for_pull_requests && writes), "{name}");
        let checkouts = workflow.matches("actions/checkout@").count();
        assert_eq!(workflow.matches("persist-credentials: false").count(), checkouts, "{name}");
    }
}

/// In a container, `actions/checkout` trusts the folder for its own commands only, and the tasks call git.
#[test]
fn jobs_in_a_container_let_git_read_the_folder() {
    for name in WORKFLOWS {
        let workflow = workflow(name);
        let jobs = workflow.matches("    container: ").count();
        let trusted = "run: git config --global --add safe.directory \"${GITHUB_WORKSPACE}\"\n";
        assert_eq!(workflow.matches(trusted).count(), jobs, "{name}");
        assert!(jobs > 0, "{name}");
    }
}

#[test]
fn dependabot_reads_each_lock_file() {
    let settings = text(".github/dependabot.yml");
    let mut configured = BTreeSet::new();
    let mut ecosystem = "";
    for line in settings.lines() {
        if let Some(name) = line.strip_prefix("- package-ecosystem: ") {
            ecosystem = name;
        }
        let folder = line.trim_start_matches(['-', ' ']).trim_start_matches("directory: ");
        if folder.starts_with('/') {
            configured.insert((ecosystem.to_owned(), folder.to_owned()));
        }
    }
    let mut needed = BTreeSet::from([("github-actions".to_owned(), "/".to_owned())]);
    for file in files() {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let ecosystem = match name {
            "Cargo.lock" => "cargo",
            "package-lock.json" => "npm",
            "requirements.txt" => "pip",
            "go.mod" => "gomod",
            "pom.xml" => "maven",
            "Dockerfile" => "docker",
            _ => continue,
        };
        needed.insert((ecosystem.to_owned(), format!("/{folder}")));
    }
    assert_eq!(configured, needed);
}

/// The address is to be changed in all places at once.
#[test]
fn repository_has_one_address() {
    let manifest = text("Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix("repository = ")).unwrap();
    let address = line.trim_matches('"').trim_start_matches("https://").to_owned();
    let host = address.split('/').next().unwrap();
    let mut places = 0;
    for file in files() {
        let is_text =
            [".md", ".yml", ".toml", "package.json"].iter().any(|end| file.ends_with(end));
        let Some(text) = Some(file).filter(|_| is_text).map(|file| text(&file)) else { continue };
        for (at, _) in text.match_indices(&format!("{host}/portcullis")) {
            let found = text.get(at..).unwrap_or_default();
            assert!(found.starts_with(&address), "{}", found.lines().next().unwrap_or_default());
            places += 1;
        }
    }
    assert!(places > 10, "{places}");
    assert!(text("SECURITY.md").contains(&format!("https://{address}/security/advisories/new")));
    // Teams are named by the owner.
    let owner = address.split('/').nth(1).unwrap();
    assert!(text(".github/CODEOWNERS").contains(&format!("* @{owner}/")));
}

/// Returns whether the files match the schema, and the reason.
fn check(schema: &str, paths: &[PathBuf]) -> (bool, String) {
    let python = std::env::var_os("PORTCULLIS_MANIFESTS").map(PathBuf::from);
    let checker = python.map_or_else(
        || OsString::from("check-jsonschema"),
        |python| python.with_file_name("check-jsonschema").into(),
    );
    let mut command = program(checker);
    let output = command
        .arg("--builtin-schema")
        .arg(format!("vendor.{schema}"))
        .args(paths)
        .output()
        .unwrap_or_else(|error| {
            panic!("check-jsonschema could not be started ({error}): run cargo xtask test");
        });
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
#[ignore = "needs check-jsonschema: run cargo xtask test"]
fn files_for_github_match_its_schemas() {
    // The schema, its files, and a change of the last one that breaks it.
    const FILES: [(&str, &[&str], &str, &str); 4] = [
        (
            "github-workflows",
            &["workflows/advisories.yml", "workflows/ci.yml", "workflows/release.yml"],
            "id-token: write",
            "id-token: full",
        ),
        ("dependabot", &["dependabot.yml"], "npm", "yarn"),
        ("github-issue-config", &["ISSUE_TEMPLATE/config.yml"], "url:", "link:"),
        (
            "github-issue-forms",
            &["ISSUE_TEMPLATE/feature.yml", "ISSUE_TEMPLATE/bug.yml"],
            "type: input",
            "type: text",
        ),
    ];
    for (schema, files, right, wrong) in FILES {
        let paths: Vec<_> = files.iter().map(|file| root().join(".github").join(file)).collect();
        let (is_accepted, told) = check(schema, &paths);
        assert!(is_accepted, "{files:?}: {told}");
        let last = fs::read_to_string(paths.last().unwrap()).unwrap();
        assert!(last.contains(right), "{files:?}");
        let copy = target_dir().join("broken-github-file.yml");
        fs::write(&copy, last.replacen(right, wrong, 1)).unwrap();
        let (is_accepted, told) = check(schema, &[copy]);
        assert!(!is_accepted, "{files:?} with `{wrong}` is accepted: {told}");
    }
}
