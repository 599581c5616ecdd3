//! SELECT DISTINCT: a last step that lets each row of a stream through once.
//!
//! Rows are grouped by all their columns, NULL being a value like others, and a group's first row goes on: with its own
//! time, at once, whatever is cached. Without a window a row is remembered for ever; with a tumbling one it comes once in
//! each window that has it.

use crate::analyze::builder::Builder;
use crate::error::Result;
use crate::expr::Typed;
use crate::messages;
use crate::plan::{Aggregate, Project, Rekey, Schema, SchemaColumn, Step, WindowKind};
use crate::sql::ast::{Expr, ExprKind, Location};
use crate::types::SqlType;

impl Builder<'_> {
    /// What can't be distinct, before anything else is said of the query.
    pub(super) fn check_distinct(&self, aggregated: bool) -> Result<()> {
        if !self.query.distinct {
            return Ok(());
        }
        if aggregated {
            return Err(messages::aggregates::distinct_of_groups());
        }
        if self.is_table() {
            return Err(messages::aggregates::distinct_of_table());
        }
        Ok(())
    }

    /// Adds the step behind the last projection.
    pub(super) fn distinct(&mut self) -> Result<()> {
        let window = self.query.window.as_ref().map(|written| super::aggregate::window(written, false)).transpose()?;
        if window.is_some_and(|window| !matches!(window.kind, WindowKind::Tumbling { .. })) {
            return Err(messages::aggregates::distinct_in_windows());
        }
        // The key of a reader's rows is not what it sees of them.
        let first = if self.persistent() { 0 } else { self.schema.keys };
        let columns = self.schema.columns[first..].to_vec();
        let keys = if self.persistent() { self.schema.keys } else { 0 };
        if let Some(column) = columns.iter().find(|column| has_map(&column.ty)) {
            return Err(messages::aggregates::distinct_map(&column.name));
        }
        let mut groups: Vec<Typed> =
            columns.iter().enumerate().map(|(index, column)| Typed::column(first + index, column.ty.clone())).collect();
        let mut grouped = columns.clone();
        // A key of one column has no NULL.
        let place = Expr::new(ExprKind::Int(0), Location::default());
        groups.push(self.check(&place)?);
        grouped.push(SchemaColumn { name: "KSQL_INTERNAL_DISTINCT".to_string(), ty: SqlType::Int });
        let names = |columns: &[SchemaColumn]| columns.iter().map(|column| column.name.clone()).collect();
        let key_types: Vec<SqlType> = grouped.iter().map(|column| column.ty.clone()).collect();
        let rekey = Project { keys: groups, values: Vec::new(), names: names(&grouped), rekey: Rekey::GroupBy };
        self.step(Step::Project(rekey));
        self.schema = Schema { keys: grouped.len(), columns: grouped };
        self.exchange();
        self.step(Step::Aggregate(Aggregate {
            key_types,
            calls: Vec::new(),
            window,
            emit_final: false,
            distinct: true,
            table_input: false,
        }));
        let mut all: Vec<Typed> =
            columns.iter().enumerate().map(|(index, column)| Typed::column(index, column.ty.clone())).collect();
        let values = all.split_off(keys);
        self.step(Step::Project(Project { keys: all, values, names: names(&columns), rekey: Rekey::PartitionBy }));
        self.schema = Schema { columns, keys };
        Ok(())
    }
}

fn has_map(ty: &SqlType) -> bool {
    match ty {
        SqlType::Map(_) => true,
        SqlType::Array(item) => has_map(item),
        SqlType::Struct(fields) => fields.iter().any(|(_, ty)| has_map(ty)),
        _ => false,
    }
}
