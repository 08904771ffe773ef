//! Runs a program from its archive in an empty folder, as a user does.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::failed;
use crate::run::{Failure, output, program, run, target_dir};

/// Fails if the program does not print this version. The issuer must also serve its keys; its only
/// settings are the address and the audience.
pub(super) fn run_archive(archive: &Path, name: &str, version: &str) -> Result<(), Failure> {
    let empty = target_dir().join("dist-staged/trial").join(name);
    fs::create_dir_all(&empty).map_err(|error| failed(&empty, &error))?;
    let mut tar = program("tar");
    tar.args(["--extract", "--strip-components=1", "--file"]).arg(archive);
    run(tar.current_dir(&empty))?;
    let mut built = program(empty.join(name));
    let told = output(built.arg("--version").current_dir(&empty))?;
    println!("{}", told.trim());
    if told.trim() != format!("{name} {version}") {
        return Err(Failure::new(format!("expected `{name} {version}`")));
    }
    if name == "portcullis-issuer" {
        let mut issuer = program(empty.join(name));
        issuer.arg("serve").current_dir(&empty);
        issuer.env("IDENTSPHERE_LISTEN", "127.0.0.1:0");
        issuer.env("IDENTSPHERE_AUDIENCES", "https://api.example");
        return serves_keys(&mut issuer);
    }
    Ok(())
}

/// Starts the issuer, fetches its key set, and stops the issuer.
fn serves_keys(issuer: &mut Command) -> Result<(), Failure> {
    let mut issuer = issuer
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::new(format!("the issuer cannot be started: {error}")))?;
    let log = issuer.stdout.take().map(|log| BufReader::new(log).lines());
    let mut lines = log.into_iter().flatten().map_while(Result::ok);
    let address = lines.find_map(|line| listen(&line));
    let answer = match &address {
        Some(address) => {
            key_set(address).map_err(|error| Failure::new(format!("{address}: {error}")))
        }
        None => Err(Failure::new("the issuer stopped before it listened")),
    };
    let _ = issuer.kill();
    let _ = issuer.wait();
    let answer = answer?;
    if answer.starts_with("HTTP/1.1 200") && answer.contains("\"keys\":[{") {
        println!("the issuer serves its key set in an empty folder");
        return Ok(());
    }
    Err(Failure::new(format!("the issuer serves no key set: {answer}")))
}

/// Returns the address in a line of the issuer's log, such as `… serving listen=127.0.0.1:40000 …`.
fn listen(line: &str) -> Option<String> {
    line.split_whitespace().find_map(|word| word.strip_prefix("listen=")).map(str::to_owned)
}

fn key_set(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let request =
        "GET /.well-known/jwks.json HTTP/1.1\r\nHost: issuer\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_read_from_the_log() {
        let line = "INFO portcullis_issuer::cli::serve: serving issuer=\"http://a\" listen=127.0.0.1:44097 audiences=[]";
        assert_eq!(listen(line).as_deref(), Some("127.0.0.1:44097"));
        assert_eq!(listen("created a key-encryption key"), None);
    }
}
