//! Streams and tables over topics: created, replaced, altered, dropped.

use super::{Change, Effect, kind_title, kind_word};
use crate::analyze::properties::With;
use crate::catalog::{Column, ColumnRole, QueryEntry, Source, SourceKind};
use crate::dataflow::any_records;
use crate::error::{Error, Result};
use crate::expr;
use crate::format::Format;
use crate::messages;
use crate::messages::definitions::Fixed;
use crate::sql::ast::{Ident, IfExists, Type};

impl Change<'_> {
    /// What to do when the name is taken: nothing, an error, or go on to replace it.
    pub(super) fn existing(&self, kind: SourceKind, name: &str, if_exists: IfExists) -> Result<Option<Effect>> {
        let Some(source) = self.catalog.source(name) else { return Ok(None) };
        let word = kind_word(source.kind);
        match if_exists {
            IfExists::Skip => Ok(Some(Effect::nothing(format!(
                "Cannot add {} `{name}`: A {word} with the same name already exists.",
                kind_word(kind)
            )))),
            IfExists::Fail => Err(messages::definitions::exists(name, kind, source.kind)),
            IfExists::Replace if source.kind != kind => {
                Err(messages::definitions::replaced_by_other_kind(name, source.kind, kind))
            }
            IfExists::Replace => Ok(None),
        }
    }

    pub(super) fn create_source(&mut self, source: Source, with: &With, if_exists: IfExists) -> Result<Effect> {
        let topic = self.topic_for(&source, with, None)?;
        let old = self.catalog.source(&source.name);
        if if_exists == IfExists::Replace && (source.is_source || old.is_some_and(|old| old.is_source)) {
            return Err(messages::definitions::replaced_read_only(&source.name, source.kind));
        }
        let mut verb = "created";
        if let Some(old) = old {
            if let Some(query) = old.query_id.as_ref().and_then(|id| self.catalog.query(id)) {
                return Err(messages::definitions::replaced_without_query(&old.name, old.kind, &query.id));
            }
            check_replacement(old, &source)?;
            verb = "replaced";
        }
        let mut message = format!("{} {} {verb}", kind_title(source.kind), source.name);
        if verb == "created" && topic.is_none() && self.holds_records(&source.topic) {
            message += &format!(" over topic '{}', which holds records already", source.topic);
        }
        self.catalog.put_source(source);
        Ok(Effect { topic, warnings: self.unheeded(with), ..Effect::message(message) })
    }

    /// Whether a topic holds any record, for what a statement's writer is told.
    pub(super) fn holds_records(&self, topic: &str) -> bool {
        // That it can't be found out just now is no reason to refuse the statement.
        self.replay.is_none() && any_records(&*self.inner.log, &[topic.to_string()]).unwrap_or(false)
    }

    pub(super) fn drop_source(
        &mut self,
        kind: SourceKind,
        name: &str,
        if_exists: IfExists,
        delete_topic: bool,
    ) -> Result<Effect> {
        let Some(source) = self.catalog.source(name).cloned() else {
            if if_exists == IfExists::Skip {
                return Ok(Effect::nothing(format!("{} `{name}` does not exist.", kind_title(kind))));
            }
            return Err(self.catalog.expect_source(name).err().unwrap_or_else(|| Error::internal("it exists")));
        };
        if source.kind != kind {
            return Err(messages::definitions::dropped_as_other_kind(name, source.kind, kind));
        }
        if delete_topic && source.is_source {
            return Err(messages::definitions::topic_of_read_only(name, kind));
        }
        let own = source.query_id.as_deref();
        let ids = |queries: &mut dyn Iterator<Item = &QueryEntry>| -> Vec<String> {
            queries.filter(|query| Some(query.id.as_str()) != own).map(|query| query.id.clone()).collect()
        };
        let readers = ids(&mut self.catalog.readers_of(name));
        let writers = ids(&mut self.catalog.writers_of(name));
        if !readers.is_empty() || !writers.is_empty() {
            return Err(messages::definitions::in_use(name, &readers, &writers));
        }
        self.catalog.remove_source(name);
        let mut stop = Vec::new();
        if let Some(id) = own
            && self.catalog.remove_query(id).is_some()
        {
            stop.push(id.to_string());
        }
        let topic = match delete_topic {
            true => "The topic was deleted, too.",
            false => "The topic stays, with its records.",
        };
        let message = format!("Source `{name}` (topic: {}) was dropped. {topic}", source.topic);
        Ok(Effect {
            stop,
            delete_topic: delete_topic.then(|| source.topic.clone()),
            views_gone: vec![name.to_string()],
            ..Effect::message(message)
        })
    }

    pub(super) fn alter_source(
        &mut self,
        kind: SourceKind,
        name: &str,
        add: &[(Ident, Type)],
        text: &str,
    ) -> Result<Effect> {
        let mut source = Source::clone(self.catalog.expect_source(name)?);
        if source.kind != kind {
            return Err(messages::definitions::altered_as_other_kind(name, source.kind, kind));
        }
        if source.query_id.is_some() {
            return Err(messages::definitions::altered_made(name));
        }
        if source.is_source {
            return Err(messages::definitions::altered_read_only(name, kind));
        }
        for (column, ty) in add {
            if source.columns.iter().any(|other| other.name == column.text) {
                return Err(messages::definitions::added_column_exists(&column.text).at(column.at));
            }
            let catalog = &*self.catalog;
            let ty = expr::to_sql_type(ty, &|name| catalog.custom_type(name).cloned())?;
            source.value.columns.push((column.text.clone(), ty.clone()));
            source.columns.push(Column { name: column.text.clone(), ty, role: ColumnRole::Value });
        }
        source.value.wrapped |= source.value.columns.len() > 1;
        source.statement = text.to_string();
        self.catalog.put_source(source);
        Ok(Effect::message(format!("{} {name} altered", kind_title(kind))))
    }
}

/// CREATE OR REPLACE: value columns may be added behind, nothing else of a stream or table may change.
pub(super) fn check_replacement(old: &Source, new: &Source) -> Result<()> {
    let refuse = |fixed: Fixed| Err(messages::definitions::upgrade_of_source(&old.name, old.kind, &fixed));
    if old.topic != new.topic {
        return refuse(Fixed::Topic { from: &old.topic, to: &new.topic });
    }
    if old.key != new.key {
        return refuse(Fixed::Key);
    }
    if old.value.format != new.value.format || old.value.delimiter != new.value.delimiter {
        return refuse(Fixed::ValueFormat);
    }
    if old.versions_retention_ms != new.versions_retention_ms {
        return refuse(Fixed::VersionsRetention);
    }
    if old.timestamp != new.timestamp || old.window != new.window {
        return refuse(Fixed::TimestampOrWindow);
    }
    let kept = old.value.columns.len() <= new.value.columns.len()
        && old.value.columns.iter().zip(&new.value.columns).all(|(old, new)| old == new);
    if !kept {
        return refuse(Fixed::Columns);
    }
    let bare = new.value.format == Format::Json && !old.value.wrapped && !old.value.columns.is_empty();
    if bare && new.value.wrapped {
        return refuse(Fixed::Wrapping);
    }
    Ok(())
}
