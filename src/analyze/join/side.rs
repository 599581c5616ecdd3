//! A side of a join: a source, or what was joined before.

use crate::analyze::builder::{Builder, FromKey, expect_boolean};
use crate::analyze::join::KEY_COLUMN;
use crate::analyze::names::Names;
use crate::analyze::rewrite;
use crate::analyze::scope::{Columns, Synonym};
use crate::catalog::{SourceKind, SourceWindow};
use crate::error::Result;
use crate::expr::{self, Typed};
use crate::format::Layout;
use crate::plan::{Exchange, JoinKind, Project, Rekey, Scan, Schema, SchemaColumn, Stage, StageInput, Step};
use crate::sql::ast::{Expr, ExprKind, Location};
use crate::types::SqlType;

/// The rows of a side, as far as they are made.
pub(super) struct Side {
    pub stage: Stage,
    pub schema: Schema,
    pub kind: SourceKind,
    pub window: Option<SourceWindow>,
    /// The source, or the leftmost of those that are joined.
    pub source: usize,
    /// It is a join itself.
    pub joined: bool,
    pub key: SideKey,
    pub from_key: FromKey,
    /// The sources whose greatest ROWTIME is that of the row.
    pub times: Vec<usize>,
    /// How the key places rows.
    pub layout: Layout,
}

/// What the key of a side's rows is, as expressions over the plan's names.
#[derive(Debug, Clone, Default)]
pub(super) struct SideKey {
    /// They have the key's value in every row.
    equal: Vec<Expr>,
    /// They stand for the key in a SELECT list: what conditions have made equal, though it may be NULL in rows without a
    /// match.
    same: Vec<Expr>,
}

impl SideKey {
    pub fn of(expr: Expr) -> SideKey {
        SideKey { equal: vec![expr.clone()], same: vec![expr] }
    }

    /// The key of joined rows: this is the left side's, `right` is the right one's.
    pub fn joined(self, right: Expr, kind: JoinKind) -> SideKey {
        let SideKey { mut equal, mut same } = self;
        match kind {
            JoinKind::Inner => equal.push(right.clone()),
            JoinKind::Left => {}
            JoinKind::Right => equal = vec![right.clone()],
            JoinKind::Full => return SideKey::default(),
        }
        same.push(right);
        SideKey { equal, same }
    }

    /// Whether an expression has the key's value in every row.
    pub fn is(&self, expr: &Expr) -> bool {
        self.equal.contains(expr)
    }

    /// The columns that stand for the key in a SELECT list, in the order of FROM.
    pub fn columns(&self) -> Vec<String> {
        self.same.iter().filter_map(column_name).map(str::to_string).collect()
    }
}

fn column_name(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Column { name, .. } => Some(&name.text),
        _ => None,
    }
}

impl Side {
    pub fn scan(names: &Names, number: usize) -> Side {
        let source = names.source(number);
        let schema = names.scan(number);
        let keys: Vec<String> = schema.columns[..schema.keys].iter().map(|column| column.name.clone()).collect();
        let place = Expr::new(ExprKind::Null, Location::default());
        let key = match keys.as_slice() {
            [only] => SideKey::of(rewrite::column(only, &place)),
            _ => SideKey::default(),
        };
        let scan = Scan { source: source.clone(), wanted: vec![false; schema.columns.len()] };
        Side {
            stage: Stage { input: StageInput::Scan(scan), steps: Vec::new() },
            schema,
            kind: source.kind,
            window: source.window,
            source: number,
            joined: false,
            key,
            from_key: FromKey::Source(keys),
            times: vec![number],
            layout: source.key.clone(),
        }
    }

    /// The columns that are the key, so that they needn't be kept beside it.
    pub fn synonyms(&self) -> Vec<Synonym> {
        let Some(key) = self.schema.columns.first().filter(|_| self.schema.keys == 1) else { return Vec::new() };
        let others = self.key.equal.iter().filter_map(column_name).filter(|name| *name != key.name);
        others.map(|name| Synonym { name: name.to_string(), column: key.name.clone() }).collect()
    }

    /// The type of an expression over this side's columns.
    pub fn check(&self, builder: &Builder, expr: &Expr) -> Result<Typed> {
        let synonyms = self.synonyms();
        let scope = Columns {
            schema: &self.schema,
            synonyms: &synonyms,
            names: &builder.names,
            catalog: builder.catalog,
            rules: builder.rules,
        };
        expr::check(expr, &scope).map_err(|error| error.at(expr.at))
    }

    /// What must be TRUE of a pair of rows, of which these are the columns.
    pub fn condition(&self, builder: &Builder, expr: Option<&Expr>) -> Result<Option<Typed>> {
        expr.map(|expr| expect_boolean(self.check(builder, expr)?, expr, "ON")).transpose()
    }

    /// What makes an expression the rows' key: nothing, if it is.
    pub fn rekey(&self, typed: &Typed, expr: &Expr) -> Rekey {
        let is_key = self.schema.keys == 1 && (typed.as_column() == Some(0) || self.key.is(expr));
        if is_key { Rekey::Keep } else { Rekey::PartitionBy }
    }

    /// Its rows with a key of one column, `key`, and all columns as values.
    pub fn keyed(mut self, key: Typed, rekey: Rekey) -> Side {
        if self.joined && rekey == Rekey::Keep {
            return self;
        }
        let ty = key.ty().cloned().unwrap_or(SqlType::String);
        let synonyms = self.synonyms();
        // Of joined rows the key is among the values already, as far as it is a source's column.
        let from = if self.joined { self.schema.keys } else { 0 };
        let mut columns = vec![SchemaColumn { name: KEY_COLUMN.to_string(), ty }];
        let mut values = Vec::new();
        for (index, column) in self.schema.columns.iter().enumerate().skip(from) {
            let is_key = synonyms.iter().any(|synonym| synonym.name == column.name);
            values.push(Typed::column(if is_key { 0 } else { index }, column.ty.clone()));
            columns.push(column.clone());
        }
        let names = columns.iter().map(|column| column.name.clone()).collect();
        self.stage.steps.push(Step::Project(Project { keys: vec![key], values, names, rekey }));
        self.schema = Schema { columns, keys: 1 };
        self
    }

    /// Its rows with all columns as values beside the key, as those of a join have them.
    pub fn with_keys_as_values(mut self) -> Side {
        if self.joined {
            return self;
        }
        let column = |(index, column): (usize, &SchemaColumn)| Typed::column(index, column.ty.clone());
        let values: Vec<Typed> = self.schema.columns.iter().enumerate().map(column).collect();
        let keys = values[..self.schema.keys].to_vec();
        let columns = [&self.schema.columns[..self.schema.keys], &self.schema.columns].concat();
        let names = columns.iter().map(|column| column.name.clone()).collect();
        self.stage.steps.push(Step::Project(Project { keys, values, names, rekey: Rekey::Keep }));
        self.schema.columns = columns;
        self
    }

    pub fn key_columns(&self) -> Vec<(String, SqlType)> {
        let keys = self.schema.columns[..self.schema.keys].iter();
        keys.map(|column| (column.name.clone(), column.ty.clone())).collect()
    }

    /// Sends its rows to the partitions of their keys; the stage that it was so far is done.
    pub fn exchange(&mut self, stages: &mut Vec<Stage>, layout: Layout) {
        let key = Layout { columns: self.key_columns(), wrapped: false, ..layout };
        let types = self.schema.columns.iter().map(|column| column.ty.clone()).collect();
        self.layout = key.clone();
        let input = StageInput::Exchange(Exchange { from: stages.len(), key, types });
        stages.push(std::mem::replace(&mut self.stage, Stage { input, steps: Vec::new() }));
    }
}
