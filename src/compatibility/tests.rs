//! The page is of the table, and the tests that it names are there.

use std::path::{Path, PathBuf};

use super::Answer;
use super::page::{EXAMPLES, PARTS, page};

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `MILLPOND_WRITE_DOCS=1` writes the page anew.
#[test]
fn compatibility_md_is_what_the_table_says() {
    let (path, made) = (in_project("docs/compatibility.md"), page());
    if std::env::var_os("MILLPOND_WRITE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = found.lines().zip(made.lines()).position(|(found, made)| found != made);
    assert!(
        found == made,
        "docs/compatibility.md is not of its table, from line {differs:?} on; MILLPOND_WRITE_DOCS=1 writes it"
    );
}

/// Whether a test of that path stands where its path says.
fn is_there(test: &str) -> bool {
    let Some((module, name)) = test.rsplit_once("::") else { return false };
    let folder = match module.strip_prefix("it::") {
        Some(module) => format!("tests/it/{module}"),
        None => format!("src/{}", module.replace("::", "/")),
    };
    let files = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(in_project(file)).ok());
    let mut lines: Vec<String> = Vec::new();
    texts.for_each(|text| lines.extend(text.lines().map(|line| line.trim().to_owned())));
    let begins = format!("fn {name}(");
    // The golden queries are a list in a macro.
    let listed = |line: &String| module == "it::golden" && line.split_whitespace().any(|word| word == name);
    lines.iter().any(|line| line.starts_with(&begins) || listed(line))
}

#[test]
fn the_tests_that_show_it_are_there() {
    let rows = PARTS.iter().flat_map(|(_, rows)| *rows);
    let missing: Vec<&str> = rows.clone().map(|row| row.test).filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(is_there(EXAMPLES));
    assert!(!is_there("engine::tests::language::no_such_test"));
    // What is missing is told.
    for row in rows.filter(|row| row.answer == Answer::Partly) {
        assert!(!row.word.is_empty(), "{}", row.what);
    }
}
