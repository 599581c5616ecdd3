//! Calls that are no scalars: aggregates and table functions, for the planner and for the operators that carry them out.

use crate::error::{Error, Result};
use crate::expr::accumulator::BuildAccumulator;
use crate::expr::functions::{self, ArgType, Implementation};
use crate::expr::{Rules, TableEvaluator, Typed, compile_table_function};
use crate::types::SqlType;

/// The overload of an aggregate that a call means.
pub struct ResolvedAggregate {
    pub name: &'static str,
    /// Types of the arguments that are columns; the rest are constants.
    pub columns: Vec<SqlType>,
    pub build: BuildAccumulator,
    pub returns: SqlType,
}

pub fn is_aggregate(name: &str) -> bool {
    functions::table().is_aggregate(name)
}

pub fn is_table_function(name: &str) -> bool {
    functions::table().is_table_function(name)
}

/// Finds the overload of an aggregate. No argument is cast.
pub fn resolve_aggregate(name: &str, args: &[Typed], rules: Rules) -> Result<ResolvedAggregate> {
    let function = functions::table().under(functions::table().function(name)?, rules);
    let types: Vec<ArgType> = args.iter().map(|arg| arg.ty().cloned().map_or(ArgType::Null, ArgType::Typed)).collect();
    let resolved = function.resolve(name, &types)?;
    let Implementation::Aggregate(build) = resolved.overload.call else {
        return Err(Error::internal(format!("{name} is listed as an aggregate but isn't")));
    };
    let constants = functions::aggregates::constant_arguments(function.name, args.len());
    let columns =
        args[..args.len() - constants].iter().map(|arg| arg.known_type().cloned()).collect::<Result<Vec<_>>>()?;
    Ok(ResolvedAggregate { name: function.name, columns, build, returns: resolved.returns })
}

/// A call of a table function, checked.
#[derive(Debug, Clone)]
pub struct TableCall {
    pub name: String,
    args: Vec<Typed>,
    pub returns: SqlType,
}

impl TableCall {
    pub fn new(name: &str, args: Vec<Typed>) -> Result<TableCall> {
        let returns = compile_table_function(name, args.clone())?.returns().clone();
        Ok(TableCall { name: name.to_string(), args, returns })
    }

    /// Columns that the arguments read.
    pub fn columns(&self) -> Vec<usize> {
        self.args.iter().flat_map(Typed::columns).collect()
    }

    /// Prepares it for batches.
    pub fn compile(&self) -> Result<TableEvaluator> {
        compile_table_function(&self.name, self.args.clone())
    }
}
