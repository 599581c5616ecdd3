//! What statements would make: applied to a copy of the catalog, nothing is carried out.

use std::collections::BTreeMap;

use super::{Change, Replay};
use crate::catalog::Catalog;
use crate::engine::{Inner, Session, settings, statement};
use crate::error::{Audience, Error, Result};
use crate::messages;
use crate::sql;
use crate::sql::ast::{ParsedStatement, Statement};

impl Inner {
    /// Changes `catalog` as the statement would. Gives the id of the query it would start: that of its place,
    /// `query_number`, which no other query may have.
    ///
    /// Errors: as the statement's own; topics are not looked at.
    pub(in crate::engine) fn foresee(
        &self,
        catalog: &mut Catalog,
        parsed: &ParsedStatement,
        properties: &BTreeMap<String, String>,
        query_number: i64,
    ) -> Result<Option<String>> {
        let change = Change { inner: self, catalog, properties, query_number, replay: Some(Replay::default()) };
        Ok(change.apply(parsed)?.start.map(|start| start.entry.id))
    }

    /// Tries statements that are to be carried out one after the other on a copy of what exists. Topics are looked at up to the
    /// first statement that makes or deletes one; values of rows not at all.
    ///
    /// Errors: the first statement, by its place, that can't be carried out behind those before it, and why.
    pub(in crate::engine) fn check_ahead(&self, session: &Session, texts: &[&str]) -> Result<(), (usize, Error)> {
        let number = if self.is_shared() { Ok(self.changing.lock().next) } else { self.commands.next_offset() };
        let mut outlook = Outlook {
            catalog: self.catalog.read().clone(),
            session: session.clone(),
            query_number: number.map_err(|error| (0, error))?,
            topics_as_they_are: true,
        };
        for (place, text) in texts.iter().enumerate() {
            match outlook.take(self, text) {
                Ok(()) => {}
                Err(error) if matches!(error.audience, Audience::Statement | Audience::NotSupported) => {
                    return Err((place, error));
                }
                // What hangs on the run of a query that isn't there yet, or on what is out of reach now, the work will show.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

/// What there is to be when some statements are carried out.
struct Outlook {
    catalog: Catalog,
    session: Session,
    query_number: i64,
    /// No statement so far makes or deletes a topic.
    topics_as_they_are: bool,
}

impl Outlook {
    fn take(&mut self, inner: &Inner, text: &str) -> Result<()> {
        let substitute = settings::value(&self.session.properties, "ksql.variable.substitution.enable") == "true";
        let text = if substitute { sql::substitute(text, &self.session.variables)? } else { text.to_owned() };
        for parsed in sql::parse(&text)? {
            self.take_one(inner, &parsed)?;
        }
        Ok(())
    }

    fn take_one(&mut self, inner: &Inner, parsed: &ParsedStatement) -> Result<()> {
        let known = |catalog: &Catalog, name: &sql::ast::Ident| {
            catalog.expect_source(&name.text).map(drop).map_err(|error| error.at(name.at))
        };
        match &parsed.statement {
            Statement::Set { .. } | Statement::Unset { .. } | Statement::Define { .. } | Statement::Undefine { .. } => {
                statement::change_session(&mut self.session, &parsed.statement).map(drop)
            }
            Statement::InsertValues { target, .. } | Statement::DeleteRow { target, .. } => {
                known(&self.catalog, target)
            }
            Statement::NotSupported(statement) => Err(messages::other_sql::elsewhere(statement).at(parsed.at)),
            changing if changing.changes_what_exists() => {
                let replay = (!self.topics_as_they_are).then(Replay::default);
                let (catalog, properties) = (&mut self.catalog, &self.session.properties);
                let change = Change { inner, catalog, properties, query_number: self.query_number, replay };
                let effect = change.apply(parsed)?;
                self.query_number += i64::from(!effect.nothing);
                self.topics_as_they_are &= effect.topic.is_none() && effect.delete_topic.is_none();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
