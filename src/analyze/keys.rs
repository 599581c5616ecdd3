//! The key of a query's rows: kept, or made anew by PARTITION BY and GROUP BY.

use crate::analyze::builder::Builder;
use crate::analyze::calls::reject_calls;
use crate::analyze::rewrite;
use crate::error::{Error, Result};
use crate::plan::{Project, Rekey, Schema, SchemaColumn, Step};
use crate::sql::ast::{self, Expr, ExprKind};

impl Builder<'_> {
    /// PARTITION BY: a projection to the new key. Gives the key expressions of the rows as they are
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
        // No exchange: nothing behind it keeps state of a key, and the sink places the records by their new key.
        let keys = self.rekey(&exprs, Rekey::PartitionBy)?;
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
