use crate::cli::fake::{FakeLog, connected};
use crate::engine::Session;

use super::*;

fn shown(statement: &str, format: OutputFormat, width: Option<usize>) -> (String, Outcome) {
    let (engine, _) = connected(&FakeLog::with_topic("t", 1));
    let (mut out, memory) = Output::into_memory(format, width);
    let answer = engine.face.execute(&mut Session::default(), statement).unwrap();
    let outcome = reply(answer, &mut out).unwrap();
    (memory.text(), outcome)
}

#[test]
fn a_pull_query_is_a_table_or_json_lines() {
    let (text, outcome) = shown("ROWS", OutputFormat::Tabular, None);
    assert!(matches!(outcome, Outcome::Done));
    let expected = "\
+----+-------------+
| ID | NAME        |
+----+-------------+
|  1 | 한          |
|  2 | <TOMBSTONE> |
+----+-------------+
";
    assert_eq!(text, expected);
    let (text, _) = shown("ROWS", OutputFormat::Json, None);
    assert_eq!(text, "{\"ID\":1,\"NAME\":\"한\"}\n{\"ID\":2,\"NAME\":null,\"@tombstone\":true}\n");
}

#[test]
fn a_push_query_has_room_for_longer_values_and_fits_the_terminal() {
    let (text, _) = shown("PUSH", OutputFormat::Tabular, Some(33));
    let expected = "\
+-------------+-----------------+
|          ID | NAME            |
+-------------+-----------------+
|           1 | 한              |
|           2 | <TOMBSTONE>     |
+-------------+-----------------+
Limit Reached
";
    assert_eq!(text, expected);
    assert_eq!(expected.lines().next().map(str::len), Some(33));
    let (text, _) = shown("PUSH", OutputFormat::Json, None);
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_query_that_fails_says_so_after_its_rows() {
    let (text, outcome) = shown("BREAK", OutputFormat::Tabular, None);
    assert!(text.contains("한"));
    assert!(matches!(outcome, Outcome::Failed(error) if error.what == "disk full"));
}

#[test]
fn listings_texts_and_lines() {
    let (text, _) = shown("LIST", OutputFormat::Tabular, None);
    assert_eq!(
        text,
        "+-----------+---------+\n| Type Name | Schema  |\n+-----------+---------+\n| S         | INTEGER |\n+-----------+---------+\n"
    );
    let (text, _) = shown("LIST", OutputFormat::Json, None);
    assert_eq!(text, "{\"Type Name\":\"S\",\"Schema\":\"INTEGER\"}\n");
    assert_eq!(shown("TEXT", OutputFormat::Tabular, None).0, "two\nlines\n");
    assert_eq!(shown("TEXT", OutputFormat::Json, None).0, "{\"text\":\"two\\nlines\\n\"}\n");
    assert_eq!(shown("ROWS", OutputFormat::Tabular, Some(80)).0.lines().last(), Some("2 rows"));
    assert_eq!(shown("LINES", OutputFormat::Tabular, None).0, "key: a, value: 1\n");
    let (text, _) = shown("CREATE", OutputFormat::Json, None);
    assert_eq!(text, "{\"message\":\"Done\",\"query_id\":null,\"warnings\":[]}\n");
}

#[test]
fn long_lines_of_a_text_go_on_indented() {
    assert_eq!(folded("ab\n  > one two three four", Some(16)), "ab\n  > one two\n      three four");
    assert_eq!(folded("a b c", None), "a b c");
}
