//! GROUP BY: the projection to groups, the exchange, the aggregation, HAVING, and the projection above it.

use std::collections::BTreeMap;

use crate::analyze::builder::Builder;
use crate::analyze::calls::{AggregateParts, aggregate_call, has_aggregate, is_aggregate_call, reject_calls};
use crate::analyze::items::Item;
use crate::analyze::keys::{KeyColumn, substitute_keys};
use crate::analyze::rewrite;
use crate::analyze::source::WINDOW_COLUMNS;
use crate::analyze::window_bounds;
use crate::error::Result;
use crate::expr::accumulator::AggregateCall;
use crate::expr::{self, Typed};
use crate::messages;
use crate::plan::{
    Aggregate, AggregateStep, Exchange, Project, Rekey, ResultKind, Schema, SchemaColumn, Stage, StageInput, Step,
    Window, WindowKind,
};
use crate::sql::ast::{self, Emit, Expr, ExprKind};
use crate::types::{SqlType, Value};

const DAY_MS: i64 = 86_400_000;

/// Adds the steps of an aggregation to the builder. `of_windows`: what WHERE asks of the windows.
pub(super) fn build(builder: &mut Builder, items: Vec<Item>, of_windows: Option<Expr>) -> Result<()> {
    let query = builder.query;
    if query.group_by.is_empty() && builder.persistent() {
        return Err(messages::aggregates::no_group_by().at(query.items_at()));
    }
    let emit_final = query.emit == Some(Emit::Final);
    let window = query.window.as_ref().map(|written| window(written, emit_final)).transpose()?;
    if let Some(written) = query.window.as_ref().filter(|_| builder.is_table()) {
        return Err(messages::windows::window_of_table().at(written.at));
    }
    if query.emit == Some(Emit::Final) && window.is_none() {
        return Err(messages::windows::final_without_window().at(query.items_at()));
    }
    let groups = group_expressions(builder)?;
    let mut calls = Calls::default();
    let items = items
        .into_iter()
        .map(|item| Ok(Item { expr: calls.take(&substitute_groups(&item.expr, &groups))?, ..item }))
        .collect::<Result<Vec<_>>>()?;
    let having = match &query.having {
        Some(having) => {
            let having = builder.resolved(having, "HAVING")?;
            Some(calls.take(&substitute_groups(&having, &groups))?)
        }
        None => None,
    };
    if calls.list.is_empty() {
        return Err(messages::aggregates::group_by_without_aggregate()
            .at(query.group_by.first().map_or(query.items_at(), |group| group.at)));
    }
    for expr in items.iter().map(|item| &item.expr).chain(&having) {
        reject_ungrouped(expr, window.is_some())?;
    }

    let identity = row_identity(builder);
    let keys = add_groups(builder, &groups)?;
    let steps = add_arguments(builder, &calls.list, keys.len(), &identity)?;
    add_aggregation(builder, &groups, &keys, steps, window)?;
    if let Some(condition) = &of_windows {
        let predicate = builder.boolean(condition, "WHERE")?;
        builder.step(Step::Filter { predicate, table: true, name: "WHERE" });
    }
    if let Some(having) = &having {
        let predicate = builder.boolean(having, "HAVING")?;
        builder.step(Step::Filter { predicate, table: true, name: "HAVING" });
    }
    builder.final_projection(items, &keys)
}

/// What rows are grouped by: as written, and the column that stands for it above the aggregation.
struct Group {
    written: Expr,
    column: String,
}

fn group_expressions(builder: &Builder) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    if builder.query.group_by.is_empty() {
        // All rows are one group: a constant stands for its key.
        let written = Expr::new(ExprKind::Int(0), ast::Location::default());
        return Ok(vec![Group { written, column: "KSQL_INTERNAL_GROUP_0".to_string() }]);
    }
    for expr in &builder.query.group_by {
        if has_aggregate(expr) {
            return Err(messages::aggregates::group_by_aggregate().at(expr.at));
        }
        let written = builder.resolved(expr, "GROUP BY")?;
        // A group of a windowed aggregation is one of a window: its bounds make no other groups.
        if window_bounds::is_bound(builder, &written) {
            continue;
        }
        if groups.iter().any(|group| group.written == written) {
            continue;
        }
        groups.push(Group { written, column: format!("KSQL_INTERNAL_GROUP_{}", groups.len()) });
    }
    if groups.is_empty() {
        return Err(messages::aggregates::group_by_bounds_alone().at(builder.query.group_by[0].at));
    }
    Ok(groups)
}

fn substitute_groups(expr: &Expr, groups: &[Group]) -> Expr {
    let keys: Vec<KeyColumn> = groups
        .iter()
        .map(|group| KeyColumn {
            written: group.written.clone(),
            shown: group.written.clone(),
            column: group.column.clone(),
            default_name: group.column.clone(),
        })
        .collect();
    // Arguments of aggregates are read from the rows, not from the groups.
    let result: Result<Expr> = rewrite::rewrite(expr, &mut |node| {
        if is_aggregate_call(node) {
            return Ok(Some(node.clone()));
        }
        Ok(keys.iter().find(|key| key.written == *node).map(|key| rewrite::column(&key.column, node)))
    });
    result.unwrap_or_else(|_| substitute_keys(expr, &keys))
}

/// The aggregate calls of a query, each once.
#[derive(Default)]
struct Calls {
    list: Vec<Expr>,
}

impl Calls {
    /// Puts columns in the place of the calls.
    fn take(&mut self, expr: &Expr) -> Result<Expr> {
        rewrite::rewrite(expr, &mut |node| {
            let Some(call) = aggregate_call(node) else { return Ok(None) };
            if call.args.iter().chain(call.filter).any(has_aggregate) {
                return Err(messages::aggregates::nested(&call.name.text).at(node.at));
            }
            let index = self.list.iter().position(|call| call == node).unwrap_or_else(|| {
                self.list.push(node.clone());
                self.list.len() - 1
            });
            Ok(Some(rewrite::column(aggregate_column(index), node)))
        })
    }
}

fn aggregate_column(index: usize) -> String {
    format!("KSQL_AGG_VARIABLE_{index}")
}

fn reject_ungrouped(expr: &Expr, windowed: bool) -> Result<()> {
    rewrite::rewrite(expr, &mut |node| {
        match &node.kind {
            ExprKind::Lambda { .. } => return Ok(Some(node.clone())),
            ExprKind::Column { name, .. } => {
                let internal =
                    name.text.starts_with("KSQL_INTERNAL_GROUP_") || name.text.starts_with("KSQL_AGG_VARIABLE_");
                let bound = windowed && matches!(name.text.as_str(), "WINDOWSTART" | "WINDOWEND");
                if !internal && !bound {
                    return Err(messages::aggregates::ungrouped_column(&name.text).at(node.at));
                }
            }
            _ => {}
        }
        Ok(None)
    })
    .map(|_| ())
}

/// The projection to the groups; an exchange when they are not the rows' key already.
fn add_groups(builder: &mut Builder, groups: &[Group]) -> Result<Vec<KeyColumn>> {
    let written: Vec<Expr> = groups.iter().map(|group| group.written.clone()).collect();
    let typed = written.iter().map(|expr| builder.check(expr)).collect::<Result<Vec<_>>>()?;
    let same_key = builder.is_key(&typed);
    let mut keys = builder.rekey(&written, Rekey::GroupBy)?;
    if !same_key {
        builder.exchange();
    }
    for (key, group) in keys.iter_mut().zip(groups) {
        key.written = rewrite::column(&group.column, &group.written);
        key.column.clone_from(&group.column);
    }
    Ok(keys)
}

/// The columns by which a row of a table is known; none of a stream's.
fn row_identity(builder: &Builder) -> Vec<String> {
    if !builder.is_table() {
        return Vec::new();
    }
    let keys = builder.schema.columns[..builder.schema.keys].iter().map(|column| column.name.clone());
    let bounds = builder.schema.columns.iter().map(|column| column.name.clone());
    let bounds = bounds.filter(|name| builder.window.is_some() && WINDOW_COLUMNS.contains(&name.as_str()));
    keys.chain(bounds).collect()
}

/// The projection to the arguments of the calls, and the calls over them. `identity`: see [`row_identity`].
fn add_arguments(
    builder: &mut Builder,
    calls: &[Expr],
    key_count: usize,
    identity: &[String],
) -> Result<Vec<AggregateStep>> {
    let mut columns: Vec<SchemaColumn> = builder.schema.columns[..key_count].to_vec();
    let mut values: Vec<Typed> = Vec::new();
    let mut steps = Vec::new();
    for call in calls {
        let Some(parts) = aggregate_call(call) else { continue };
        let name = &parts.name.text;
        if parts.args.is_empty() && name != "COUNT" && builder.names.is_table_query() {
            return Err(messages::aggregates::no_argument_over_table_query(name).at(call.at));
        }
        let row_time = rewrite::column("ROWTIME", call);
        let args = if parts.args.is_empty() { std::slice::from_ref(&row_time) } else { parts.args };
        let mut typed = args.iter().map(|arg| builder.check(arg)).collect::<Result<Vec<_>>>()?;
        let resolved =
            expr::resolve_aggregate(&parts.name.text, &typed, builder.rules).map_err(|error| error.at(call.at))?;
        typed.truncate(resolved.columns.len());
        let mut step = AggregateStep {
            call: AggregateCall {
                name: resolved.name,
                init: constants(&args[resolved.columns.len()..], builder)?,
                args: resolved.columns,
                collect_limit: collect_limit(resolved.name, builder.settings),
                retracts: builder.is_table(),
                distinct: parts.distinct,
                filtered: parts.filter.is_some(),
            },
            build: resolved.build,
            args: Vec::new(),
            returns: resolved.returns,
        };
        check_call(&step, &parts).map_err(|error| error.at(call.at))?;
        if step.call.name.ends_with("_BY_OFFSET") {
            let key = |name: &String| builder.check(&rewrite::column(name, call));
            typed.extend(identity.iter().map(key).collect::<Result<Vec<_>>>()?);
        }
        if let Some(filter) = parts.filter {
            reject_calls(filter, "FILTER")?;
            typed.push(builder.boolean(filter, "FILTER")?);
        }
        for typed in typed {
            step.args.push(columns.len());
            let (name, ty) = (format!("KSQL_INTERNAL_ARG_{}", values.len()), typed.known_type()?.clone());
            columns.push(SchemaColumn { name, ty });
            values.push(typed);
        }
        steps.push(step);
    }
    let keys = (0..key_count)
        .map(|index| builder.check(&rewrite::column(&columns[index].name, &calls[0])))
        .collect::<Result<Vec<_>>>()?;
    let names = columns.iter().map(|column| column.name.clone()).collect();
    let project = Project { keys, values, names, rekey: Rekey::Keep };
    // The arguments are made before the exchange, so that only they travel.
    let mut stage = builder.stages.len() - 1;
    if let Some(Stage { input: StageInput::Exchange(Exchange { from, types, .. }), steps }) = builder.stages.last_mut()
        && steps.is_empty()
    {
        let made = project.keys.iter().chain(&project.values).map(Typed::ty);
        *types = made.zip(&columns).map(|(made, column)| made.unwrap_or(&column.ty).clone()).collect();
        stage = *from;
    }
    builder.stages[stage].steps.push(Step::Project(project));
    builder.schema = Schema { columns, keys: key_count };
    Ok(steps)
}

/// What an aggregate can't be asked for.
fn check_call(step: &AggregateStep, parts: &AggregateParts) -> Result<()> {
    let name = step.call.name;
    if step.call.distinct && (step.call.args.len() != 1 || name.ends_with("_BY_OFFSET")) {
        return Err(messages::aggregates::no_distinct(name));
    }
    if parts.distinct && parts.args.is_empty() {
        return Err(messages::aggregates::distinct_of_nothing());
    }
    if step.call.retracts && !expr::build_aggregate(step.build, &step.call)?.can_undo() {
        return Err(messages::aggregates::not_over_tables(name));
    }
    Ok(())
}

fn constants(args: &[Expr], builder: &Builder) -> Result<Vec<Value>> {
    args.iter()
        .map(|arg| {
            expr::constant(arg, None, &|name| builder.catalog.custom_type(name).cloned())
                .map_err(|error| messages::aggregates::parameter_not_constant(&error.what).at(arg.at))
        })
        .collect()
}

/// The most elements that COLLECT_LIST and COLLECT_SET keep.
fn collect_limit(name: &str, settings: &BTreeMap<String, String>) -> Option<usize> {
    let setting = format!("ksql.functions.{}.limit", name.to_lowercase());
    let limit = settings.get(&setting)?.parse::<i64>().ok()?;
    usize::try_from(limit).ok()
}

fn add_aggregation(
    builder: &mut Builder,
    groups: &[Group],
    keys: &[KeyColumn],
    calls: Vec<AggregateStep>,
    window: Option<Window>,
) -> Result<()> {
    let key_types: Vec<SqlType> = builder.schema.columns[..keys.len()].iter().map(|column| column.ty.clone()).collect();
    let mut columns: Vec<SchemaColumn> = groups
        .iter()
        .zip(&key_types)
        .map(|(group, ty)| SchemaColumn { name: group.column.clone(), ty: ty.clone() })
        .collect();
    for (index, call) in calls.iter().enumerate() {
        columns.push(SchemaColumn { name: aggregate_column(index), ty: call.returns.clone() });
    }
    if window.is_some() {
        for name in ["WINDOWSTART", "WINDOWEND"] {
            columns.push(SchemaColumn { name: name.to_string(), ty: SqlType::Bigint });
        }
    }
    let emit_final = builder.query.emit == Some(Emit::Final);
    let table_input = builder.is_table();
    builder.step(Step::Aggregate(Aggregate { key_types, calls, window, emit_final, distinct: false, table_input }));
    builder.result = ResultKind::Table { windowed: window.map(|window| window.in_keys()) };
    builder.schema = Schema { columns, keys: keys.len() };
    Ok(())
}

/// A window as written, with the defaults of ksqlDB: see [`with_defaults`].
pub(super) fn window(window: &ast::Window, emit_final: bool) -> Result<Window> {
    with_defaults(window, emit_final).map_err(|error| error.at(window.at))
}

/// A window as written, with the defaults of ksqlDB: grace fills up to a day (none with EMIT FINAL), retention is size and
/// grace.
fn with_defaults(window: &ast::Window, emit_final: bool) -> Result<Window> {
    let ms = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let (kind, span) = match window.kind {
        ast::WindowKind::Tumbling { size } => (WindowKind::Tumbling { size_ms: ms(size) }, ms(size)),
        ast::WindowKind::Hopping { size, advance } => {
            if advance.is_zero() || advance > size {
                return Err(messages::windows::advance(ms(advance), ms(size)));
            }
            (WindowKind::Hopping { size_ms: ms(size), advance_ms: ms(advance) }, ms(size))
        }
        ast::WindowKind::Session { gap } => (WindowKind::Session { gap_ms: ms(gap) }, ms(gap)),
    };
    if span == 0 {
        return Err(messages::windows::empty());
    }
    // Final results would wait for a day otherwise.
    let default_grace = if emit_final { 0 } else { (DAY_MS - span).max(0) };
    let grace_ms = window.grace.map_or(default_grace, ms);
    let least = span.saturating_add(grace_ms);
    let retention_ms = match window.retention {
        None => least,
        Some(retention) if ms(retention) < least => {
            return Err(messages::windows::retention(ms(retention), least));
        }
        Some(retention) => ms(retention),
    };
    Ok(Window { kind, grace_ms, retention_ms })
}
