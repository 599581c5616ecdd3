//! Calls that are no scalars: aggregates and table functions, for the planner and for the operators that carry them out.

use arrow::array::ArrayRef;

use crate::dataflow::accumulator::Accumulator;
use crate::error::{Error, Result};
use crate::expr::functions::{self, AggregateCall, ArgType, Implementation, ScalarCall, TableFn, TableResult};
use crate::expr::{EvalErrors, Evaluator, Input, Typed, compile};
use crate::types::{SqlType, Value};

/// The overload of an aggregate that a call means.
pub struct ResolvedAggregate {
    pub name: &'static str,
    /// Types of the arguments that are columns; the rest are constants.
    pub columns: Vec<SqlType>,
    pub build: fn(&AggregateCall) -> Result<Box<dyn Accumulator>>,
    pub returns: SqlType,
}

pub fn is_aggregate(name: &str) -> bool {
    functions::table().is_aggregate(name)
}

pub fn is_table_function(name: &str) -> bool {
    functions::table().is_table_function(name)
}

/// Finds the overload of an aggregate. No argument is cast.
pub fn resolve_aggregate(name: &str, args: &[Typed]) -> Result<ResolvedAggregate> {
    let function = functions::table().function(name)?;
    let types: Vec<ArgType> = args.iter().map(|arg| arg.ty().cloned().map_or(ArgType::Null, ArgType::Typed)).collect();
    let resolved = functions::table().resolve(name, &types)?;
    let Implementation::Aggregate(build) = resolved.overload.call else {
        return Err(Error::internal(format!("{name} is listed as an aggregate but isn't")));
    };
    let constants = functions::aggregates::constant_arguments(function.name, args.len());
    let columns =
        args[..args.len() - constants].iter().map(|arg| arg.known_type().cloned()).collect::<Result<Vec<_>>>()?;
    Ok(ResolvedAggregate { name: function.name, columns, build, returns: resolved.returns })
}

/// A call of a table function with its casts.
#[derive(Debug, Clone)]
pub struct TableCall {
    pub name: &'static str,
    call: TableFn,
    args: Vec<Typed>,
    pub returns: SqlType,
}

impl TableCall {
    /// Columns that the arguments read.
    pub fn columns(&self) -> Vec<usize> {
        self.args.iter().flat_map(Typed::columns).collect()
    }
}

/// Finds the overload of a table function.
pub fn resolve_table_function(name: &str, args: Vec<Typed>) -> Result<TableCall> {
    let function = functions::table().function(name)?;
    let types: Vec<ArgType> = args.iter().map(|arg| arg.ty().cloned().map_or(ArgType::Null, ArgType::Typed)).collect();
    let resolved = functions::table().resolve(name, &types)?;
    let Implementation::Table(call) = resolved.overload.call else {
        return Err(Error::internal(format!("{name} is listed as a table function but isn't")));
    };
    let args = args
        .into_iter()
        .zip(resolved.casts)
        .map(|(arg, cast)| match cast {
            Some(ty) => arg.coerce(&ty),
            None => Ok(arg),
        })
        .collect::<Result<_>>()?;
    Ok(TableCall { name: function.name, call, args, returns: resolved.returns })
}

/// A table function, ready to be run over batches.
pub struct TableEvaluator {
    call: TableFn,
    args: Vec<Evaluator>,
    types: Vec<SqlType>,
    constants: Vec<Option<Value>>,
    returns: SqlType,
}

pub fn compile_table(call: &TableCall) -> Result<TableEvaluator> {
    let args = call.args.iter().map(compile).collect::<Result<Vec<_>>>()?;
    Ok(TableEvaluator {
        call: call.call,
        types: args.iter().map(|arg| arg.returns().clone()).collect(),
        constants: vec![None; args.len()],
        returns: call.returns.clone(),
        args,
    })
}

impl TableEvaluator {
    /// The values of each row.
    pub fn evaluate(&mut self, input: Input<'_>, errors: &mut EvalErrors) -> TableResult {
        let args: Vec<ArrayRef> = self.args.iter_mut().map(|arg| arg.evaluate(input, errors)).collect();
        (self.call)(&mut ScalarCall {
            args: &args,
            arg_types: &self.types,
            constants: &self.constants,
            lambdas: &[],
            rows: input.rows,
            returns: &self.returns,
            errors,
        })
    }
}
