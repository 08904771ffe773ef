//! Tests the files of `portcullis tune --html` and `--page`, both when the command fails and when
//! it succeeds.

mod support;

use support::run;

#[test]
fn path_is_tried_before_the_work_and_nothing_is_written_if_the_work_fails() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere").join("tune.html");
    for option in ["--html", "--page"] {
        let told =
            run(&["tune", "--sessions", "100000000", option, nowhere.to_str().unwrap()], b"");
        let told = told.expect(2).stderr;
        assert!(told.contains(&format!("{option}: ")) && told.contains("nowhere"), "{told}");
    }
    let file = folder.path().join("tune.html");
    std::fs::write(&file, "as it was").unwrap();
    run(&["tune", "--activity", "/nowhere.csv", "--html", file.to_str().unwrap()], b"").expect(2);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "as it was");
    // No file is left if the command fails after the paths were tested.
    let (html, page) = (folder.path().join("new.html"), folder.path().join("new-page.html"));
    let paths = ["--html", html.to_str().unwrap(), "--page", page.to_str().unwrap()];
    run(&[&["tune", "--activity", "/nowhere.csv"], &paths[..]].concat(), b"").expect(2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let fast = ["tune", "--sessions", "2000", "--simulate", "10m"];
    run(&[&fast[..], &paths].concat(), b"").expect(0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}
