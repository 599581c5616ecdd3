//! Which sources can be joined, how and on what.

use std::time::Duration;

use crate::analyze::join::condition::Condition;
use crate::analyze::join::kind_word;
use crate::analyze::join::side::Side;
use crate::analyze::names::Names;
use crate::catalog::{SourceKind, SourceWindow};
use crate::error::{Error, Result};
use crate::plan::{JoinMethod, Rekey};
use crate::sql::ast::{Join, JoinKind};

/// A join before it is built.
pub(super) struct Meeting<'a> {
    pub names: &'a Names,
    pub left: &'a Side,
    pub right: &'a Side,
    pub join: &'a Join,
    pub on: &'a Condition,
}

/// How the rows of two sides find each other.
pub(super) enum How {
    /// Both by what is their key, or is made it.
    ByKeys(JoinMethod),
    /// By the right table's key, which isn't the left one's.
    ForeignKey,
    /// By what is neither table's key.
    ManyToMany,
}

impl Meeting<'_> {
    /// How the sides meet.
    ///
    /// `left`, `right`: what makes the side's expression in ON its rows' key.
    pub fn how(&self, left: Rekey, right: Rekey) -> Result<How> {
        match (self.left.kind, self.right.kind) {
            (SourceKind::Stream, SourceKind::Stream) => self.stream_stream().map(How::ByKeys),
            (SourceKind::Stream, SourceKind::Table) => {
                self.refuse_within()?;
                self.stream_table(right)?;
                Ok(How::ByKeys(JoinMethod::StreamTable))
            }
            (SourceKind::Table, SourceKind::Stream) => Err(Error::statement(format!(
                "Invalid join order: table-stream joins are not supported; only stream-table joins. Got {}.",
                self.text()
            ))
            .hint(format!(
                "begin FROM with the stream: {} JOIN {}",
                self.name(self.right.source),
                self.name(self.on.left_source)
            ))
            .at(self.join.source.at)),
            (SourceKind::Table, SourceKind::Table) => {
                self.refuse_within()?;
                match (left, right) {
                    (Rekey::Keep, Rekey::Keep) => self.table_table().map(How::ByKeys),
                    (_, Rekey::Keep) => self.foreign_key().map(|()| How::ForeignKey),
                    (Rekey::Keep, _) => Err(self.invalid(
                        "table-table joins require to join on the primary key of the right input table",
                        &format!(
                            "the table whose key it is comes behind: {} JOIN {}",
                            self.name(self.right.source),
                            self.name(self.on.left_source)
                        ),
                    )),
                    (_, _) => self.many_to_many().map(|()| How::ManyToMany),
                }
            }
        }
    }

    fn stream_stream(&self) -> Result<JoinMethod> {
        let Some(within) = &self.join.within else {
            return Err(Error::statement(
                "Stream-Stream joins must have a WITHIN clause specified. None was provided.",
            )
            .hint("say how near in time two rows must be: JOIN ... WITHIN 1 HOUR ON ...")
            .at(self.join.source.at));
        };
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Ok(JoinMethod::StreamStream {
            before_ms: ms(within.before),
            after_ms: ms(within.after),
            grace_ms: within.grace.map(ms),
        })
    }

    fn stream_table(&self, right: Rekey) -> Result<()> {
        let outer = match self.join.kind {
            JoinKind::Inner | JoinKind::Left => None,
            JoinKind::Right => Some("right-outer"),
            JoinKind::Full => Some("full-outer"),
        };
        if let Some(outer) = outer {
            return Err(Error::statement(format!(
                "Invalid join type: {outer} join not supported for stream-table join. Got {}.",
                self.text()
            ))
            .hint("only rows of the stream make rows: [INNER] JOIN or LEFT JOIN")
            .at(self.join.source.at));
        }
        match right {
            Rekey::Keep => Ok(()),
            _ => Err(self.invalid(
                "stream-table joins require to join on the table's primary key",
                "a table can't be given another key; its key column must be a single one and stand alone on one side of ON",
            )),
        }
    }

    fn table_table(&self) -> Result<JoinMethod> {
        if self.join.kind == JoinKind::Full && self.on.others.is_some() {
            return Err(self.invalid(
                "a FULL OUTER JOIN of tables takes the equality of their keys only",
                "two rows that don't match would have one key, and replace each other: join LEFT or RIGHT, or filter the tables first",
            ));
        }
        Ok(JoinMethod::TableTable)
    }

    fn foreign_key(&self) -> Result<()> {
        let kind = match self.join.kind {
            JoinKind::Inner | JoinKind::Left => None,
            JoinKind::Right => Some("RIGHT OUTER JOIN"),
            JoinKind::Full => Some("FULL OUTER JOIN"),
        };
        if let Some(kind) = kind {
            return Err(Error::statement(format!(
                "Invalid join type: {kind} on a foreign key is not supported. Got {}.",
                self.text()
            ))
            .at(self.join.source.at));
        }
        if self.left.window.is_some() {
            return Err(
                self.invalid("foreign-key joins of windowed tables are not supported", "join unwindowed tables")
            );
        }
        Ok(())
    }

    fn many_to_many(&self) -> Result<()> {
        if self.join.kind != JoinKind::Inner && self.on.others.is_some() {
            return Err(self.invalid(
                "an outer join of tables by what is neither one's primary key takes one equality only",
                "filter the tables first, in queries in FROM",
            ));
        }
        if self.left.window.is_some() {
            return Err(
                self.invalid("many-to-many joins of windowed tables are not supported", "join unwindowed tables")
            );
        }
        Ok(())
    }

    fn refuse_within(&self) -> Result<()> {
        if self.join.within.is_none() {
            return Ok(());
        }
        let kinds = match self.left.kind {
            SourceKind::Stream => "Stream-Table",
            SourceKind::Table => "Table-Table",
        };
        Err(Error::statement(format!(
            "A window definition was provided for a {kinds} join. These joins are not windowed. Please drop the window definition (ie. the WITHIN clause) and try to execute your join again."
        ))
        .at(self.join.source.at))
    }

    /// Rows of windows meet those of the same windows.
    pub fn check_windows(&self) -> Result<()> {
        let describe = |side: &Side| {
            let kind = match side.window {
                None => "not windowed".to_string(),
                Some(SourceWindow::Session) => "SESSION windowed".to_string(),
                Some(SourceWindow::Time { hopping: false, .. }) => "TUMBLING windowed".to_string(),
                Some(SourceWindow::Time { hopping: true, .. }) => "HOPPING windowed".to_string(),
            };
            format!("`{}` is {kind}", self.name(side.source))
        };
        // A row of a window meets a table's row by its key alone.
        let enriched = self.left.kind == SourceKind::Stream && self.right.kind == SourceKind::Table;
        let streams = self.left.kind == SourceKind::Stream && self.right.kind == SourceKind::Stream;
        let what = match (self.left.window, self.right.window) {
            (None, None) | (Some(SourceWindow::Session), Some(SourceWindow::Session)) => return Ok(()),
            (Some(_), None) if enriched => return Ok(()),
            (
                Some(SourceWindow::Time { size_ms: left, hopping }),
                Some(SourceWindow::Time { size_ms: right, hopping: other }),
            ) if streams || hopping == other => {
                return match left == right {
                    true => Ok(()),
                    false => Err(no_repartitioning(self.join)
                        .hint(format!("the windows must have one size; they have {left} and {right} ms"))),
                };
            }
            (Some(_), Some(_)) => "Can not join sources with windows of different kinds.",
            _ => "Can not join windowed source to non-windowed source.",
        };
        Err(Error::statement(format!("{what}\n{}\n{}", describe(self.left), describe(self.right)))
            .at(self.join.source.at))
    }

    fn invalid(&self, why: &str, hint: &str) -> Error {
        Error::statement(format!("Invalid join condition: {why}. Got {}.", self.on.text(self.names)))
            .hint(hint)
            .at(self.join.on.at)
    }

    fn name(&self, source: usize) -> &str {
        &self.names.source(source).name
    }

    /// `S LEFT JOIN T`, with what they are.
    fn text(&self) -> String {
        let kind = match self.join.kind {
            JoinKind::Inner => "[INNER] JOIN",
            JoinKind::Left => "LEFT [OUTER] JOIN",
            JoinKind::Right => "RIGHT [OUTER] JOIN",
            JoinKind::Full => "FULL [OUTER] JOIN",
        };
        let (left, right) = (self.name(self.on.left_source), self.name(self.right.source));
        let (left_kind, right_kind) = (kind_word(self.left.kind), kind_word(self.right.kind));
        format!("{left} ({left_kind}) {kind} {right} ({right_kind})")
    }
}

pub(super) fn no_repartitioning(join: &Join) -> Error {
    Error::statement("Implicit repartitioning of windowed sources is not supported.").at(join.on.at)
}
