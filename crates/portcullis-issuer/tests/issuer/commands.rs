//! The commands that manage users, run as processes.

use crate::common::{Home, PASSWORD, login};
use crate::process::run;

#[tokio::test(flavor = "multi_thread")]
async fn user_commands_print_what_they_did() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    login(&issuer).await.expect(200);
    let command = |line: &str, input: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = tokio::task::block_in_place(|| run(home.path(), &[], &arguments, input));
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    };
    let stdin = format!("{PASSWORD}\n");
    for (line, input, told) in [
        ("users set-roles alice clerk auditor", "", "set the roles of alice"),
        ("users set-scopes alice", "", "set the scopes of alice"),
        ("users set-address alice alice@example.com", "", "set the address of alice"),
        ("users reset-second-factor alice", "", "alice had no second factor"),
        ("users passkeys alice", "", ""),
        ("users unlock alice", "", "the second factor of alice was not locked"),
        ("users passwd ALICE --password-stdin", &stdin, "set the password of ALICE; ended"),
        ("users passwd alice", "", "\npassword: "),
        ("users disable alice", "", "disabled alice; there was no live session"),
        ("users disable alice", "", "alice was disabled before; there was no live session"),
        ("users list", "", "roles=clerk,auditor\tscope=\taddress=alice@example.com\tdisabled at "),
        ("users enable alice", "", "enabled alice"),
        ("users enable alice", "", "alice was not disabled"),
        ("sessions end alice", "", "alice had no live session"),
        ("sessions end --all", "", "there was no live session"),
        ("users remove alice", "", "removed alice"),
    ] {
        let (succeeded, output) = command(line, input);
        assert!(succeeded && output.contains(told), "{line}: {output}");
    }
    for (line, input, problem) in [
        ("users disable alice", "", "there is no user \"alice\"; `portcullis-issuer users list`"),
        ("users passwd alice --password-stdin", &*stdin, "there is no user"),
        ("users passkeys alice", "", "there is no user \"alice\""),
        ("users invite bob bob@example.com", "", "set IDENTSPHERE_NOTIFIER"),
        ("users add bob --password-stdin", "password\n", "attackers try first"),
        ("sessions end", "", "required"),
        ("sessions end alice --all", "", "cannot be used with"),
    ] {
        let (succeeded, output) = command(line, input);
        assert!(!succeeded && output.contains(problem), "{line}: {output}");
    }
}
