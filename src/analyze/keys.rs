//! The key of a query's rows: kept, or made anew by PARTITION BY and GROUP BY.

use crate::analyze::builder::{Builder, FromKey};
use crate::analyze::calls::reject_calls;
use crate::analyze::items::Item;
use crate::analyze::names::StarColumn;
use crate::analyze::rewrite;
use crate::analyze::source::PSEUDO_COLUMNS;
use crate::analyze::subquery::is_hidden;
use crate::catalog::ColumnRole;
use crate::error::{Error, Result};
use crate::expr::Typed;
use crate::messages;
use crate::plan::{Project, Rekey, Schema, SchemaColumn, Step};
use crate::sql::ast::{self, Expr, ExprKind};

impl Builder<'_> {
    /// PARTITION BY: a projection to the new key. Gives the key expressions of the rows as they are
    /// after it, each under the name that the final projection knows it by.
    pub(super) fn partition_by(&mut self, star: &mut Vec<StarColumn>) -> Result<Vec<KeyColumn>> {
        let exprs = self.query.partition_by.iter().map(|expr| self.names.in_plan(expr)).collect::<Result<Vec<_>>>()?;
        let old: &[String] = if let FromKey::Source(columns) = &self.key { &columns.clone() } else { &[] };
        if exprs.iter().any(|expr| expr.kind == ExprKind::Null) {
            if exprs.len() > 1 {
                return Err(messages::keys::null_among_several().at(exprs[0].at));
            }
            self.rekey(&[], Rekey::PartitionBy)?;
            move_keys_last(star, old, &[]);
            return Ok(Vec::new());
        }
        for expr in &exprs {
            reject_calls(expr, "PARTITION BY")?;
        }
        let typed = exprs.iter().map(|expr| self.check(expr)).collect::<Result<Vec<_>>>()?;
        if self.is_key(&typed) {
            let columns = self.schema.columns[..self.schema.keys].iter();
            return Ok(exprs.iter().zip(columns).map(|(expr, column)| self.key_column(expr, &column.name)).collect());
        }
        // No exchange: nothing behind it keeps state of a key, and the sink places the records by their new key.
        let keys = self.rekey(&exprs, Rekey::PartitionBy)?;
        self.repartitioned = true;
        move_keys_last(star, old, &keys);
        Ok(keys)
    }

    /// Whether the expressions are the rows' key as it is.
    pub(super) fn is_key(&self, exprs: &[Typed]) -> bool {
        let columns = exprs.iter().map(Typed::as_column);
        exprs.len() == self.schema.keys && columns.enumerate().all(|(index, column)| column == Some(index))
    }

    /// A key column of the rows of FROM, as `written` names it.
    fn key_column(&self, written: &Expr, column: &str) -> KeyColumn {
        let default_name = match &written.kind {
            ExprKind::Column { name, .. } => self.names.result_name(&name.text),
            _ => column.to_string(),
        };
        KeyColumn {
            written: written.clone(),
            shown: self.names.shown(written),
            column: column.to_string(),
            default_name,
        }
    }

    /// The key of the rows of FROM for a SELECT list: of columns that are the same by a join, the one that is in the list
    /// is the key, and what stands for it there then is the key's column.
    pub(super) fn keys_of_from(&self, items: Vec<Item>) -> Result<(Vec<Item>, Vec<KeyColumn>)> {
        self.keys_of(&self.key, items)
    }

    fn keys_of(&self, key: &FromKey, mut items: Vec<Item>) -> Result<(Vec<Item>, Vec<KeyColumn>)> {
        let place = Expr::new(ExprKind::Null, ast::Location::default());
        let own = |name: &String| self.key_column(&rewrite::column(name, &place), name);
        let keys = match key {
            FromKey::Source(columns) | FromKey::LeftTable { columns, .. } => columns.iter().map(own).collect(),
            FromKey::Made(column) => vec![own(column)],
            FromKey::Join { column, candidates } => {
                let listed = |candidate: &&String| items.iter().any(|item| is_column(&item.expr, candidate));
                let Some(chosen) = candidates.iter().find(listed).or(candidates.first()) else {
                    return Err(Error::internal("the key of a join has no name"));
                };
                for item in items.iter_mut().filter(|item| is_column(&item.expr, chosen)) {
                    item.expr = rewrite::column(column, &item.expr);
                }
                let named = self.key_column(&rewrite::column(chosen, &place), column);
                vec![KeyColumn { written: rewrite::column(column, &place), ..named }]
            }
            FromKey::Both(left, right) => {
                let (of_left, left) = self.keys_of(left, items)?;
                let (of_both, right) = self.keys_of(right, of_left)?;
                items = of_both;
                [left, right].concat()
            }
        };
        Ok((items, keys))
    }

    /// Adds a projection that gives the rows a new key; all their columns go on as values.
    pub(super) fn rekey(&mut self, exprs: &[Expr], rekey: Rekey) -> Result<Vec<KeyColumn>> {
        let mut keys = Vec::new();
        let mut typed_keys = Vec::new();
        let mut columns = Vec::new();
        let mut unnamed = 0;
        for (index, expr) in exprs.iter().enumerate() {
            let typed = self.check(expr)?;
            let Some(ty) = typed.ty().cloned() else {
                return Err(messages::keys::null_is_no_key().at(expr.at));
            };
            let default_name = match &expr.kind {
                ExprKind::Column { name, .. } => self.names.result_name(&name.text),
                ExprKind::Field { field, .. } => field.text.clone(),
                _ => {
                    unnamed += 1;
                    format!("KSQL_COL_{}", unnamed - 1)
                }
            };
            let column = format!("KSQL_INTERNAL_KEY_{index}");
            columns.push(SchemaColumn { name: column.clone(), ty });
            typed_keys.push(typed);
            keys.push(KeyColumn { written: expr.clone(), shown: self.names.shown(expr), column, default_name });
        }
        let mut values = Vec::new();
        for column in &self.schema.columns {
            let expr = rewrite::column(&column.name, &Expr::new(ExprKind::Null, ast::Location::default()));
            values.push(self.check(&expr)?);
        }
        columns.extend(self.schema.columns.iter().cloned());
        let names = columns.iter().map(|column| column.name.clone()).collect();
        self.step(Step::Project(Project { keys: typed_keys, values, names, rekey }));
        self.window = None;
        self.schema = Schema { columns, keys: keys.len() };
        Ok(keys)
    }

    /// `*` of a join that is partitioned anew: of each source all columns with the pseudo columns, as ksqlDB has them; the
    /// key that the source had before the join last.
    pub(super) fn star_of_partitioned_join(&self) -> Vec<StarColumn> {
        let candidates: &[String] = if let FromKey::Join { candidates, .. } = &self.key { candidates } else { &[] };
        let mut star = self.names.star(false);
        star.retain(|column| column.source.is_none());
        for (number, source) in self.names.sources().enumerate() {
            let named = |keys: bool| {
                let there = source.columns.iter().filter(|column| !is_hidden(&column.name));
                let columns = there.filter(move |column| (column.role == ColumnRole::Key) == keys);
                columns.map(|column| column.name.clone())
            };
            let is_kept =
                |key: &String| self.names.column(number, key).is_some_and(|key| candidates.iter().any(|c| c == key));
            let (kept, moved): (Vec<String>, Vec<String>) = named(true).partition(is_kept);
            let pseudo = PSEUDO_COLUMNS.iter().map(ToString::to_string);
            let all = kept.into_iter().chain(named(false)).chain(pseudo).chain(moved);
            star.extend(self.names.star_columns(number, all.collect()));
        }
        star
    }
}

/// A column of the rows' key.
#[derive(Debug, Clone)]
pub(super) struct KeyColumn {
    /// What stands for it in the SELECT list.
    pub written: Expr,
    /// As the query has it, for errors.
    pub shown: Expr,
    /// Its column in the schema before the final projection.
    pub column: String,
    /// Its name when nobody gives it another.
    pub default_name: String,
}

pub(super) fn is_column(expr: &Expr, column: &str) -> bool {
    matches!(&expr.kind, ExprKind::Column { name, .. } if name.text == column)
}

/// Puts the key columns in the place of the expressions that they were made of.
pub(super) fn substitute_keys(expr: &Expr, keys: &[KeyColumn]) -> Expr {
    let result: Result<Expr> = rewrite::rewrite(expr, &mut |node| {
        if let ExprKind::Call { name, .. } = &node.kind
            && name.text == "AS_VALUE"
        {
            // AS_VALUE(key) is a copy in the value: its argument is read from the key all the same.
            return Ok(None);
        }
        Ok(keys.iter().find(|key| key.written == *node).map(|key| rewrite::column(&key.column, node)))
    });
    result.unwrap_or_else(|_| expr.clone())
}

/// `SELECT *` after PARTITION BY: the new key first, the old one (of a single source) last.
fn move_keys_last(star: &mut Vec<StarColumn>, old: &[String], new: &[KeyColumn]) {
    let mut firsts: Vec<StarColumn> = Vec::new();
    for key in new {
        let there = star.iter().position(|column| is_column(&key.written, &column.column));
        firsts.push(match there {
            Some(place) => star.remove(place),
            // The final projection gives it the name that such an expression gets.
            None => StarColumn { source: None, column: key.column.clone(), name: key.column.clone() },
        });
    }
    let (lasts, mut rest): (Vec<_>, Vec<_>) = star.drain(..).partition(|column| old.contains(&column.column));
    firsts.append(&mut rest);
    firsts.extend(lasts);
    *star = firsts;
}
