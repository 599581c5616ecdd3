//! The table as a page for people.

use super::clauses::{QUERIES, RULES};
use super::statements::STATEMENTS;
use super::{Answer, Row};
use crate::expr::functions::{FunctionKind, table};

pub(super) const PARTS: &[(&str, &[Row])] = &[("Statements", STATEMENTS), ("Queries", QUERIES), ("Rules", RULES)];

/// The test that runs the examples of all functions.
pub(super) const EXAMPLES: &str = "expr::functions::tests::examples_give_what_they_say";

const BEGINNING: &str = "\
# What of ksqlDB's language is here

<!-- Made of the table in src/compatibility: MILLPOND_WRITE_DOCS=1 cargo test --lib compatibility -->

*yes*: as in ksqlDB, or more; *partly*: with what is missing; *no*: with what to do instead. Behind each the test of this project that
shows it (`cargo test NAME`).
";

/// `docs/compatibility.md`
pub(super) fn page() -> String {
    let mut page = BEGINNING.to_owned();
    for (title, rows) in PARTS {
        page.push_str(&format!("\n## {title}\n\n| | | | shown by |\n| --- | --- | --- | --- |\n"));
        rows.iter().for_each(|row| page.push_str(&line(row)));
    }
    page.push_str(&format!(
        "\n## Functions\n\nAll of these are here, with all overloads; each example of theirs is run by `{EXAMPLES}`.\n\n"
    ));
    for (title, kind) in
        [("Scalar", FunctionKind::Scalar), ("Aggregate", FunctionKind::Aggregate), ("Table", FunctionKind::Table)]
    {
        let names: Vec<&str> = table().iter().filter(|function| function.kind == kind).map(|each| each.name).collect();
        page.push_str(&format!("- {title} ({}): {}\n", names.len(), names.join(", ")));
    }
    page
}

fn line(row: &Row) -> String {
    let answer = match row.answer {
        Answer::Yes => "yes",
        Answer::Partly => "partly",
        Answer::No => "no",
    };
    format!("| {} | {answer} | {} | `{}` |\n", row.what, row.word, row.test)
}
