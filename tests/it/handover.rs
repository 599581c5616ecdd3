//! A command that is attached to the folder's owner goes on when that one ends, however it ends.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const COUNT: &str = "2000";

fn millpond(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millpond"));
    command.arg("--data-dir").arg(folder).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(folder: &Path, arguments: &[&str]) -> String {
    let output = millpond(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn records(folder: &Path) -> u64 {
    let output = millpond(folder, &["topic", "describe", "people", "--output", "json"]).output().unwrap();
    let described: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
    described.map_or(0, |described| described["records"].as_u64().unwrap())
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never: {what}");
}

/// A process that holds the folder and does nothing else.
fn owner(folder: &Path) -> Child {
    let owner = millpond(folder, &["topic", "consume", "idle"]).spawn().unwrap();
    wait_until("the owner serves the folder", || folder.join("millpond.sock").exists());
    owner
}

fn datagen(folder: &Path, rate: &str) -> Command {
    let fixed = ["--seed", "1", "--start", "1000", "--output", "json"];
    millpond(folder, &[&["datagen", "people", "--count", COUNT, "--rate", rate], &fixed[..]].concat())
}

#[test]
fn datagen_outlives_the_owner() {
    let undisturbed = tempfile::tempdir().unwrap();
    assert!(datagen(undisturbed.path(), "2000").output().unwrap().status.success());
    let all = ["topic", "consume", "people", "--from-beginning", "--until-end", "--output", "json"];
    let expected = output(undisturbed.path(), &all);
    assert_eq!(expected.lines().count().to_string(), COUNT);
    for signal in ["-TERM", "-KILL"] {
        let folder = tempfile::tempdir().unwrap();
        output(folder.path(), &["topic", "create", "idle"]);
        let mut owner = owner(folder.path());
        let datagen = datagen(folder.path(), "2000").spawn().unwrap();
        wait_until("records are there", || records(folder.path()) > 0);
        let killed = Command::new("kill").args([signal, &owner.id().to_string()]).status().unwrap();
        assert!(killed.success());
        owner.wait().unwrap();
        let ended = datagen.wait_with_output().unwrap();
        assert!(ended.status.success(), "{signal}: {}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(output(folder.path(), &all), expected, "{signal}");
    }
}
