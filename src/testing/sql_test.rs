//! SQL test files: `--@test: name`, then statements, INSERT VALUES and ASSERTs, in the manner of ksqlDB's test tool.
//! Each test starts with an empty engine.

use std::collections::BTreeMap;

use super::answer::Answer;
use super::drive::{Collector, Drive};
use super::sql_assert;
use super::subject::NewSubject;
use super::verdict::{Kind, Miss, Verdict};
use crate::error::{Audience, Error};
use crate::messages;
use crate::sql;
use crate::sql::ast::{Location, Statement};

/// One test of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlTest {
    pub name: String,
    /// Places are those of the file.
    statements: Vec<(String, Location)>,
    /// `--@expected.error` or `--@expected.message`: a statement must fail.
    expects_error: bool,
    /// What the error must say.
    message: Option<String>,
}

impl SqlTest {
    pub fn expects_error(&self) -> bool {
        self.expects_error
    }
}

/// The tests of a file. Statements before the first `--@test` are a test without a name.
pub fn read_tests(text: &str) -> Result<Vec<SqlTest>, String> {
    let cut = sql::split(text);
    if !cut.rest.is_empty() {
        return Err(format!("the last statement has no `;`: {}", cut.rest));
    }
    let unnamed =
        |name: &str| SqlTest { name: name.to_owned(), statements: Vec::new(), expects_error: false, message: None };
    let mut tests = vec![unnamed("(without a name)")];
    let mut statements = cut.statements.into_iter().peekable();
    for (at, name, value) in sql::directives(text) {
        let test = tests.last_mut().ok_or("no test")?;
        while let Some(statement) = statements.next_if(|(_, start)| is_before(*start, at)) {
            test.statements.push(statement);
        }
        match name.as_str() {
            "test" => tests.push(unnamed(&value)),
            "expected.error" => test.expects_error = true,
            "expected.message" => {
                test.expects_error = true;
                test.message = Some(value);
            }
            other => return Err(format!("line {}: there is no directive --@{other}", at.line)),
        }
    }
    tests.last_mut().ok_or("no test")?.statements.extend(statements);
    if tests.first().is_some_and(|test| test.statements.is_empty() && !test.expects_error) {
        tests.remove(0);
    }
    match tests.iter().find(|test| test.statements.is_empty()) {
        Some(empty) => Err(format!("test {} has no statements", empty.name)),
        None => Ok(tests),
    }
}

fn is_before(a: Location, b: Location) -> bool {
    (a.line, a.column) < (b.line, b.column)
}

/// Runs a test on a fresh engine.
pub fn run(test: &SqlTest, new_subject: NewSubject<'_>) -> Verdict {
    let kind = if test.expects_error { Kind::Rejection } else { Kind::Outputs };
    let result = match new_subject(&BTreeMap::new()) {
        Err(error) => Err(Miss::error(format!("no engine: {error}"))),
        Ok(mut subject) => Drive::new(&mut *subject, &[]).and_then(|drive| Run::new(drive).test(test)),
    };
    Verdict::of(kind, result)
}

/// Why a statement of a test didn't do what it should.
enum Trouble {
    /// The engine refused it.
    Rejected(Error),
    /// An ASSERT doesn't hold, or can't be judged.
    Missed(Miss),
}

/// A test on its way.
struct Run<'a> {
    drive: Drive<'a>,
    /// Records that no ASSERT has read yet.
    unread: Collector,
    variables: BTreeMap<String, String>,
    /// ASSERTs that held.
    asserts: usize,
}

impl<'a> Run<'a> {
    fn new(drive: Drive<'a>) -> Self {
        Run { drive, unread: Collector::default(), variables: BTreeMap::new(), asserts: 0 }
    }

    fn test(mut self, test: &SqlTest) -> Result<String, Miss> {
        for (i, (text, at)) in test.statements.iter().enumerate() {
            let is_last = i + 1 == test.statements.len();
            match self.statement(text, *at) {
                Ok(()) => {}
                Err(trouble) if test.expects_error => return judge(test, trouble, is_last, *at),
                Err(Trouble::Rejected(error)) => return Err(Miss::unexpected(&format!("line {}", at.line), &error)),
                Err(Trouble::Missed(miss)) => {
                    return Err(Miss { detail: format!("line {}: {}", at.line, miss.detail), ..miss });
                }
            }
        }
        match (test.expects_error, self.asserts) {
            (true, _) => Err(Miss::fail("no statement failed, an error is expected")),
            (false, 0) => Err(Miss::error("the test asserts nothing: add an ASSERT, or --@expected.error")),
            (false, _) => Ok(String::new()),
        }
    }

    fn statement(&mut self, text: &str, at: Location) -> Result<(), Trouble> {
        let text = sql::substitute(text, &self.variables).map_err(Trouble::Rejected)?;
        let parsed = sql::parse_statement(&text, at).map_err(Trouble::Rejected)?;
        // The rest ends the test when they fail.
        self.asserts += usize::from(matches!(
            parsed.statement,
            Statement::AssertValues { .. }
                | Statement::AssertNullValues { .. }
                | Statement::AssertSource { .. }
                | Statement::AssertTopic { .. }
                | Statement::AssertSchema { .. }
        ));
        match parsed.statement {
            Statement::AssertValues { source, columns, values } => {
                sql_assert::values(&self.drive, &mut self.unread, &source, &columns, &values).map_err(Trouble::Missed)
            }
            Statement::AssertNullValues { source, columns, key } => {
                sql_assert::null_values(&self.drive, &mut self.unread, &source, &columns, &key).map_err(Trouble::Missed)
            }
            Statement::AssertSource { kind, name, columns, properties } => {
                sql_assert::source(&self.drive, kind, &name, &columns, &properties).map_err(Trouble::Missed)
            }
            Statement::Define { name, value } => {
                self.variables.insert(name.text, value);
                Ok(())
            }
            Statement::Undefine { name } => {
                self.variables.remove(&name.text);
                Ok(())
            }
            _ => self.execute(&text),
        }
    }

    /// Has the engine run a statement, and all that follows from it.
    fn execute(&mut self, text: &str) -> Result<(), Trouble> {
        match self.drive.execute(text).map_err(Trouble::Rejected)? {
            Answer::Rows(_) => {
                return Err(Trouble::Rejected(messages::statements::query_in_test()));
            }
            Answer::Reply(_) | Answer::Entities(_) => {}
        }
        self.drive.subject.settle().map_err(Trouble::Rejected)?;
        let topics = self.drive.subject.log().topics();
        let sources = topics.iter().filter(|topic| self.drive.subject.layouts(topic).is_some());
        self.unread.collect(self.drive.subject, sources.map(String::as_str)).map_err(Trouble::Missed)
    }
}

/// Whether the error is the one that is expected. That something isn't known yet counts only for the last statement, a
/// defect of the engine never.
fn judge(test: &SqlTest, trouble: Trouble, is_last: bool, at: Location) -> Result<String, Miss> {
    let text = match trouble {
        Trouble::Missed(Miss { status: super::verdict::Status::Error, detail }) => return Err(Miss::error(detail)),
        Trouble::Missed(miss) => miss.detail,
        Trouble::Rejected(error) => match error.audience {
            Audience::Internal => return Err(Miss::error(format!("line {}: internal error: {error}", at.line))),
            Audience::NotSupported | Audience::World if !is_last => {
                return Err(Miss::error(format!("line {}: {error}", at.line)));
            }
            _ => error.to_string(),
        },
    };
    match &test.message {
        Some(message) if !text.contains(message) => Err(Miss::fail(format!(
            "line {}: the error says something else\n  expected: {message}\n  actual:   {text}",
            at.line
        ))),
        _ => Ok(format!("failed as expected: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_into_its_tests() {
        let text = "-- a note\n--@test: one\nA;\nB;\n\n--@test: two\n--@expected.error: some.Class\n\
                    --@expected.message: is wrong\nC;\n";
        let tests = read_tests(text).unwrap();
        let statements = |test: &SqlTest| test.statements.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
        assert_eq!(tests.len(), 2);
        assert_eq!((tests[0].name.as_str(), tests[0].expects_error), ("one", false));
        assert_eq!(statements(&tests[0]), ["A", "B"]);
        assert_eq!((tests[1].name.as_str(), tests[1].expects_error), ("two", true));
        assert_eq!(tests[1].message.as_deref(), Some("is wrong"));
        assert_eq!(statements(&tests[1]), ["C"]);
        assert_eq!(tests[1].statements[0].1.line, 9);
    }

    #[test]
    fn statements_without_a_name_are_a_test() {
        assert_eq!(read_tests("A;").unwrap()[0].name, "(without a name)");
        assert!(read_tests("A").unwrap_err().contains("`;`"));
        assert!(read_tests("--@tset: one\nA;").unwrap_err().contains("tset"));
        assert!(read_tests("--@test: one\n").unwrap_err().contains("no statements"));
    }
}
