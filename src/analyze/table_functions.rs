//! Table functions in a SELECT list.

use crate::analyze::builder::Builder;
use crate::analyze::calls::{has_table_call, is_table_call};
use crate::analyze::items::Item;
use crate::analyze::keys::{KeyColumn, substitute_keys};
use crate::analyze::rewrite;
use crate::error::{Error, Result};
use crate::expr;
use crate::messages;
use crate::plan::{SchemaColumn, Step};
use crate::sql::ast::{Expr, ExprKind};

impl Builder<'_> {
    /// Takes table functions out of the SELECT list into a step of their own.
    pub(super) fn table_functions(&mut self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<Vec<Item>> {
        let mut calls: Vec<Expr> = Vec::new();
        let mut rewritten = Vec::with_capacity(items.len());
        for mut item in items {
            item.expr = rewrite::rewrite::<Error>(&item.expr, &mut |node| {
                if !is_table_call(node) {
                    return Ok(None);
                }
                let ExprKind::Call { args, .. } = &node.kind else { return Ok(None) };
                if args.iter().any(has_table_call) {
                    return Err(messages::clauses::nested_table_functions().at(node.at));
                }
                let index = calls.iter().position(|call| call == node).unwrap_or_else(|| {
                    calls.push(node.clone());
                    calls.len() - 1
                });
                Ok(Some(rewrite::column(format!("KSQL_INTERNAL_ROWS_{index}"), node)))
            })?;
            rewritten.push(item);
        }
        if calls.is_empty() {
            return Ok(rewritten);
        }
        if self.is_table() {
            return Err(messages::clauses::table_functions_of_table().at(calls[0].at));
        }
        let mut typed = Vec::new();
        for call in &calls {
            let ExprKind::Call { name, args } = &call.kind else { continue };
            let args = args.iter().map(|arg| self.check(&substitute_keys(arg, keys))).collect::<Result<Vec<_>>>()?;
            typed.push(expr::TableCall::new(&name.text, args).map_err(|error| error.at(call.at))?);
        }
        for (index, call) in typed.iter().enumerate() {
            let name = format!("KSQL_INTERNAL_ROWS_{index}");
            self.schema.columns.push(SchemaColumn { name, ty: call.returns.clone() });
        }
        self.step(Step::FlatMap { calls: typed });
        Ok(rewritten)
    }
}
