//! The command `portcullis tune`: its forms and its errors.

mod support;

use support::run;

const FAST: [&str; 5] = ["tune", "--sessions", "2000", "--simulate", "10m"];

fn tune(options: &[&str]) -> support::Ended {
    run(&[&FAST[..], options].concat(), b"")
}

#[test]
fn comparison_of_two_expiries_names_the_leeway_and_the_assumptions() {
    let told = tune(&["--access-expiry", "900", "--vs-access-expiry", "60"]).expect(0);
    for part in [
        "60 s instead of 15 min",
        "lag bound    80 s instead of 15 min 20 s, including twice the leeway of 10 s",
        "15 times as many for sessions that are always active",
        "agree in all 22 figures",
        "times as many for these bursts",
        "The JWKS TTL bounds how long a withdrawn key is accepted. It does not shorten",
    ] {
        assert!(told.stdout.contains(part), "{part}\n{}", told.stdout);
    }
    assert!(told.stderr.starts_with("portcullis: "), "{}", told.stderr);
}

#[test]
fn json_is_one_object_that_the_seed_reproduces() {
    let told = tune(&["--json", "--max-lag", "60s"]).expect(0);
    let [object] = &told.json()[..] else { panic!("{}", told.stdout) };
    assert_eq!(object["settings"][0]["lag_bound"], 920.0);
    assert_eq!(object["recommendation"]["access_expiry"], 40);
    assert_eq!(object["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        object["command"],
        "portcullis tune --sessions 2000 --simulate 10m --json --max-lag 60s"
    );
    assert_eq!(told.stdout, tune(&["--json", "--max-lag", "60s"]).expect(0).stdout);
}

#[test]
fn recorded_requests_replace_the_assumed_activity() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.csv");
    // 50 sessions, each with a burst of 10 requests every 10 minutes.
    let mut text = "session,time\n".to_owned();
    for session in 0..50 {
        for request in 0..60 {
            let secs = session * 7 + request / 10 * 600 + request % 10 * 5;
            text += &format!("{session},{secs}\n");
        }
    }
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let told =
        run(&["tune", "--activity", file, "--access-expiry", "120", "--json"], b"").expect(0);
    let report = &told.json()[0];
    assert_eq!(report["recorded"]["sessions"], 50);
    assert_eq!(report["recorded"]["request_every"], 5.0);
    assert_eq!(report["recorded"]["burst"], 50.0);
    assert_eq!(report["recorded"]["pause"], 550.0);
    let figures = &report["settings"][0];
    assert_eq!(figures["scenario"]["sessions"], 50);
    // Each session returns five times with an expired token.
    let replayed = figures["recorded"]["refreshes"].as_f64().unwrap();
    let span = report["recorded"]["span"].as_f64().unwrap();
    assert!((replayed - 250.0 / span).abs() < 1e-9, "{replayed}");
    // The file determines the requests to the issuer and their cost.
    let point = report["sweep"].as_array().unwrap().iter().find(|at| at["access_expiry"] == 120.0);
    assert_eq!(point.unwrap()["refreshes"], figures["recorded"]["refreshes"]);
    let cores = replayed * 0.1e-3 + figures["fetches"]["model"].as_f64().unwrap() * 1.2e-3;
    assert!((figures["issuer_cores"].as_f64().unwrap() - cores).abs() < 1e-9);
    let text = run(&["tune", "--activity", file, "--access-expiry", "120"], b"").expect(0).stdout;
    let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(row("refreshes/s at the issuer").contains("(recorded; by its means:"), "{text}");
    assert!(!text.contains("busiest second simulated"), "{text}");
    // Logins are in none of the other figures.
    assert!(row("logins/s in their busiest minute").contains("in no other figure"), "{text}");
    assert!(text.contains("cores in the busiest minute"), "{text}");
    let mut rows = report["mechanisms"].as_array().unwrap().iter();
    let asked = rows.find(|row| row["name"] == "introspection of each request").unwrap();
    let cores = |name: &str| asked[name].as_f64().unwrap();
    assert!(cores("busiest_cores") > 1.5 * cores("issuer_cores"), "{asked}");
    assert!(text.contains("`By its means` is the closed form"), "{text}");
    assert!(text.contains("Not modelled: a maximum session lifetime"), "{text}");
    let told = run(&["tune", "--activity", file, "--burst", "5m"], b"").expect(2);
    assert!(told.stderr.contains("--burst"), "{}", told.stderr);
    let told = run(&["tune", "--activity", "/nowhere.csv"], b"").expect(2);
    assert!(told.stderr.contains("--activity: /nowhere.csv"), "{}", told.stderr);
}

#[test]
fn figures_without_a_simulation_are_marked() {
    let told = tune(&["--list-max-age", "30s"]).expect(0).stdout;
    for part in
        ["a status list, at most 30 s old, pushed *", "each request *", "without a simulation"]
    {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let rows = tune(&["--json"]).expect(0).json()[0]["mechanisms"].clone();
    assert_eq!((&rows[0]["lag_bound"], &rows[0]["only_modelled"]), (&920.0.into(), &false.into()));
    for row in [&rows[1], &rows[2]] {
        assert_eq!((&row["lag_bound"], &row["only_modelled"]), (&10.1.into(), &true.into()));
        // The outage is longer than the list age that the route requires.
        assert_eq!(row["locked_out"], 1.0);
    }
    assert_eq!((&rows[3]["lag_bound"], &rows[3]["locked_out"]), (&0.0.into(), &1.0.into()));
    // A pushed list has nearly as short a lag. Its cost falls with the time for which the server
    // may hold a request.
    assert!(rows[2]["usual_lag"].as_f64().unwrap() < 0.1);
    let rare = tune(&["--json", "--list-max-age", "60s"]).expect(0).json()[0]["mechanisms"].clone();
    let requests = |row: &serde_json::Value| row["issuer_requests"].as_f64().unwrap();
    assert!(requests(&rare[2]) < requests(&rows[2]));
    let told = run(&["tune", "--list-max-age", "2s"], b"").expect(2);
    assert!(
        told.stderr.contains("--list-max-age") && told.stderr.contains("from 3 s to"),
        "{}",
        told.stderr
    );
}

#[test]
fn html_is_self_contained_and_the_memo_is_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tune.html");
    let told = tune(&["--memo", "--vs-access-expiry", "60", "--html", file.to_str().unwrap()]);
    let memo = told.expect(0).stdout;
    assert!(
        memo.contains("| a revoked session is accepted for at most | 15 min 20 s  (computed) | 80 s  (computed) |"),
        "{memo}"
    );
    for part in [
        "| sessions | 2000 |",
        "| leeway | 10 s |",
        "| max_token_age(60 s) |",
        concat!(
            "Generated by portcullis ",
            env!("CARGO_PKG_VERSION"),
            " with `portcullis tune --sessions 2000 "
        ),
        "seed 1.",
    ] {
        assert!(memo.contains(part), "{part}\n{memo}");
    }
    assert!(memo.lines().count() < 135, "{memo}");
    let page = std::fs::read_to_string(file).unwrap();
    assert_eq!(page.matches("<figure class=\"plot\"").count(), 4);
    assert_self_contained(&page);
}

#[test]
fn page_starts_with_the_command_line_and_is_self_contained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let options = ["--access-expiry", "7m", "--jwks-ttl", "90", "--live-share", "2.5", "--page"];
    tune(&[&options[..], &[file.to_str().unwrap()]].concat()).expect(0);
    let page = std::fs::read_to_string(file).unwrap();
    assert_eq!(page.matches("<figure class=\"plot\"").count(), 4);
    for part in [
        "\"expiry\":420.0",
        "\"ttl\":90.0",
        "\"sessions\":2000",
        "\"live\":2.5",
        "<th role=\"rowheader\" scope=\"row\">leeway</th><td role=\"cell\" data-name=\"\">10 s</td>",
        "<code>IDENTSPHERE_ACCESS_EXPIRY_SECS</code>",
        "<code>PORTCULLIS_JWKS_TTL_SECS</code>",
        "Revocation::live()",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // Every slider has a label and shows its value.
    for slider in page.split("<input type=\"range\" id=\"").skip(1) {
        let id = slider.split('"').next().unwrap();
        assert!(page.contains(&format!("<label for=\"{id}\">")), "{id}");
        assert!(page.contains(&format!("<output id=\"{id}-value\" for=\"{id}\"")), "{id}");
    }
    assert_eq!(page.matches("<input type=\"range\"").count(), 14);
    // This URL is the name of SVG's namespace, and is not fetched.
    assert_self_contained(&page.replace("http://www.w3.org/2000/svg", ""));
}

#[track_caller]
fn assert_self_contained(page: &str) {
    assert!(page.contains("content=\"default-src 'none'; "), "{page}");
    assert!(
        page.contains("with <code>portcullis tune <span class=\"option\">--sessions</span> 2000"),
        "{page}"
    );
    assert!(
        page.contains(concat!("Generated by portcullis ", env!("CARGO_PKG_VERSION"))),
        "{page}"
    );
    for way in ["eval(", "innerHTML", "Function(", "fetch(", "XMLHttp"] {
        assert!(!page.contains(way), "{way}");
    }
    for elsewhere in ["http:", "https:", "src=", "href=", "@import", "url(", "NaN", "inf"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn wrong_option_is_rejected_by_its_name() {
    for (options, name) in [
        (["--access-expiry", "0"], "--access-expiry"),
        (["--access-expiry", "2d"], "--access-expiry"),
        (["--jwks-ttl", "0"], "--jwks-ttl"),
        (["--outage", "0"], "--outage"),
        (["--fan-out", "11"], "--fan-out"),
        (["--restarted", "101"], "--restarted"),
        (["--sessions", "0"], "--sessions"),
        (["--rotations-per-day", "8641"], "--rotations-per-day is 8641; it must be at most 8640"),
        (["--habit", "never"], "--habit"),
        (["--max-lag", "1y"], "--max-lag"),
        (["--leeway", "-5m"], "\"-5m\" is negative"),
        (["--fan-out", "500"], "needs at least 500 instances"),
        (["--refresh-cost", "7"], "write 7ms for milliseconds"),
        (["--vs-access-expiry", "15m"], "name another one to compare"),
        (["--login-within", "5m"], "--login-peak"),
        (["--login-cost", "50ms"], "--login-peak"),
        (["--kept-keys", "--sessions=10"], "--restarted"),
        (["--survive=30m", "--survivors=150"], "--survivors is 150 %; it must be below 100 %"),
        (["--survive=30m", "--survivors=100"], "--survivors is 100 %; it must be below 100 %"),
    ] {
        let arguments = [&["tune"][..], &options].concat();
        let told = run(&arguments, b"").expect(2);
        assert!(told.stderr.contains(name), "{options:?}: {}", told.stderr);
    }
    run(&["tune", "--json", "--memo"], b"").expect(2);
    let told = run(&["tune", "--habit", "lazy", "--refresh-early", "5s"], b"").expect(2);
    assert!(told.stderr.contains("--refresh-early"), "{}", told.stderr);
}

#[test]
fn unreachable_goal_exits_with_5_and_conflicting_goals_are_both_shown() {
    let told = tune(&["--max-lag", "20s"]).expect(5);
    assert!(told.stdout.contains("twice the leeway alone is a lag of 20 s"), "{}", told.stdout);
    assert!(told.stderr.contains("no setting reaches the goal"), "{}", told.stderr);
    let told = tune(&["--max-lag", "60s", "--survive", "30m"]).expect(5).stdout;
    for part in
        ["An access expiry of 40 s: ", "at the price of a lag of at most ", "goals conflict: "]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let options = ["--max-lag", "24h", "--max-refresh-rps", "5", "--survive", "10m"];
    assert!(tune(&options).expect(0).stdout.contains("reaches all goals"));
    tune(&["--survive", "30m", "--max-key-lag", "72s"]).expect(0);
}

#[test]
fn durations_are_read_with_units() {
    let told =
        tune(&["--access-expiry", "1h30m", "--outage", "1 min 30 s", "--json"]).expect(0).json();
    assert_eq!(told[0]["settings"][0]["scenario"]["access_expiry"], 5400.0);
    assert_eq!(told[0]["settings"][0]["scenario"]["outage"], 90.0);
}

#[test]
fn tables_of_the_guide_and_the_reference_have_the_figures_of_the_command() {
    const GUIDE: &str = include_str!("../../portcullis/src/guide/tune_it.md");
    const MEASUREMENTS: &str = include_str!("../../../docs/reference/measurements.md");
    for expiry in ["60", "300", "900"] {
        let told = run(&["tune", "--access-expiry", expiry, "--json"], b"").expect(0).json();
        let figures = &told[0]["settings"][0];
        let of = |name: &str| figures.pointer(name).unwrap().as_f64().unwrap();
        let row = |text: &str| -> Vec<f64> {
            let start = format!("| {expiry} s | ");
            let row = text.lines().find(|line| line.starts_with(&start)).unwrap().to_owned();
            let number = |cell: &str| cell.trim().split(' ').next().unwrap().parse().ok();
            row.split('|').filter_map(number).collect()
        };
        let shown = row(GUIDE);
        for (shown, told) in shown.iter().zip([
            expiry.parse().unwrap(),
            of("/lag_bound"),
            100.0 * of("/without_lag/model"),
            of("/lag_median/model"),
            of("/refreshes/model"),
            10_000.0 / expiry.parse::<f64>().unwrap(),
            100.0 * of("/locked_out/model"),
        ]) {
            assert!((shown / told - 1.0).abs() < 0.01, "{expiry}: {shown} for {told}");
        }
        assert_eq!(shown.len(), 7);
        // The bound of a status list.
        let bound = told[0]["mechanisms"][1]["lag_bound"].as_f64().unwrap();
        assert_eq!(MEASUREMENTS.matches(&format!("| {bound} s")).count(), 2, "{bound}");
        if expiry != "300" {
            let shown = row(MEASUREMENTS);
            assert_eq!(shown[1], of("/lag_bound"), "{shown:?}");
        }
    }
}
