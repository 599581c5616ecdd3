//! Statements that have no place where they are run: in a session, a job, a test.

use super::{not_supported, statement};
use crate::error::Error;
use crate::types::SqlType;

pub fn only_one() -> Error {
    statement("Only one statement at a time can be run here.").hint("send them one after the other")
}

pub fn of_the_terminal() -> Error {
    statement("RUN SCRIPT and SPOOL are for the terminal: they can't be run here.")
        .hint("start `millpond` and write them there, or send the script's statements")
}

pub fn assert_schema() -> Error {
    not_supported("ASSERT SCHEMA", "it needs a schema registry")
}

pub fn of_a_test() -> Error {
    statement("This ASSERT statement belongs into a test file.").hint("run it with `millpond test FILE`")
}

pub fn query_in_test() -> Error {
    not_supported("a query or PRINT in a test", "ASSERT VALUES compares the records of a stream or table")
}

pub fn without_rows() -> Error {
    statement("This statement gives no rows.").hint("give a SELECT or PRINT")
}

pub fn connectors() -> Error {
    not_supported("SHOW CONNECTORS", "Millpond reads and writes topics itself: see `millpond topic --help`")
}

/// A client waits for a command that there isn't.
pub fn unknown_command(offset: i64, next: i64) -> Error {
    statement(format!("There is no command {offset} yet: {next} is the next"))
        .hint("take the sequence number of a statement that was answered")
}

/// `usage`: how the terminal's command is written.
pub fn usage(usage: &str) -> Error {
    statement(usage).hint("help lists the commands")
}

pub fn job_without_query() -> Error {
    statement("The script has no persistent query: there is nothing to run.")
        .hint("add CREATE ... AS SELECT or INSERT INTO ... SELECT, or use -f for other statements")
}

/// `names`: of the queries and what they make, each feeding the next.
pub fn job_without_end(names: &[String]) -> Error {
    statement(format!("Queries feed each other, so that there is no end to run to: {}.", names.join(" -> ")))
        .hint("let it run without an end, or break the ring")
}

/// What has no place in a job.
pub enum NotInJob {
    InsertValues,
    Delete,
    Select,
    Other,
}

pub fn not_in_job(what: &NotInJob) -> Error {
    let what = match what {
        NotInJob::InsertValues => "INSERT INTO ... VALUES",
        NotInJob::Delete => "DELETE",
        NotInJob::Select => "A SELECT of its own",
        NotInJob::Other => "This statement",
    };
    statement(format!("{what} has no place in a job."))
        .hint("a job takes definitions, persistent queries and SET; use `millpond -f FILE` for the rest")
}

/// What a job's script makes is there already, made by a query that was ended.
pub fn stands_without_query(name: &str, query: &str) -> Error {
    statement(format!("{name} stands already, but its query {query} was terminated."))
        .hint("CREATE OR REPLACE starts a new one; or DROP it first")
}

/// `standing` and `stated`: the statement that made it and that of the script.
pub fn stands_otherwise(name: &str, standing: &str, stated: &str) -> Error {
    differs(name, standing, stated).hint("write CREATE OR REPLACE, or DROP it first")
}

/// `standing` and `stated`: what the type stands for, and what the script has.
pub fn type_stands_otherwise(name: &str, standing: &SqlType, stated: &SqlType) -> Error {
    differs(&format!("type {name}"), &standing.to_string(), &stated.to_string()).hint("DROP TYPE it first")
}

/// `standing` and `stated`: settings, as statements.
pub fn stands_with_other_settings(query: &str, standing: &str, stated: &str) -> Error {
    differs(&format!("query {query}"), standing, stated)
        .hint("state the settings it was made with, or write CREATE OR REPLACE")
}

fn differs(what: &str, standing: &str, stated: &str) -> Error {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    statement(format!(
        "{what} stands already, but differs.\n  standing: {}\n  script:   {}",
        line(standing),
        line(stated)
    ))
}
