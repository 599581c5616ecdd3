//! Which sources can be joined, how and on what.

use std::time::Duration;

use crate::analyze::join::condition::Condition;
use crate::analyze::join::side::Side;
use crate::analyze::names::Names;
use crate::catalog::{SourceKind, SourceWindow};
use crate::error::{Error, Result};
use crate::messages;
use crate::messages::joins::Shown;
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
            (SourceKind::Table, SourceKind::Stream) => {
                Err(messages::joins::table_with_stream(&self.shown()).at(self.join.source.at))
            }
            (SourceKind::Table, SourceKind::Table) => {
                self.refuse_within()?;
                match (left, right) {
                    (Rekey::Keep, Rekey::Keep) => self.table_table().map(How::ByKeys),
                    (_, Rekey::Keep) => self.foreign_key().map(|()| How::ForeignKey),
                    (Rekey::Keep, _) => Err(self.about_on(|on| messages::joins::not_by_right_key(&self.shown(), on))),
                    (_, _) => self.many_to_many().map(|()| How::ManyToMany),
                }
            }
        }
    }

    fn stream_stream(&self) -> Result<JoinMethod> {
        let Some(within) = &self.join.within else {
            return Err(messages::joins::no_within().at(self.join.source.at));
        };
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Ok(JoinMethod::StreamStream {
            before_ms: ms(within.before),
            after_ms: ms(within.after),
            grace_ms: within.grace.map(ms),
        })
    }

    fn stream_table(&self, right: Rekey) -> Result<()> {
        if matches!(self.join.kind, JoinKind::Right | JoinKind::Full) {
            return Err(messages::joins::outer_of_stream_and_table(&self.shown()).at(self.join.source.at));
        }
        match right {
            Rekey::Keep => Ok(()),
            _ => Err(self.about_on(messages::joins::not_by_table_key)),
        }
    }

    fn table_table(&self) -> Result<JoinMethod> {
        if self.join.kind == JoinKind::Full && self.on.others.is_some() {
            return Err(self.about_on(messages::joins::full_with_conditions));
        }
        Ok(JoinMethod::TableTable)
    }

    fn foreign_key(&self) -> Result<()> {
        if matches!(self.join.kind, JoinKind::Right | JoinKind::Full) {
            return Err(messages::joins::outer_by_foreign_key(&self.shown()).at(self.join.source.at));
        }
        if self.left.window.is_some() {
            return Err(self.about_on(messages::joins::foreign_key_of_windowed));
        }
        Ok(())
    }

    fn many_to_many(&self) -> Result<()> {
        if self.join.kind != JoinKind::Inner && self.on.others.is_some() {
            return Err(self.about_on(messages::joins::outer_many_to_many_with_conditions));
        }
        if self.left.window.is_some() {
            return Err(self.about_on(messages::joins::many_to_many_of_windowed));
        }
        Ok(())
    }

    fn refuse_within(&self) -> Result<()> {
        if self.join.within.is_none() {
            return Ok(());
        }
        Err(messages::joins::within_of_table(self.left.kind).at(self.join.source.at))
    }

    /// Rows of windows meet those of the same windows.
    pub fn check_windows(&self) -> Result<()> {
        // A row of a window meets a table's row by its key alone.
        let enriched = self.left.kind == SourceKind::Stream && self.right.kind == SourceKind::Table;
        let streams = self.left.kind == SourceKind::Stream && self.right.kind == SourceKind::Stream;
        match (self.left.window, self.right.window) {
            (None, None) | (Some(SourceWindow::Session), Some(SourceWindow::Session)) => Ok(()),
            (Some(_), None) if enriched => Ok(()),
            (
                Some(SourceWindow::Time { size_ms: left, hopping }),
                Some(SourceWindow::Time { size_ms: right, hopping: other }),
            ) if streams || hopping == other => match left == right {
                true => Ok(()),
                false => Err(messages::joins::windows_of_other_sizes(left, right).at(self.join.on.at)),
            },
            (left, right) => {
                let (left, right) = ((self.name(self.left.source), left), (self.name(self.right.source), right));
                Err(messages::joins::windows_of_other_kinds(left, right).at(self.join.source.at))
            }
        }
    }

    /// A message about the condition that leads.
    fn about_on(&self, message: impl FnOnce(&str) -> Error) -> Error {
        message(&self.on.text(self.names)).at(self.join.on.at)
    }

    fn name(&self, source: usize) -> &str {
        &self.names.source(source).name
    }

    fn shown(&self) -> Shown<'_> {
        Shown {
            left: (self.name(self.on.left_source), self.left.kind),
            kind: self.join.kind,
            right: (self.name(self.right.source), self.right.kind),
        }
    }
}
