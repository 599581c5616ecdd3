//! What CI tries again.

use std::process::Command;

use crate::kafka_broker::TOO_SLOW;

/// The names that `.ci/again` gives for what `cargo test` said; None: something failed for good.
fn again(said: &str) -> Option<Vec<String>> {
    let log = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(log.path(), said).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/again");
    let output = Command::new(script).arg(log.path()).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| names.lines().map(str::to_owned).collect())
}

/// As `cargo test` has it: results, what failed tests said, their names.
fn said(failures: &[(&str, &str)]) -> String {
    let mut text = "running 3 tests\ntest kafka_x::good ... ok\n".to_owned();
    failures.iter().for_each(|(name, _)| text += &format!("test {name} ... FAILED\n"));
    text += "\nfailures:\n\n";
    failures.iter().for_each(|(name, why)| text += &format!("---- {name} stdout ----\n\nthread panicked:\n{why}\n\n"));
    text += "\nfailures:\n";
    failures.iter().for_each(|(name, _)| text += &format!("    {name}\n"));
    text + "\ntest result: FAILED.\n"
}

#[test]
fn only_what_took_too_long_is_tried_again() {
    let slow = format!("{TOO_SLOW} broker.sh start: failed 3 times");
    assert_eq!(again(&said(&[("kafka_x::slow", &slow)])), Some(vec!["kafka_x::slow".to_owned()]));
    assert_eq!(again(&said(&[("kafka_x::slow", &slow), ("kafka_x::y::other", &slow)])).unwrap().len(), 2);
    assert_eq!(again(&said(&[("kafka_x::wrong", "left: Some(3)\n right: None: twice")])), None);
    // One wrong is enough, wherever it stands.
    assert_eq!(again(&said(&[("kafka_x::slow", &slow), ("kafka_x::wrong", "lost")])), None);
    assert_eq!(again(&said(&[("kafka_x::wrong", "lost"), ("kafka_x::slow", &slow)])), None);
    // It didn't get so far as to name a test.
    assert_eq!(again("error: could not compile"), None);
}
