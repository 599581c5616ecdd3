//! A pull query over a view: which rows to look at, then the query's own steps over them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use arrow::array::ArrayRef;

use crate::analyze::{Target, analyze, mentions};
use crate::catalog::Catalog;
use crate::dataflow::{Batch, ProcessingError, ScanReader, Task};
use crate::error::{Error, Result};
use crate::expr;
use crate::format;
use crate::log::partitioner::partition_for;
use crate::messages;
use crate::plan::{Plan, Schema, StageInput, Step};
use crate::query::View;
use crate::query::view::{ALL_STARTS, Starts, ViewRows, Wanted};
use crate::sql::ast::{self, BinaryOp, Expr, ExprKind};
use crate::types::{SqlType, Value, values_to_array};

/// The rows that a pull query gives.
pub struct Pulled {
    pub schema: Schema,
    pub batches: Vec<Batch>,
    /// Rows of which something could not be worked out, and the reasons.
    pub bad: u64,
    pub errors: Vec<ProcessingError>,
}

/// The partitions in which rows of whole keys lie that WHERE asks for, of `partitions` that keys were placed among. None: it
/// asks for others, too.
///
/// Errors: what it compares a key with can't be one.
pub fn partitions_asked(
    query: &ast::Query,
    catalog: &Catalog,
    view: &View,
    partitions: u32,
) -> Result<Option<BTreeSet<u32>>> {
    let keys = keys(query, catalog, view)?;
    Ok(keys.map(|keys| keys.iter().map(|key| partition_for(key, partitions)).collect()))
}

/// Answers a pull query over the wanted partitions of a table's view.
pub fn pull(
    query: &ast::Query,
    catalog: &Catalog,
    settings: &BTreeMap<String, String>,
    view: &View,
    wanted: Wanted<'_>,
) -> Result<Pulled> {
    let plan = plan(query, catalog, settings)?;
    let starts = window_starts(query, catalog, view);
    let found = keys(query, catalog, view)?;
    if found.is_none() && is_off(settings, "ksql.query.pull.table.scan.enabled") {
        check_range(query, settings, view)?;
    }
    let pull_rows = |rows: Vec<ViewRows>| evaluate(&plan, rows);
    match (found, query.limit) {
        (Some(keys), _) => pull_rows(view.get(wanted, starts, &keys)),
        // Of rows that a filter judges, it isn't known which will be the first.
        (None, Some(limit)) if query.filter.is_none() => {
            let pulled = pull_rows(view.scan(wanted, starts, Some(usize::try_from(limit).unwrap_or(usize::MAX))))?;
            // Nor of rows of which some can't be read.
            if pulled.bad == 0 { Ok(pulled) } else { pull_rows(view.scan(wanted, starts, None)) }
        }
        (None, _) => pull_rows(view.scan(wanted, starts, None)),
    }
}

/// Answers a pull query that asks for at most so many keys of a table without windows. None: it asks for something else.
pub fn pull_keys(
    query: &ast::Query,
    catalog: &Catalog,
    settings: &BTreeMap<String, String>,
    (view, keys_max): (&View, usize),
) -> Result<Option<Pulled>> {
    if view.source.window.is_some() {
        return Ok(None);
    }
    match keys(query, catalog, view)?.filter(|keys| keys.len() <= keys_max) {
        None => Ok(None),
        Some(keys) => evaluate(&plan(query, catalog, settings)?, view.get(None, ALL_STARTS, &keys)).map(Some),
    }
}

fn plan(query: &ast::Query, catalog: &Catalog, settings: &BTreeMap<String, String>) -> Result<Plan> {
    check_columns(query)?;
    let mut plan = analyze(query, catalog, Target::Transient, settings)?.plan;
    // The rows of a view are rows, not changes: nothing is retracted.
    for step in plan.stages.iter_mut().flat_map(|stage| &mut stage.steps) {
        if let Step::Filter { table, .. } = step {
            *table = false;
        }
    }
    Ok(plan)
}

/// What a session may forbid: pull queries with LIMIT.
pub fn check_limit(query: &ast::Query, settings: &BTreeMap<String, String>) -> Result<()> {
    if query.limit.is_some() && is_off(settings, "ksql.query.pull.limit.clause.enabled") {
        return Err(messages::pull::limit_disabled());
    }
    Ok(())
}

fn is_off(settings: &BTreeMap<String, String>, name: &str) -> bool {
    settings.get(name).is_some_and(|text| text == "false")
}

/// Where table scans are forbidden, one comparison of the only key column, a STRING or BYTES, is allowed: in ksqlDB such a
/// range is no scan. Two of them are, and so is a range over a windowed table.
fn check_range(query: &ast::Query, settings: &BTreeMap<String, String>, view: &View) -> Result<()> {
    let allowed = view.source.window.is_none() && !is_off(settings, "ksql.query.pull.range.scan.enabled");
    match key_comparisons(query, view) {
        1 if allowed => Ok(()),
        comparisons if comparisons > 1 && allowed => Err(messages::pull::several_ranges()),
        _ => Err(messages::pull::scan_disabled()),
    }
}

/// How often WHERE bounds the only key column, if that is a STRING or BYTES. BETWEEN bounds it twice.
fn key_comparisons(query: &ast::Query, view: &View) -> usize {
    let [(key, SqlType::String | SqlType::Bytes)] = view.source.key.columns.as_slice() else { return 0 };
    let is_key = |expr: &Expr| matches!(&expr.kind, ExprKind::Column { name, .. } if name.text == *key);
    let mut parts: Vec<&Expr> = query.filter.iter().collect();
    let mut found = 0;
    while let Some(part) = parts.pop() {
        match &part.kind {
            ExprKind::Binary { op: BinaryOp::And, left, right } => parts.extend([&**left, &**right]),
            ExprKind::Binary {
                op: BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual,
                left,
                right,
            } if is_key(left) || is_key(right) => found += 1,
            ExprKind::Between { operand, negated: false, .. } if is_key(operand) => found += 2,
            _ => {}
        }
    }
    found
}

/// Columns that pull queries don't have, over tables and streams alike.
pub fn check_columns(query: &ast::Query) -> Result<()> {
    let selected = query.items.iter().filter_map(|item| match item {
        ast::SelectItem::Expr { expr, .. } => Some((expr, "SELECT")),
        _ => None,
    });
    for (expr, clause) in selected.chain(query.filter.iter().map(|filter| (filter, "WHERE"))) {
        for name in ["ROWPARTITION", "ROWOFFSET"] {
            if mentions(expr, name) {
                return Err(messages::pull::column(name, clause).at(expr.at));
            }
        }
    }
    Ok(())
}

/// The window starts that WHERE leaves, as far as it says so by comparing WINDOWSTART with numbers; the filter itself
/// judges the rest.
fn window_starts(query: &ast::Query, catalog: &Catalog, view: &View) -> Starts {
    let mut starts = ALL_STARTS;
    if view.source.window.is_none() {
        return starts;
    }
    let mut parts: Vec<&Expr> = query.filter.iter().collect();
    while let Some(part) = parts.pop() {
        let ExprKind::Binary { op, left, right } = &part.kind else { continue };
        if *op == BinaryOp::And {
            parts.extend([&**left, &**right]);
            continue;
        }
        let ExprKind::Column { name, .. } = &left.kind else { continue };
        let custom = |name: &str| catalog.custom_type(name).cloned();
        let bound = match expr::constant(right, None, &custom) {
            Ok(Value::Bigint(bound)) if name.text == "WINDOWSTART" => bound,
            Ok(Value::Int(bound)) if name.text == "WINDOWSTART" => i64::from(bound),
            _ => continue,
        };
        match op {
            BinaryOp::Equal => starts = (Bound::Included(bound), Bound::Included(bound)),
            BinaryOp::Greater | BinaryOp::GreaterEqual => starts.0 = Bound::Included(bound),
            BinaryOp::Less | BinaryOp::LessEqual => starts.1 = Bound::Included(bound),
            _ => {}
        }
        if let (Bound::Included(low), Bound::Included(high)) = starts
            && low > high
        {
            // No window is in such a range (and none may be asked for): the filter rejects all rows of any other.
            return ALL_STARTS;
        }
    }
    starts
}

fn evaluate(plan: &Plan, rows: Vec<ViewRows>) -> Result<Pulled> {
    let mut into = Pulled { schema: plan.schema.clone(), batches: Vec::new(), bad: 0, errors: Vec::new() };
    let [stage] = plan.stages.as_slice() else {
        return Err(Error::internal("a pull query of a view with several stages"));
    };
    let StageInput::Scan(scan) = &stage.input else { return Err(Error::internal("a pull query without a scan")) };
    for ViewRows { partition, mut records } in rows {
        let mut reader = ScanReader::new(scan, partition, false)?.without_offsets();
        let mut task = Task::new(stage, 0)?;
        if let Some(batch) = reader.read(&mut records, &mut task.context)? {
            task.push(batch, &mut |batch, _| {
                into.batches.push(batch);
                Ok(())
            })?;
        }
        into.bad += task.context.bad;
        into.errors.append(&mut task.context.errors);
    }
    Ok(into)
}

/// The key bytes that WHERE asks for, when it asks for whole keys: `k = literal`, `k IN (...)`, and for several key columns
/// an equality for each, joined by AND with whatever else.
fn keys(query: &ast::Query, catalog: &Catalog, view: &View) -> Result<Option<Vec<Vec<u8>>>> {
    let Some(filter) = &query.filter else { return Ok(None) };
    let mut found: BTreeMap<&str, Vec<&Expr>> = BTreeMap::new();
    collect_equalities(filter, &mut found);
    let columns = &view.source.key.columns;
    let mut choices: Vec<Vec<Value>> = vec![Vec::new()];
    for (name, ty) in columns {
        let Some(literals) = found.get(name.as_str()) else { return Ok(None) };
        let mut values = Vec::new();
        for literal in literals {
            match expr::constant(literal, Some(ty), &|name| catalog.custom_type(name).cloned()) {
                Ok(Value::Null) => {
                    return Err(messages::pull::null_key(name).at(literal.at));
                }
                Ok(value) => values.push(value),
                // Not a constant of the key's type: the filter itself will judge.
                Err(_) => return Ok(None),
            }
        }
        choices = choices
            .into_iter()
            .flat_map(|prefix| values.iter().map(move |value| [prefix.clone(), vec![value.clone()]].concat()))
            .collect();
    }
    let mut encoder = format::encoder(&view.source.key)?;
    let arrays: Vec<ArrayRef> = columns
        .iter()
        .enumerate()
        .map(|(index, (_, ty))| {
            values_to_array(&choices.iter().map(|choice| choice[index].clone()).collect::<Vec<_>>(), ty)
        })
        .collect();
    let (mut data, mut spans) = (Vec::new(), Vec::new());
    encoder.encode(&arrays, choices.len(), None, &mut data, &mut spans);
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for span in spans.iter().filter(|span| !span.is_null()) {
        let key = data[span.start as usize..span.start as usize + span.len as usize].to_vec();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(Some(keys))
}

fn collect_equalities<'a>(expr: &'a Expr, found: &mut BTreeMap<&'a str, Vec<&'a Expr>>) {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            collect_equalities(left, found);
            collect_equalities(right, found);
        }
        ExprKind::Binary { op: BinaryOp::Equal, left, right } => {
            for (side, other) in [(left, right), (right, left)] {
                if let ExprKind::Column { name, .. } = &side.kind {
                    found.entry(&name.text).or_insert_with(|| vec![other]);
                }
            }
        }
        ExprKind::InList { operand, negated: false, list } => {
            if let ExprKind::Column { name, .. } = &operand.kind {
                found.entry(&name.text).or_insert_with(|| list.iter().collect());
            }
        }
        _ => {}
    }
}
