use clap::Parser;

use crate::cli::fake::{FakeLog, connected};
use crate::cli::output::OutputFormat;
use crate::server::client::Address;

use super::*;

/// What a piped session asks the engine, its output, and how it ends.
fn piped_session(input: &str) -> (Vec<String>, String, Result<(), Stop>) {
    let (mut engine, face) = connected(&FakeLog::with_topic("t", 1));
    let (mut out, memory) = Output::into_memory(OutputFormat::Tabular, None);
    let common = Cli::try_parse_from(["millpond"]).unwrap().common;
    let result = piped(&mut Shell::new(&mut engine, &common), &mut input.as_bytes(), &mut out);
    out.flush().unwrap();
    (face.asked.lock().clone(), memory.text(), result)
}

#[test]
fn statements_come_from_a_pipe() {
    let (asked, text, result) = piped_session("version\nA\n 1; B; C\n;\nlast");
    assert_eq!(asked, ["A\n 1;", "B;", "C;", "last;"]);
    assert!(text.starts_with("millpond ") && text.ends_with("Done\nDone\nDone\nDone\n"));
    assert!(result.is_ok());
}

#[test]
fn a_failure_in_a_pipe_stops_nothing_but_is_told() {
    let (asked, _, result) = piped_session("FAIL;\nA;\nexit\nB;");
    assert_eq!(asked, ["FAIL;", "A;"]);
    assert!(matches!(result, Err(Stop::Said(Exit::Failed))));
}

#[test]
fn a_paste_brings_commands_and_statements() {
    let (mut engine, face) = connected(&FakeLog::with_topic("t", 1));
    let (mut out, _) = Output::into_memory(OutputFormat::Tabular, None);
    let common = Cli::try_parse_from(["millpond"]).unwrap().common;
    let mut shell = Shell::new(&mut engine, &common);
    let flow = typed(&mut shell, "output json\nA\n1; B;\n", &mut out).unwrap();
    assert!(matches!(flow, Flow::Done));
    assert_eq!(out.format, OutputFormat::Json);
    assert_eq!(*face.asked.lock(), ["A\n1;", "B;"]);
}

#[test]
fn a_terminal_says_that_nobody_here_works() {
    let (mut engine, _) = connected(&FakeLog::with_topic("t", 1));
    let (mut out, text) = Output::into_memory(OutputFormat::Tabular, None);
    tell_of_idle_owner(&engine, &mut out).unwrap();
    engine.idle_owner = Some(4711);
    tell_of_idle_owner(&engine, &mut out).unwrap();
    out.flush().unwrap();
    let said = text.text();
    assert!(said.starts_with("Process 4711") && said.contains("works on no queries"), "{said}");
}

#[test]
fn the_banner_names_the_folder() {
    let connection = Connection {
        server: None,
        data_dir: "/some/where".into(),
        memory_bytes_max: None,
        snapshot_records: None,
        purpose: Purpose::Terminal,
        config: crate::config::Config::default(),
    };
    let first = banner(&connection, false, Visit::First);
    assert!(first.contains("/some/where") && first.contains("attached") && first.contains("CREATE STREAM people"));
    let server = Address::new("localhost:99", None, None).unwrap();
    let remote = banner(&Connection { server: Some(server), ..connection.clone() }, false, Visit::Again);
    assert!(remote.contains("Server: http://localhost:99") && !remote.contains("/some/where"), "{remote}");
    // What to begin with is for beginners.
    let again = banner(&connection, true, Visit::Again);
    assert!(again.contains("/some/where") && again.contains("`help`"));
    assert!(!again.contains("CREATE STREAM") && !again.contains("attached"), "{again}");
}
