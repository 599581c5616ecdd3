//! The last projection: which columns of the SELECT list are the key, and which are values.

use crate::analyze::builder::{Builder, FromKey, Target};
use crate::analyze::items::Item;
use crate::analyze::keys::{KeyColumn, is_column, substitute_keys};
use crate::analyze::rewrite;
use crate::analyze::source::is_pseudo_column;
use crate::analyze::subquery::{hidden_key, is_hidden};
use crate::error::{Error, Result};
use crate::plan::{Project, Rekey, Schema, SchemaColumn, Step};
use crate::sql::ast::{self, Expr, ExprKind};
use crate::sql::format;

impl Builder<'_> {
    /// The last projection: for a topic the key columns first, for a reader the list as it was written.
    pub(super) fn final_projection(&mut self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<()> {
        let items: Vec<Item> =
            items.into_iter().map(|item| Item { expr: substitute_keys(&item.expr, keys), ..item }).collect();
        let (key_items, value_items) = match self.target {
            Target::Persistent => self.split_keys(items, keys)?,
            Target::Transient => (self.hidden_keys(keys), items),
            Target::Subquery => self.keys_among(items, keys)?,
        };
        if self.persistent() && value_items.is_empty() {
            return Err(Error::statement("The projection contains no value columns."));
        }
        if let Some(item) =
            value_items.iter().find(|item| self.target != Target::Transient && is_pseudo_column(&item.name))
        {
            return Err(Error::statement(format!(
                "Reserved column name in select: `{}`. Please remove or alias the column.",
                item.name
            ))
            .at(item.at));
        }
        let mut project = Project { keys: Vec::new(), values: Vec::new(), names: Vec::new(), rekey: Rekey::Keep };
        let mut columns = Vec::new();
        for (list, items) in [(&mut project.keys, &key_items), (&mut project.values, &value_items)] {
            for item in items {
                let typed = self.check(&item.expr)?;
                let Some(ty) = typed.ty().cloned() else {
                    return Err(Error::statement(format!(
                        "The type of column `{}` is unknown: it is NULL, or empty.",
                        item.name
                    ))
                    .hint("CAST(NULL AS type) gives it one, as CAST(ARRAY[] AS ARRAY<INT>) does")
                    .at(item.at));
                };
                columns.push(SchemaColumn { name: item.name.clone(), ty });
                project.names.push(item.name.clone());
                list.push(typed);
            }
        }
        let keys = key_items.len();
        self.step(Step::Project(project));
        self.schema = Schema { columns, keys };
        Ok(())
    }

    /// For a reader the key goes along unseen: a deleted row is known by it.
    fn hidden_keys(&self, keys: &[KeyColumn]) -> Vec<Item> {
        let place = Expr::new(ExprKind::Null, ast::Location::default());
        keys.iter()
            .enumerate()
            .map(|(index, key)| Item {
                expr: rewrite::column(&key.column, &place),
                name: hidden_key(index),
                aliased: true,
                at: ast::Location::default(),
            })
            .collect()
    }

    /// For another query: the key columns, as the list names them or unseen, and the other items. Every name is there once.
    fn keys_among(&mut self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<(Vec<Item>, Vec<Item>)> {
        let mut found = self.hidden_keys(keys);
        let mut is_found = vec![false; keys.len()];
        let mut values = Vec::new();
        for mut item in items {
            let key = keys.iter().position(|key| is_column(&item.expr, &key.column));
            if let Some(key) = key.filter(|_| is_internal(&item.name) && !item.aliased) {
                item.name.clone_from(&keys[key].default_name);
            }
            if self.listed.contains(&item.name) {
                return Err(Error::statement(format!("Duplicate column name in the SELECT list: `{}`", item.name))
                    .hint("give one of them another name with AS")
                    .at(item.at));
            }
            self.listed.push(item.name.clone());
            match key.filter(|key| !is_found[*key]) {
                Some(key) => {
                    is_found[key] = true;
                    found[key] = item;
                }
                None => values.push(item),
            }
        }
        Ok((found, values))
    }

    /// The key columns among the items, in the order of the topic's key, and the other items.
    fn split_keys(&self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<(Vec<Item>, Vec<Item>)> {
        let mut found: Vec<Option<Item>> = vec![None; keys.len()];
        // New keys keep the order of GROUP BY and PARTITION BY, and those of the source stand as they do there, unless a
        // setting of ksqlDB's says that they stand as the SELECT list has them.
        let rekeyed = !self.query.group_by.is_empty() || !self.query.partition_by.is_empty();
        let as_listed = self.settings.get("ksql.new.query.planner.enabled").is_some_and(|value| value == "true");
        let keeps_order = rekeyed || !as_listed;
        let mut order: Vec<usize> = (0..keys.len()).filter(|_| keeps_order).collect();
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
                    if !keeps_order {
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
            return Err(self.missing_keys(&missing, keys).at(self.query.items_at()));
        }
        Ok((order.into_iter().filter_map(|index| found[index].take()).collect(), values))
    }

    fn missing_keys(&self, missing: &[&str], keys: &[KeyColumn]) -> Error {
        if let Some(hidden) =
            keys.iter().find(|key| is_hidden(&key.default_name) && missing.contains(&&*key.default_name))
        {
            let query = self.names.qualifier_of(&hidden.column);
            return Error::statement(format!(
                "Key missing from projection (ie, SELECT). The rows of {query} have a key that isn't in the SELECT list of {query}."
            ))
            .hint(format!(
                "add it to both SELECT lists: it is what {query} groups or partitions by, or else the key of what {query} reads"
            ));
        }
        let kind = if !self.query.group_by.is_empty() {
            "grouping expression"
        } else if !self.query.partition_by.is_empty() {
            "partitioning expression"
        } else if let FromKey::Source(_) = &self.key {
            "key column"
        } else {
            return self.missing_join_key(missing);
        };
        let plural = if missing.len() > 1 { "s" } else { "" };
        let written: Vec<String> = keys
            .iter()
            .filter(|key| missing.contains(&key.default_name.as_str()))
            .map(|key| format::expression(&key.shown))
            .collect();
        Error::statement(format!(
            "Key missing from projection (ie, SELECT). The query must include the {kind}{plural} {} in its projection (eg, SELECT {}...).",
            written.join(" and "),
            written.join(", ")
        ))
    }

    /// `missing`: by their names in a result.
    fn missing_join_key(&self, missing: &[&str]) -> Error {
        let shown = |column: &String| {
            let place = Expr::new(ExprKind::Null, ast::Location::default());
            format::expression(&self.names.shown(&rewrite::column(column, &place)))
        };
        let must_include = |which: String, first: &str| {
            Error::statement(format!(
                "Key missing from projection (ie, SELECT). The query must include the join {which} in its projection (eg, SELECT {first}...)."
            ))
        };
        match &self.key {
            FromKey::Source(_) => Error::internal("a source's key is no join's"),
            FromKey::Join { candidates, .. } => {
                let shown: Vec<String> = candidates.iter().map(shown).collect();
                match shown.split_last() {
                    Some((last, [])) => must_include(format!("expression {last}"), last),
                    Some((last, others)) => {
                        must_include(format!("expressions {} or {last}", others.join(", ")), &shown[0])
                    }
                    None => Error::internal("the key of a join has no name"),
                }
            }
            FromKey::Made(column) => must_include(format!("expression {column}"), column).hint(format!(
                "{column} was added as a synthetic key column because the join criteria did not match any source column. This expression must be included in the projection and may be aliased."
            )),
            FromKey::LeftTable { columns, table } => {
                let names = columns.iter().filter(|column| missing.contains(&self.names.result_name(column).as_str()));
                let written: Vec<String> = names.map(shown).collect();
                let plural = if missing.len() > 1 { "s" } else { "" };
                Error::statement(format!(
                    "Primary key column{plural} missing in projection. For foreign-key table-table joins, the projection must include all primary key columns from the left input table ({table}). Missing column{plural}: {}.",
                    written.join(", ")
                ))
            }
            FromKey::Both(..) => {
                let plural = if missing.len() > 1 { "s" } else { "" };
                Error::statement(format!(
                    "Primary key column{plural} missing in projection. Tables that are joined by what is neither one's key make a table with both keys. Missing column{plural}: {}.",
                    missing.join(", ")
                ))
            }
        }
    }
}

fn is_internal(name: &str) -> bool {
    name.starts_with("KSQL_INTERNAL_")
}
