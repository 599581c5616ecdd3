//! The last projection: which columns of the SELECT list are the key, and which are values.

use crate::analyze::builder::{Builder, FromKey, Target};
use crate::analyze::items::Item;
use crate::analyze::keys::{KeyColumn, is_column, substitute_keys};
use crate::analyze::rewrite;
use crate::analyze::source::is_pseudo_column;
use crate::analyze::subquery::{hidden_key, is_hidden};
use crate::error::{Error, Result};
use crate::messages;
use crate::messages::keys::Missing;
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
            return Err(messages::projections::no_values());
        }
        if let Some(item) =
            value_items.iter().find(|item| self.target != Target::Transient && is_pseudo_column(&item.name))
        {
            return Err(messages::projections::reserved_name(&item.name).at(item.at));
        }
        let mut project = Project { keys: Vec::new(), values: Vec::new(), names: Vec::new(), rekey: Rekey::Keep };
        let mut columns = Vec::new();
        for (list, items) in [(&mut project.keys, &key_items), (&mut project.values, &value_items)] {
            for item in items {
                let typed = self.check(&item.expr)?;
                let Some(ty) = typed.ty().cloned() else {
                    return Err(messages::projections::unknown_type(&item.name).at(item.at));
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
                return Err(messages::projections::duplicate_name(&item.name).at(item.at));
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
                        return Err(messages::projections::key_twice(
                            &keys[index].default_name,
                            &first.name,
                            &item.name,
                        )
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
            return messages::keys::missing_of_subquery(query);
        }
        let what = if !self.query.group_by.is_empty() {
            Missing::Group
        } else if !self.query.partition_by.is_empty() {
            Missing::Partition
        } else if let FromKey::Source(_) = &self.key {
            Missing::Source
        } else {
            return self.missing_join_key(missing);
        };
        let written: Vec<String> = keys
            .iter()
            .filter(|key| missing.contains(&key.default_name.as_str()))
            .map(|key| format::expression(&key.shown))
            .collect();
        messages::keys::missing(&what, &written)
    }

    /// `missing`: by their names in a result.
    fn missing_join_key(&self, missing: &[&str]) -> Error {
        let shown = |column: &String| {
            let place = Expr::new(ExprKind::Null, ast::Location::default());
            format::expression(&self.names.shown(&rewrite::column(column, &place)))
        };
        match &self.key {
            FromKey::Source(_) => Error::internal("a source's key is no join's"),
            FromKey::Join { candidates, .. } => {
                messages::keys::missing_of_join(&candidates.iter().map(shown).collect::<Vec<_>>())
            }
            FromKey::Made(column) => messages::keys::missing_synthetic(column),
            FromKey::LeftTable { columns, table } => {
                let names = columns.iter().filter(|column| missing.contains(&self.names.result_name(column).as_str()));
                let written: Vec<String> = names.map(shown).collect();
                messages::keys::missing_of_left_table(table, &written)
            }
            FromKey::Both(..) => messages::keys::missing_of_both_tables(missing),
        }
    }
}

fn is_internal(name: &str) -> bool {
    name.starts_with("KSQL_INTERNAL_")
}
