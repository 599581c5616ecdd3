use clap::Parser;

use crate::cli::args::Cli;
use crate::cli::fake::{FakeLog, connected};

use super::*;

fn common() -> Common {
    Cli::try_parse_from(["millpond", "--set", "commit.interval.ms=5"]).unwrap().common
}

#[test]
fn a_script_stops_at_its_first_error() {
    let (mut engine, face) = connected(&FakeLog::with_topic("t", 1));
    let (mut out, memory) = Output::into_memory(OutputFormat::Tabular, None);
    let mut shell = Shell::new(&mut engine, &common());
    let flow = shell.script("x.sql", "A 1; -- c\n B; FAIL\n x; C;", &mut out).unwrap();
    assert!(matches!(flow, Flow::Failed(Exit::Failed)));
    assert_eq!(*face.asked.lock(), ["A 1;", "B;", "FAIL\n x;"]);
    std::io::Write::flush(&mut out).unwrap();
    assert_eq!(memory.text(), "Done\nDone\n");
    assert_eq!(shell.session.properties["commit.interval.ms"], "5");
}

#[test]
fn errors_are_placed_in_the_whole_text() {
    let (_, rest) = pieces("A;\n  한글 FAIL\nx");
    let rest = rest.unwrap();
    assert_eq!(rest.at, Location { line: 2, column: 3 });
    let place = |line, column| placed(Error::statement("x").at(Location { line, column }), &rest).at.unwrap();
    assert_eq!(place(1, 4), Location { line: 2, column: 6 });
    assert_eq!(place(2, 1), Location { line: 3, column: 1 });
    assert_eq!(placed(Error::statement("x"), &rest).at, Some(rest.at));
}

#[test]
fn commands_of_the_terminal_work_in_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, spool) = (folder.path().join("inner.sql"), folder.path().join("spool.txt"));
    std::fs::write(&inner, "SET 1; TEXT").unwrap();
    let (mut engine, face) = connected(&FakeLog::with_topic("t", 1));
    let (mut out, memory) = Output::into_memory(OutputFormat::Tabular, None);
    let mut shell = Shell::new(&mut engine, &common());
    let text = format!(
        "output json; SPOOL '{}'; A; SPOOL OFF; output tabular; RUN SCRIPT '{}'; B; exit; C;",
        spool.display(),
        inner.display()
    );
    assert!(matches!(shell.script("", &text, &mut out).unwrap(), Flow::Exit));
    assert_eq!(*face.asked.lock(), ["A;", "SET 1;", "TEXT;", "B;"]);
    assert_eq!(shell.session.properties["set"], "1");
    std::io::Write::flush(&mut out).unwrap();
    assert!(memory.text().ends_with("Set\ntwo\nlines\nDone\n"));
    assert!(std::fs::read_to_string(&spool).unwrap().contains("{\"message\":\"Done\""));
    let missing = shell.script("", "RUN SCRIPT 'not-there.sql'; A;", &mut out).unwrap();
    assert!(matches!(missing, Flow::Failed(Exit::World)));
}

#[test]
fn a_script_that_runs_itself_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("self.sql");
    std::fs::write(&path, format!("RUN SCRIPT '{}';", path.display())).unwrap();
    let (mut engine, _) = connected(&FakeLog::with_topic("t", 1));
    let (mut out, _) = Output::into_memory(OutputFormat::Tabular, None);
    let flow = Shell::new(&mut engine, &common()).script_file(&path, &mut out).unwrap();
    assert!(matches!(flow, Flow::Failed(Exit::Failed)));
}
