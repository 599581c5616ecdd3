//! FROM: the scan of its source, or the joins of several, from the left to the right.

mod condition;
mod rules;
mod side;
#[cfg(test)]
mod tests;

use self::condition::Condition;
use self::rules::{How, Meeting};
use self::side::{Side, SideKey};
use crate::analyze::builder::{Builder, FromKey, exchange_layout};
use crate::analyze::calls::{aggregate_call, any_node};
use crate::analyze::rewrite;
use crate::analyze::scope::Synonym;
use crate::analyze::source::contains_map;
use crate::error::Result;
use crate::expr::Typed;
use crate::format::Layout;
use crate::messages;
use crate::plan::{
    Exchange, ForeignKey, ForeignKeyResult, Join, JoinKind, JoinMethod, MESSAGE_TYPES, ManyToManyResult, PAIR_TYPES,
    Project, Rekey, Schema, SchemaColumn, Stage, StageInput, Step,
};
use crate::sql::ast::{self, Expr, ExprKind, Ident, Location, SelectItem};
use crate::types::SqlType;

/// The key of joined rows in the steps of a plan, unless it has a name of its own.
const KEY_COLUMN: &str = "KSQL_INTERNAL_JOIN_KEY";

/// Of messages between the parts of a join.
const MESSAGE_COLUMN: &str = "KSQL_INTERNAL_MESSAGE";

/// Makes the rows of FROM.
pub(super) fn read_sources(builder: &mut Builder) -> Result<()> {
    let mut left = Side::of(&mut builder.names, 0);
    let joins = &builder.query.from.joins;
    if !joins.is_empty() {
        builder.refuse_kafka_values("JOIN")?;
    }
    for (number, join) in joins.iter().enumerate() {
        let right = Side::of(&mut builder.names, number + 1);
        left = join_sides(builder, left, right, join)?;
    }
    builder.synonyms = left.synonyms();
    builder.key = left.from_key;
    let times = left.times;
    builder.layout = left.layout;
    builder.begin(left.kind, left.window, left.stage, left.schema);
    if builder.names.joined() { row_time(builder, &times) } else { Ok(()) }
}

fn join_sides(builder: &mut Builder, left: Side, right: Side, join: &ast::Join) -> Result<Side> {
    let on = Condition::of(&builder.names, &right, &join.on)?;
    let left_key = left.check(builder, &on.left)?;
    let right_key = right.check(builder, &on.right)?;
    on.check_types(&builder.names, &left_key, &right_key, &right)?;
    let meeting = Meeting { names: &builder.names, left: &left, right: &right, join, on: &on };
    meeting.check_windows()?;
    let left_rekey = left.rekey(&left_key, &on.left);
    let right_rekey = right.rekey(&right_key, &on.right);
    let how = meeting.how(left_rekey, right_rekey)?;
    let ty = left_key.known_type()?;
    if contains_map(ty) {
        return Err(messages::keys::map_in_key(None, ty).at(join.on.at));
    }
    match how {
        How::ByKeys(method) => {
            let mut left = left.keyed(left_key, left_rekey);
            let mut right = right.keyed(right_key, right_rekey);
            place(builder, (&mut left, left_rekey), (&mut right, right_rekey), join)?;
            let key = match left_rekey {
                Rekey::Keep => left.key.clone(),
                _ => SideKey::of(on.left),
            };
            let key = key.joined(on.right, plan_kind(join.kind));
            let mut side = joined(builder, left, right, key, plan_kind(join.kind), method);
            let condition = side.condition(builder, on.others.as_ref())?;
            set_condition(&mut side.stage, condition);
            Ok(side)
        }
        How::ForeignKey => foreign_key(builder, left, right, join, &on),
        How::ManyToMany => many_to_many(builder, left, right, join, &on),
    }
}

/// Exchanges sides so that rows of one key come to one partition.
///
/// A side whose key is new goes to where the other one's rows are by their topic's keys. When no key is new, but the
/// topics have other formats of keys, the right side's rows lie elsewhere than the left one's.
fn place(builder: &mut Builder, left: (&mut Side, Rekey), right: (&mut Side, Rekey), join: &ast::Join) -> Result<()> {
    let ((left, left_rekey), (right, right_rekey)) = (left, right);
    let (to_left, to_right): (Option<Layout>, Option<Layout>) = match (left_rekey, right_rekey) {
        (Rekey::Keep, Rekey::Keep) if left.layout.format == right.layout.format => (None, None),
        (Rekey::Keep, _) => (None, Some(left.layout.clone())),
        (_, Rekey::Keep) => (Some(right.layout.clone()), None),
        (_, _) => {
            let layout = exchange_layout(builder.names.first(), left.key_columns());
            (Some(layout.clone()), Some(layout))
        }
    };
    if left.window.is_some() && (to_left.is_some() || to_right.is_some()) {
        return Err(messages::joins::rekeys_windowed().at(join.on.at));
    }
    for (side, layout) in [(left, to_left), (right, to_right)] {
        if let Some(layout) = layout {
            side.exchange(&mut builder.stages, layout);
        }
    }
    Ok(())
}

/// The rows of both sides, which have their keys. `key`: what their key is.
fn joined(builder: &mut Builder, left: Side, right: Side, key: SideKey, kind: JoinKind, method: JoinMethod) -> Side {
    let candidates: Vec<String> = key.columns();
    let (column, from_key) = match candidates.is_empty() {
        true => {
            let made = builder.names.make_synthetic();
            (made.clone(), FromKey::Made(made))
        }
        false => {
            builder.names.set_synthetic(None);
            (KEY_COLUMN.to_string(), FromKey::Join { column: KEY_COLUMN.to_string(), candidates })
        }
    };
    let ty = left.schema.columns[0].ty.clone();
    let mut columns = vec![SchemaColumn { name: column, ty }];
    columns.extend(left.schema.columns[left.schema.keys..].iter().cloned());
    columns.extend(right.schema.columns[right.schema.keys..].iter().cloned());
    let times = match &method {
        JoinMethod::StreamTable => left.times,
        JoinMethod::StreamStream { .. }
        | JoinMethod::TableTable
        | JoinMethod::ForeignKey { .. }
        | JoinMethod::ManyToMany { .. } => [left.times, right.times].concat(),
    };
    let plan = Join {
        key_types: vec![columns[0].ty.clone()],
        left_types: left.schema.columns[left.schema.keys..].iter().map(|column| column.ty.clone()).collect(),
        right_types: right.schema.columns[right.schema.keys..].iter().map(|column| column.ty.clone()).collect(),
        left: left.stage,
        right: right.stage,
        kind,
        method,
        condition: None,
    };
    Side {
        stage: Stage { input: StageInput::Join(Box::new(plan)), steps: Vec::new() },
        schema: Schema { columns, keys: 1 },
        kind: left.kind,
        window: left.window,
        source: left.source,
        joined: true,
        key,
        from_key,
        times,
        layout: left.layout,
    }
}

fn set_condition(stage: &mut Stage, condition: Option<Typed>) {
    if let StageInput::Join(join) = &mut stage.input {
        join.condition = condition;
    }
}

/// A table whose changes go to the partition of an expression over them.
struct Sent {
    /// Messages by that.
    stage: Stage,
    types: Vec<SqlType>,
    /// The table's key, and its other columns, its key among them again.
    key_columns: Vec<SchemaColumn>,
    columns: Vec<SchemaColumn>,
    /// Of its key.
    layout: Layout,
    from_key: FromKey,
}

/// Sends the changes of a side. `layout`: how the expression places them.
fn send(builder: &mut Builder, side: Side, expr: &Expr, layout: Layout) -> Result<Sent> {
    let (keys, own_layout) = (side.schema.keys, side.layout.clone());
    let mut side = side.with_keys_as_values();
    let key = side.check(builder, expr)?;
    let ty = key.known_type()?.clone();
    let Schema { columns, .. } = side.schema.clone();
    side.stage.steps.push(Step::ForeignKey(ForeignKey { keys: vec![key], columns: columns.len() }));
    let message = |ty: &SqlType| SchemaColumn { name: MESSAGE_COLUMN.to_string(), ty: ty.clone() };
    let foreign = SchemaColumn { name: KEY_COLUMN.to_string(), ty };
    let sent: Vec<SchemaColumn> =
        std::iter::once(foreign).chain(columns.iter().cloned()).chain(MESSAGE_TYPES.iter().map(message)).collect();
    side.schema = Schema { columns: sent, keys: 1 };
    side.exchange(&mut builder.stages, layout);
    let key_columns = columns[..keys].to_vec();
    let from_key = match side.joined {
        true => side.from_key,
        false => FromKey::LeftTable {
            columns: key_columns.iter().map(|key| key.name.clone()).collect(),
            table: builder.names.source(side.source).name.clone(),
        },
    };
    Ok(Sent {
        stage: side.stage,
        types: types(&side.schema.columns[1..]),
        columns: columns[keys..].to_vec(),
        key_columns,
        layout: own_layout,
        from_key,
    })
}

fn types(columns: &[SchemaColumn]) -> Vec<SqlType> {
    columns.iter().map(|column| column.ty.clone()).collect()
}

/// A table-table join by an expression of the left table that is the right table's key: its rows have the left one's key, by the
/// name that it has.
///
/// Three stages: the left table's changes go to the partition of their foreign key; there they meet the right table; what
/// comes of it goes back to the partition of the left table's key.
fn foreign_key(builder: &mut Builder, left: Side, right: Side, join: &ast::Join, on: &Condition) -> Result<Side> {
    let (kind, source, times) = (left.kind, left.source, [left.times.as_slice(), &right.times].concat());
    let (left_key, key_type) = (left.key.clone(), left.check(builder, &on.left)?.known_type()?.clone());
    let left = send(builder, left, &on.left, right.layout.clone())?;
    let columns = [left.columns.as_slice(), &right.schema.columns].concat();
    let plan = Join {
        key_types: vec![key_type],
        left_types: left.types,
        right_types: types(&right.schema.columns[right.schema.keys..]),
        left: left.stage,
        right: right.stage,
        kind: plan_kind(join.kind),
        method: JoinMethod::ForeignKey { left_keys: left.key_columns.len() },
        condition: None,
    };
    let result =
        Step::ForeignKeyResult(ForeignKeyResult { key_types: types(&left.key_columns), value_types: types(&columns) });
    let from = builder.stages.len();
    let side = Side {
        stage: brought(builder, plan, &left.layout, types(&[left.key_columns.as_slice(), &columns].concat()), result),
        schema: Schema { keys: left.key_columns.len(), columns: [left.key_columns, columns].concat() },
        kind,
        window: None,
        source,
        joined: true,
        key: left_key,
        from_key: left.from_key,
        times,
        layout: left.layout,
    };
    // The messages between the join and its result have the result's columns, before their own.
    let condition = side.condition(builder, on.others.as_ref())?;
    set_condition(&mut builder.stages[from], condition);
    Ok(side)
}

/// A table-table join by expressions that are neither one's key: its rows have both keys; of an outer join, a row alone has
/// nulls in the place of the other one.
///
/// Four stages: the changes of each table go to the partition of the expression; there they meet; the pairs go to the
/// partition of both keys.
fn many_to_many(builder: &mut Builder, left: Side, right: Side, join: &ast::Join, on: &Condition) -> Result<Side> {
    let (kind, source, times) = (left.kind, left.source, [left.times.as_slice(), &right.times].concat());
    let key_type = left.check(builder, &on.left)?.known_type()?.clone();
    let met = exchange_layout(builder.names.first(), vec![(KEY_COLUMN.to_string(), key_type.clone())]);
    let left = send(builder, left, &on.left, met.clone())?;
    let right = send(builder, right, &on.right, met)?;
    let columns = [left.columns, right.columns].concat();
    let key_columns = [left.key_columns.as_slice(), &right.key_columns].concat();
    let named = key_columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect();
    let layout = exchange_layout(builder.names.first(), named);
    let plan = Join {
        key_types: vec![key_type],
        left_types: left.types,
        right_types: right.types,
        left: left.stage,
        right: right.stage,
        kind: plan_kind(join.kind),
        method: JoinMethod::ManyToMany { left_keys: left.key_columns.len(), right_keys: right.key_columns.len() },
        condition: None,
    };
    let result =
        Step::ManyToManyResult(ManyToManyResult { key_types: types(&key_columns), value_types: types(&columns) });
    let from = builder.stages.len();
    let side = Side {
        stage: brought(builder, plan, &layout, types(&[key_columns.as_slice(), &columns].concat()), result),
        schema: Schema { keys: key_columns.len(), columns: [key_columns, columns].concat() },
        kind,
        window: None,
        source,
        joined: true,
        key: SideKey::default(),
        from_key: FromKey::Both(Box::new(left.from_key), Box::new(right.from_key)),
        times,
        layout,
    };
    let condition = side.condition(builder, on.others.as_ref())?;
    set_condition(&mut builder.stages[from], condition);
    Ok(side)
}

/// The stage to which the messages of a join come by their rows' keys; `columns`: types of the rows' columns. The join is a stage
/// of its own.
fn brought(builder: &mut Builder, join: Join, key: &Layout, columns: Vec<SqlType>, result: Step) -> Stage {
    let own: &[SqlType] = match join.method {
        JoinMethod::ManyToMany { .. } => &PAIR_TYPES,
        _ => &MESSAGE_TYPES,
    };
    let from = builder.stages.len();
    builder.stages.push(Stage { input: StageInput::Join(Box::new(join)), steps: Vec::new() });
    let back = Exchange { from, key: key.clone(), types: [columns.as_slice(), own].concat() };
    Stage { input: StageInput::Exchange(back), steps: vec![result] }
}

fn plan_kind(kind: ast::JoinKind) -> JoinKind {
    match kind {
        ast::JoinKind::Inner => JoinKind::Inner,
        ast::JoinKind::Left => JoinKind::Left,
        ast::JoinKind::Right => JoinKind::Right,
        ast::JoinKind::Full => JoinKind::Full,
    }
}

/// ROWTIME without a source before it: the time of the joined row. That of the only source it is from, or the greatest.
fn row_time(builder: &mut Builder, times: &[usize]) -> Result<()> {
    let column = |number: &usize| builder.names.column(*number, "ROWTIME").map(str::to_string);
    let columns: Vec<String> = times.iter().filter_map(column).collect();
    if let [only] = columns.as_slice() {
        builder.synonyms.push(Synonym { name: "ROWTIME".to_string(), column: only.clone() });
        return Ok(());
    }
    if !reads_row_time(builder.query) {
        return Ok(());
    }
    let place = Expr::new(ExprKind::Null, Location::default());
    let args = columns.into_iter().map(|column| rewrite::column(column, &place)).collect();
    let call = Expr::new(ExprKind::Call { name: Ident::new("GREATEST"), args }, Location::default());
    let greatest = builder.check(&call)?;
    let column = |(index, column): (usize, &SchemaColumn)| Typed::column(index, column.ty.clone());
    let mut keys: Vec<Typed> = builder.schema.columns.iter().enumerate().map(column).collect();
    let mut values = keys.split_off(builder.schema.keys);
    builder.schema.columns.push(SchemaColumn { name: "ROWTIME".to_string(), ty: greatest.known_type()?.clone() });
    values.push(greatest);
    let names = builder.schema.columns.iter().map(|column| column.name.clone()).collect();
    builder.step(Step::Project(Project { keys, values, names, rekey: Rekey::Keep }));
    Ok(())
}

/// Whether ROWTIME stands in a query without a source before it; aggregates without arguments read it.
fn reads_row_time(query: &ast::Query) -> bool {
    let items = query.items.iter().filter_map(|item| match item {
        SelectItem::Expr { expr, .. } | SelectItem::StructStar(expr) => Some(expr),
        SelectItem::Star { .. } => None,
    });
    let clauses = query.filter.iter().chain(&query.group_by).chain(&query.partition_by).chain(&query.having);
    items.chain(clauses).any(|expr| {
        any_node(expr, &|node| match &node.kind {
            ExprKind::Column { source: None, name } => name.text == "ROWTIME",
            _ => aggregate_call(node).is_some_and(|call| call.args.is_empty()),
        })
    })
}
