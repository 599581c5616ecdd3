//! The plan of an expression: its nodes with constants worked out beforehand, ready to be run.

use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray};

use super::{Column, Rows, logic};
use crate::error::{Error, Result};
use crate::expr::EvalErrors;
use crate::expr::functions::{Overload, ScalarFn};
use crate::expr::typed::{Arithmetic, Comparison, Node, Nulls, Typed};
use crate::types::{SqlType, Value, values_to_array};

/// A node that can be run.
pub(in crate::expr) struct Plan {
    pub op: Op,
    pub ty: SqlType,
    /// Indexes of the columns this and the nodes below read.
    pub columns: Vec<usize>,
    /// No row can fail, so that it may be run for rows nobody selected.
    pub infallible: bool,
    pub nulls: Nulls,
}

pub(in crate::expr) enum Op {
    Constant(ArrayRef),
    Column(usize),
    Param(usize),
    Arithmetic { op: Arithmetic, left: Box<Plan>, right: Box<Plan> },
    Negate(Box<Plan>),
    Compare { op: Comparison, left: Box<Plan>, right: Box<Plan> },
    IsNull { operand: Box<Plan>, negated: bool },
    Between { operand: Box<Plan>, low: Box<Plan>, high: Box<Plan>, negated: bool },
    In { operand: Box<Plan>, list: Vec<Plan>, negated: bool },
    Like { operand: Box<Plan>, pattern: Box<Plan>, matcher: super::like::Matcher, negated: bool },
    And(Box<Plan>, Box<Plan>),
    Or(Box<Plan>, Box<Plan>),
    Not(Box<Plan>),
    Case { branches: Vec<(Plan, Plan)>, otherwise: Option<Box<Plan>> },
    Cast(Box<Plan>, Before),
    ArrayItem { base: Box<Plan>, index: Box<Plan> },
    MapItem { base: Box<Plan>, key: Box<Plan> },
    Field { base: Box<Plan>, index: usize },
    Array(Vec<Plan>),
    Map(Vec<(Plan, Plan)>),
    Struct(Vec<Plan>),
    Call(CallPlan),
}

/// What becomes of rows that failed before a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::expr) enum Before {
    /// They are NULLs like others.
    Settled,
    /// They have failed.
    Kept,
}

pub(in crate::expr) struct CallPlan {
    pub call: ScalarFn,
    pub args: Vec<Plan>,
    pub arg_types: Vec<SqlType>,
    pub lambdas: Vec<LambdaPlan>,
}

pub(in crate::expr) struct LambdaPlan {
    pub first: usize,
    pub params: usize,
    pub body: Plan,
}

impl Plan {
    /// The plan of a typed expression.
    pub fn new(typed: &Typed) -> Result<Plan> {
        Plan::with(typed, Nulls::False)
    }

    /// `nulls`: what comparisons in it give.
    fn with(typed: &Typed, nulls: Nulls) -> Result<Plan> {
        if let Node::ThreeValued(inner) = &typed.node {
            return Plan::with(inner, Nulls::Unknown);
        }
        let ty = typed.ty().cloned().unwrap_or(SqlType::String);
        let op = op_of(typed, &ty, nulls)?;
        let columns = typed.columns();
        let infallible = is_infallible(&op);
        let plan = Plan { op, ty, columns, infallible, nulls };
        if is_foldable(typed) { Ok(plan.fold()) } else { Ok(plan) }
    }

    /// The constant it always gives, unless it fails: then it is run, and fails, for every row.
    fn fold(self) -> Plan {
        if matches!(self.op, Op::Constant(_)) {
            return self;
        }
        let mut errors = EvalErrors::default();
        let rows = Rows { columns: &[], params: &[], count: 1, origin: None };
        let column = self.run(rows, &mut errors);
        if !errors.is_empty() || column.failed.is_some() {
            return self;
        }
        Plan { op: Op::Constant(column.array), columns: vec![], infallible: true, ..self }
    }

    /// The value, when it is the same for all rows.
    pub fn constant(&self) -> Option<Value> {
        match &self.op {
            Op::Constant(array) => Some(Value::from_array(array.as_ref(), 0, &self.ty)),
            _ => None,
        }
    }

    pub fn run(&self, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
        match &self.op {
            Op::Constant(array) => Column::scalar(array.clone()),
            Op::Column(index) => Column::rows(rows.columns[*index].clone()),
            Op::Param(slot) => Column::rows(rows.params[*slot].clone()),
            Op::Arithmetic { op, left, right } => {
                let (left_column, right_column) = (left.run(rows, errors), right.run(rows, errors));
                let scales = super::arithmetic::Scales::of(&left.ty, &right.ty, &self.ty);
                super::arithmetic::binary(*op, left_column, right_column, scales, rows, errors)
            }
            Op::Negate(operand) => super::arithmetic::negate(operand.run(rows, errors), rows, errors),
            Op::Compare { op, left, right } => {
                let (a, b) = (left.run(rows, errors), right.run(rows, errors));
                super::compare::compare(*op, a, b, (&left.ty, &right.ty), self.nulls, rows)
            }
            Op::IsNull { operand, negated } => super::predicate::is_null(operand.run(rows, errors), *negated, rows),
            Op::Between { operand, low, high, negated } => {
                super::predicate::between(operand, low, high, (*negated, self.nulls), rows, errors)
            }
            Op::In { operand, list, negated } => {
                super::predicate::in_list(operand, list, (*negated, self.nulls), rows, errors)
            }
            Op::Like { operand, pattern, matcher, negated } => {
                let (text, pattern) = (operand.run(rows, errors), pattern.run(rows, errors));
                super::like::like(text, pattern, matcher, *negated, rows, errors)
            }
            Op::And(left, right) => logic::and_or(left, right, (logic::Connective::And, self.nulls), rows, errors),
            Op::Or(left, right) => logic::and_or(left, right, (logic::Connective::Or, self.nulls), rows, errors),
            Op::Not(operand) => logic::not(operand, self.nulls, rows, errors),
            Op::Case { branches, otherwise } => {
                logic::case(branches, otherwise.as_deref(), (&self.ty, self.nulls), rows, errors)
            }
            Op::Cast(operand, before) => super::cast::run(operand, &self.ty, *before, rows, errors),
            Op::ArrayItem { base, index } => super::access::array_item(base, index, rows, errors),
            Op::MapItem { base, key } => super::access::map_item(base, key, rows, errors),
            Op::Field { base, index } => super::access::field(base.run(rows, errors), *index),
            Op::Array(items) => super::make::array(items, &self.ty, rows, errors),
            Op::Map(entries) => super::make::map(entries, &self.ty, rows, errors),
            Op::Struct(fields) => super::make::structure(fields, &self.ty, rows, errors),
            Op::Call(call) => super::call::run(call, &self.ty, rows, errors),
        }
    }
}

fn boxed(typed: &Typed, nulls: Nulls) -> Result<Box<Plan>> {
    Plan::with(typed, nulls).map(Box::new)
}

fn all(list: &[Typed], nulls: Nulls) -> Result<Vec<Plan>> {
    list.iter().map(|typed| Plan::with(typed, nulls)).collect()
}

fn op_of(typed: &Typed, ty: &SqlType, nulls: Nulls) -> Result<Op> {
    Ok(match &typed.node {
        Node::Literal(Value::Null) if typed.ty().is_none() => Op::Constant(Arc::new(NullArray::new(1))),
        Node::Literal(value) => Op::Constant(values_to_array(std::slice::from_ref(value), ty)),
        Node::ThreeValued(inner) => op_of(inner, ty, Nulls::Unknown)?,
        Node::Unread => return Err(Error::internal("what nobody reads is evaluated")),
        Node::Column(index) => Op::Column(*index),
        Node::Param(slot) => Op::Param(*slot),
        Node::Arithmetic { op, left, right } => {
            Op::Arithmetic { op: *op, left: boxed(left, nulls)?, right: boxed(right, nulls)? }
        }
        Node::Negate(operand) => Op::Negate(boxed(operand, nulls)?),
        Node::Compare { op, left, right } => {
            Op::Compare { op: *op, left: boxed(left, nulls)?, right: boxed(right, nulls)? }
        }
        Node::IsNull { operand, negated } => Op::IsNull { operand: boxed(operand, nulls)?, negated: *negated },
        Node::Between { operand, low, high, negated } => Op::Between {
            operand: boxed(operand, nulls)?,
            low: boxed(low, nulls)?,
            high: boxed(high, nulls)?,
            negated: *negated,
        },
        Node::In { operand, list, negated } => {
            Op::In { operand: boxed(operand, nulls)?, list: all(list, nulls)?, negated: *negated }
        }
        Node::Like { operand, pattern, escape, negated } => {
            let pattern = boxed(pattern, nulls)?;
            let matcher = super::like::Matcher::new(pattern.constant(), *escape)?;
            Op::Like { operand: boxed(operand, nulls)?, pattern, matcher, negated: *negated }
        }
        Node::And(left, right) => Op::And(boxed(left, nulls)?, boxed(right, nulls)?),
        Node::Or(left, right) => Op::Or(boxed(left, nulls)?, boxed(right, nulls)?),
        Node::Not(operand) => Op::Not(boxed(operand, nulls)?),
        Node::Case { branches, otherwise } => Op::Case {
            branches: branches
                .iter()
                .map(|(when, then)| Ok((Plan::with(when, nulls)?, Plan::with(then, nulls)?)))
                .collect::<Result<_>>()?,
            otherwise: otherwise.as_deref().map(|otherwise| boxed(otherwise, nulls)).transpose()?,
        },
        Node::Cast(operand) => Op::Cast(boxed(operand, nulls)?, Before::Settled),
        Node::Conversion(operand) => Op::Cast(boxed(operand, nulls)?, Before::Kept),
        Node::ArrayItem { base, index } => Op::ArrayItem { base: boxed(base, nulls)?, index: boxed(index, nulls)? },
        Node::MapItem { base, key } => Op::MapItem { base: boxed(base, nulls)?, key: boxed(key, nulls)? },
        Node::Field { base, index } => Op::Field { base: boxed(base, nulls)?, index: *index },
        Node::Array(items) => Op::Array(all(items, nulls)?),
        Node::Map(entries) => Op::Map(
            entries
                .iter()
                .map(|(key, value)| Ok((Plan::with(key, nulls)?, Plan::with(value, nulls)?)))
                .collect::<Result<_>>()?,
        ),
        Node::Struct(fields) => Op::Struct(all(fields, nulls)?),
        Node::Call(call) => Op::Call(call_plan(call, nulls)?),
    })
}

fn call_plan(call: &crate::expr::typed::Call, nulls: Nulls) -> Result<CallPlan> {
    let args = all(&call.args, nulls)?;
    let lambdas = call
        .lambdas
        .iter()
        .map(|lambda| {
            Ok(LambdaPlan { first: lambda.first, params: lambda.params, body: Plan::with(&lambda.body, nulls)? })
        })
        .collect::<Result<_>>()?;
    Ok(CallPlan {
        call: scalar_fn(call.overload)?,
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        args,
        lambdas,
    })
}

fn scalar_fn(overload: &Overload) -> Result<ScalarFn> {
    match overload.call {
        crate::expr::functions::Implementation::Scalar(call) => Ok(call),
        _ => Err(crate::error::Error::internal("a scalar call of a function that isn't scalar")),
    }
}

/// Constant and without chance or clock in it: functions that take nothing (UUID, RANDOM, UNIX_TIMESTAMP) may differ
/// from row to row. A lambda's body depends on its parameters.
fn is_foldable(typed: &Typed) -> bool {
    let itself = match &typed.node {
        Node::Column(_) | Node::Param(_) => false,
        Node::Call(call) => !call.args.is_empty() && call.lambdas.is_empty(),
        _ => true,
    };
    itself && typed.children().into_iter().all(is_foldable)
}

fn is_infallible(op: &Op) -> bool {
    match op {
        Op::Constant(_) | Op::Column(_) | Op::Param(_) => true,
        Op::Compare { left, right, .. } => left.infallible && right.infallible,
        Op::IsNull { operand, .. } | Op::Field { base: operand, .. } => operand.infallible,
        Op::Between { operand, low, high, .. } => operand.infallible && low.infallible && high.infallible,
        Op::In { operand, list, .. } => operand.infallible && list.iter().all(|item| item.infallible),
        Op::ArrayItem { base, index } => base.infallible && index.infallible,
        Op::MapItem { base, key } => base.infallible && key.infallible,
        _ => false,
    }
}
