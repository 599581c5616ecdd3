//! The key of a query's rows: kept, made anew by PARTITION BY and GROUP BY, found again in the SELECT list.

use crate::analyze::calls::reject_calls;
use crate::analyze::items::Item;
use crate::analyze::query::Builder;
use crate::analyze::rewrite;
use crate::catalog::Source;
use crate::error::{Error, Result};
use crate::format::{Format, Layout};
use crate::plan::{Project, Rekey, Schema, SchemaColumn, Step};
use crate::sql::ast::{self, Expr, ExprKind};
use crate::types::SqlType;

impl Builder<'_> {
    /// PARTITION BY: a projection to the new key and an exchange. Gives the key expressions of the rows as they are
    /// after it, each under the name that the final projection knows it by.
    pub(super) fn partition_by(&mut self, star: &mut Vec<String>) -> Result<Vec<KeyColumn>> {
        let current = self.source_keys();
        if self.query.partition_by.is_empty() {
            return Ok(current);
        }
        let exprs = self.query.partition_by.iter().map(|expr| self.unqualified(expr)).collect::<Result<Vec<_>>>()?;
        if exprs.iter().any(|expr| expr.kind == ExprKind::Null) {
            if exprs.len() > 1 {
                return Err(Error::statement("Cannot PARTITION BY multiple columns including NULL").at(exprs[0].at));
            }
            self.rekey(&[], Rekey::PartitionBy)?;
            move_keys_last(star, &current, &[]);
            return Ok(Vec::new());
        }
        for expr in &exprs {
            reject_calls(expr, "PARTITION BY")?;
        }
        let same_key =
            exprs.len() == current.len() && exprs.iter().zip(&current).all(|(expr, key)| *expr == key.written);
        if same_key {
            return Ok(current);
        }
        let keys = self.rekey(&exprs, Rekey::PartitionBy)?;
        self.exchange();
        move_keys_last(star, &current, &keys);
        Ok(keys)
    }

    pub(super) fn source_keys(&self) -> Vec<KeyColumn> {
        let place = Expr::new(ExprKind::Null, ast::Location::default());
        self.source
            .key_columns()
            .map(|column| KeyColumn {
                written: rewrite::column(&column.name, &place),
                shown: rewrite::column(&column.name, &place),
                column: column.name.clone(),
                default_name: column.name.clone(),
            })
            .collect()
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
                return Err(Error::statement("NULL is no key: its type is unknown.").at(expr.at));
            };
            let default_name = match &expr.kind {
                ExprKind::Column { name, .. } => name.text.clone(),
                ExprKind::Field { field, .. } => field.text.clone(),
                _ => {
                    unnamed += 1;
                    format!("KSQL_COL_{}", unnamed - 1)
                }
            };
            let column = format!("KSQL_INTERNAL_KEY_{index}");
            columns.push(SchemaColumn { name: column.clone(), ty });
            typed_keys.push(typed);
            keys.push(KeyColumn { written: expr.clone(), shown: expr.clone(), column, default_name });
        }
        let mut values = Vec::new();
        for column in &self.schema.columns {
            let expr = rewrite::column(&column.name, &Expr::new(ExprKind::Null, ast::Location::default()));
            values.push(self.check(&expr)?);
        }
        columns.extend(self.schema.columns.iter().cloned());
        let names = columns.iter().map(|column| column.name.clone()).collect();
        self.step(Step::Project(Project { keys: typed_keys, values, names, rekey }));
        self.schema = Schema { columns, keys: keys.len() };
        Ok(keys)
    }

    /// For a reader the key goes along unseen: a deleted row is known by it.
    pub(super) fn hidden_keys(&self, keys: &[KeyColumn]) -> Vec<Item> {
        let place = Expr::new(ExprKind::Null, ast::Location::default());
        keys.iter()
            .enumerate()
            .map(|(index, key)| Item {
                expr: rewrite::column(&key.column, &place),
                name: format!("KSQL_INTERNAL_KEY_{index}"),
                aliased: true,
                at: ast::Location::default(),
            })
            .collect()
    }

    pub(super) fn split_keys(&self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<(Vec<Item>, Vec<Item>)> {
        let mut found: Vec<Option<Item>> = vec![None; keys.len()];
        // New keys keep the order of GROUP BY and PARTITION BY; those of the source stand as the SELECT list has them.
        let rekeyed = !self.query.group_by.is_empty() || !self.query.partition_by.is_empty();
        let mut order: Vec<usize> = (0..keys.len()).filter(|_| rekeyed).collect();
        let mut values = Vec::new();
        for item in items {
            let key = match &item.expr.kind {
                ExprKind::Column { name, .. } => keys.iter().position(|key| key.column == name.text),
                _ => None,
            };
            match key {
                None => values.push(item),
                Some(index) => {
                    let item = if item.aliased || !is_internal(&item.name) {
                        item
                    } else {
                        Item { name: keys[index].default_name.clone(), ..item }
                    };
                    if let Some(first) = &found[index] {
                        return Err(Error::statement(format!(
                            "The projection contains a key column (`{}`) more than once, aliased as: `{}` and `{}`.",
                            keys[index].default_name, first.name, item.name
                        ))
                        .hint("Each key column must only be in the projection once. If you intended to copy the key into the value, then consider using the AS_VALUE function to indicate which key reference should be copied.")
                        .at(item.at));
                    }
                    found[index] = Some(item);
                    if !rekeyed {
                        order.push(index);
                    }
                }
            }
        }
        let missing: Vec<&str> = keys
            .iter()
            .zip(&found)
            .filter(|(_, item)| item.is_none())
            .map(|(key, _)| key.default_name.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(self.missing_keys(&missing, keys));
        }
        Ok((order.into_iter().filter_map(|index| found[index].take()).collect(), values))
    }

    fn missing_keys(&self, missing: &[&str], keys: &[KeyColumn]) -> Error {
        let kind = if !self.query.group_by.is_empty() {
            "grouping expression"
        } else if !self.query.partition_by.is_empty() {
            "partitioning expression"
        } else {
            "key column"
        };
        let plural = if missing.len() > 1 { "s" } else { "" };
        let written: Vec<String> = keys
            .iter()
            .filter(|key| missing.contains(&key.default_name.as_str()))
            .map(|key| crate::sql::format::expression(&key.shown))
            .collect();
        Error::statement(format!(
            "Key missing from projection (ie, SELECT). The query must include the {kind}{plural} {} in its projection (eg, SELECT {}...).",
            written.join(" and "),
            written.join(", ")
        ))
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

fn is_internal(name: &str) -> bool {
    name.starts_with("KSQL_INTERNAL_")
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

/// `SELECT *` after PARTITION BY: the new key first, the old one last.
fn move_keys_last(star: &mut Vec<String>, old: &[KeyColumn], new: &[KeyColumn]) {
    let is_key = |keys: &[KeyColumn], name: &str| {
        keys.iter().any(|key| matches!(&key.written.kind, ExprKind::Column { name: column, .. } if column.text == name))
    };
    star.retain(|name| !is_key(old, name) && !is_key(new, name));
    let firsts: Vec<String> = new
        .iter()
        .map(|key| match &key.written.kind {
            ExprKind::Column { name, .. } => name.text.clone(),
            _ => key.column.clone(),
        })
        .collect();
    star.splice(0..0, firsts);
    star.extend(old.iter().filter(|key| !is_key(new, &key.default_name)).map(|key| key.default_name.clone()));
}

/// The layout by which an exchange places rows: that of the source's keys where it can carry them.
pub(super) fn exchange_layout(source: &Source, columns: Vec<(String, SqlType)>) -> Layout {
    let wrapped = columns.len() > 1;
    let format = if source.key.format == Format::None { Format::Kafka } else { source.key.format };
    let layout = Layout { format, delimiter: source.key.delimiter, columns, wrapped };
    match crate::format::check(&layout, crate::format::Part::Key) {
        Ok(()) => layout,
        Err(_) => Layout { format: Format::Json, ..layout },
    }
}
