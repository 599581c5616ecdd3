//! Cutting texts, directives and variables.

use std::collections::BTreeMap;

use super::super::*;

fn cut(text: &str) -> (Vec<(String, u32, u32)>, String) {
    let split = split(text);
    let statements = split.statements.into_iter().map(|(text, at)| (text, at.line, at.column)).collect();
    (statements, split.rest)
}

#[test]
fn statements_are_cut_outside_quotes_and_comments() {
    let text = "a ';' b; -- c;\n  /* ; */ d `;` /* ; */ ;;\"e;\"";
    let expected = vec![("a ';' b".to_owned(), 1, 1), ("d `;` /* ; */".to_owned(), 2, 11)];
    assert_eq!(cut(text), (expected, "\"e;\"".to_owned()));
}

#[test]
fn the_rest_is_what_is_unfinished() {
    for (text, rest) in [
        ("", ""),
        (" \n", ""),
        ("a;", ""),
        ("a; -- c", ""),
        ("a; /* c */ ", ""),
        ("a; /* c", "/* c"),
        ("a; b", "b"),
        ("a; 'b;", "'b;"),
        ("a\n", "a\n"),
    ] {
        assert_eq!(cut(text).1, rest, "{text:?}");
    }
}

#[test]
fn doubled_quotes_do_not_end_a_string() {
    assert_eq!(cut("'a'';'; b").0, [("'a'';'".to_owned(), 1, 1)]);
}

#[test]
fn directives_keep_their_place() {
    let text =
        "--@test: first test\nSELECT '--@no: no';\n  --@expected.error: x: y\n--@flag\n-- @no: comment\n/*--@no: n*/";
    let found: Vec<_> = directives(text).into_iter().map(|(at, name, value)| (at.line, name, value)).collect();
    let expected = [(1, "test", "first test"), (3, "expected.error", "x: y"), (4, "flag", "")];
    assert_eq!(found, expected.map(|(line, name, value)| (line, name.to_owned(), value.to_owned())));
}

fn variables() -> BTreeMap<String, String> {
    [("topic", "orders"), ("N", "5"), ("quoted", "'x'")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[test]
fn variables_are_put_in_everywhere_but_in_comments() {
    for (text, expected) in [
        ("PRINT ${topic};", "PRINT orders;"),
        ("'${TOPIC}-${n}' ${n}${n}", "'orders-5' 55"),
        ("= ${quoted}", "= 'x'"),
        ("-- ${nothing}\n/* ${nothing} */ ${n}", "-- ${nothing}\n/* ${nothing} */ 5"),
        ("'$${n}' $${nothing} ${n}$${n}", "'${n}' ${nothing} 5${n}"),
        ("'$.x' ${ open", "'$.x' ${ open"),
    ] {
        assert_eq!(substitute(text, &variables()).as_deref(), Ok(expected));
    }
}

#[test]
fn an_unknown_variable_is_named_with_its_place_and_the_nearest() {
    let error = substitute("SELECT 1\n  FROM ${topik};", &variables()).unwrap_err();
    assert_eq!(error.at.map(|at| (at.line, at.column)), Some((2, 8)));
    assert!(error.what.contains("${topik}"));
    assert_eq!(error.hint.as_deref(), Some("Did you mean ${topic}?"));
}

#[test]
fn every_statement_of_a_text_has_its_text_and_place() {
    let parsed = parse("-- first\nSHOW TABLES ;\n\n  SHOW /* all */ STREAMS").unwrap();
    let found: Vec<_> = parsed.iter().map(|each| (each.text.as_str(), each.at.line, each.at.column)).collect();
    assert_eq!(found, [("SHOW TABLES", 2, 1), ("SHOW /* all */ STREAMS", 4, 3)]);
}
