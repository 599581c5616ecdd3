//! One statement: who carries it out.

use std::sync::Arc;

use crate::engine::facts::{Facts, Told};
use crate::engine::print::{Printed, print};
use crate::engine::pull::pull_query;
use crate::engine::settings::Effect;
use crate::engine::transient::{self, Until};
use crate::engine::{Inner, Reply, Session, Status, settings, show};
use crate::error::{Error, Result};
use crate::messages;
use crate::sql;
use crate::sql::ast::{ParsedStatement, Statement};

/// Runs one statement.
pub(super) fn execute(inner: &Arc<Inner>, session: &mut Session, text: &str) -> Result<Reply> {
    let substitute = settings::value(&session.properties, "ksql.variable.substitution.enable") == "true";
    let text = if substitute { sql::substitute(text, &session.variables)? } else { text.to_string() };
    let mut parsed = sql::parse(&text)?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(statement), true) => run(inner, session, &statement),
        (None, _) => Ok(done("")),
        (Some(_), false) => Err(messages::statements::only_one()),
    }
}

fn done(message: impl Into<String>) -> Reply {
    Reply::Done(Status { message: message.into(), ..Status::default() })
}

/// What the catalog tells, with a warning where it may be out of date.
fn as_known(inner: &Inner, facts: Facts) -> Reply {
    Reply::Facts(Told { facts, warnings: inner.out_of_date().into_iter().collect() })
}

/// Runs one statement that was read already.
pub(super) fn run(inner: &Arc<Inner>, session: &mut Session, parsed: &ParsedStatement) -> Result<Reply> {
    let properties = session.properties.clone();
    if !parsed.statement.is_of_what_is_known() {
        inner.await_reach()?;
    }
    match &parsed.statement {
        Statement::CreateSource { .. }
        | Statement::CreateAs { .. }
        | Statement::InsertSelect { .. }
        | Statement::AlterSource { .. }
        | Statement::DropSource { .. }
        | Statement::CreateType { .. }
        | Statement::DropType { .. }
        | Statement::Terminate(_)
        | Statement::Pause(_)
        | Statement::Resume(_) => inner.change(parsed, &properties).map(Reply::Done),
        Statement::InsertValues { target, columns, values } => {
            let warnings = inner.insert_values(target, columns, values, &properties)?;
            Ok(Reply::Done(Status { warnings, ..Status::default() }))
        }
        Statement::DeleteRow { target, filter } => {
            inner.delete_row(target, filter, &properties)?;
            Ok(done(""))
        }
        Statement::Select(query) if query.emit.is_some() => {
            transient::start(inner, query, &properties, Until::Dropped).map(Reply::Rows)
        }
        Statement::Select(query) => pull_query(inner, query, &properties).map(Reply::Rows),
        Statement::Print { topic, from_beginning, interval, limit } => {
            let printed = Printed { from_beginning: *from_beginning, interval: *interval, limit: *limit };
            print(inner, topic, printed).map(Reply::Rows)
        }
        Statement::Show(what) => show::show(inner, what, session).map(|facts| as_known(inner, facts)),
        Statement::Describe { name, extended } => {
            show::describe(inner, name, *extended).map(|facts| as_known(inner, facts))
        }
        Statement::DescribeAll { kind, extended } => Ok(as_known(inner, show::describe_all(inner, *kind, *extended))),
        Statement::DescribeFunction(name) => {
            show::describe_function(name).map(|facts| Reply::Facts(Told { facts, warnings: Vec::new() }))
        }
        Statement::Explain(what) => show::explain(inner, what, &properties).map(|facts| as_known(inner, facts)),
        Statement::Set { .. } | Statement::Unset { .. } | Statement::Define { .. } | Statement::Undefine { .. } => {
            change_session(session, &parsed.statement)
        }
        Statement::AssertTopic { exists, topic, properties, timeout } => {
            inner.assert_topic(*exists, &topic.text, properties, *timeout).map(done)
        }
        Statement::RunScript(_) | Statement::Spool(_) => Err(messages::statements::of_the_terminal()),
        Statement::AssertSchema { .. } => Err(messages::statements::assert_schema()),
        Statement::AssertValues { .. } | Statement::AssertNullValues { .. } | Statement::AssertSource { .. } => {
            Err(messages::statements::of_a_test())
        }
        Statement::NotSupported(statement) => Err(messages::other_sql::elsewhere(statement).at(parsed.at)),
    }
}

/// SET, UNSET, DEFINE and UNDEFINE.
pub(super) fn change_session(session: &mut Session, statement: &Statement) -> Result<Reply> {
    match statement {
        Statement::Set { name, value } => Ok(match settings::set(&mut session.properties, name, value)? {
            Effect::Set(setting) => {
                let now = settings::value(&session.properties, setting.name);
                done(format!("Successfully changed local property '{}' to '{now}'.", setting.name))
            }
            Effect::None(why) => done(format!("'{name}' has no effect here: {why}.")),
        }),
        Statement::Unset { name } => settings::unset(&mut session.properties, name).map(done),
        Statement::Define { name, value } => {
            session.variables.insert(name.text.clone(), value.clone());
            Ok(done(""))
        }
        Statement::Undefine { name } => match session.variables.remove(&name.text) {
            Some(_) => Ok(done("")),
            None => Err(messages::settings::variable_never_defined(&name.text)),
        },
        _ => Err(Error::internal("this statement changes nothing of the session")),
    }
}
