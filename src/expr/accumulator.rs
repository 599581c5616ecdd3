//! What an aggregate does with its groups: state in vectors, one slot a group, worked on a batch at a time.

use arrow::array::ArrayRef;

use crate::error::Result;
use crate::expr::EvalErrors;
use crate::types::{SqlType, Value};

/// How an aggregate was called.
#[derive(Debug, Clone, Default)]
pub struct AggregateCall {
    pub name: &'static str,
    /// Types of the arguments that are columns.
    pub args: Vec<SqlType>,
    /// Trailing constant arguments (k of TOPK, n and ignoreNulls of *_BY_OFFSET).
    pub init: Vec<Value>,
    /// The most elements of COLLECT_LIST and COLLECT_SET.
    pub collect_limit: Option<usize>,
    /// Rows may be taken out again: they are a table's. *_BY_OFFSET then get the key of each row behind their value.
    pub retracts: bool,
    /// DISTINCT: each value of the only argument counts once.
    pub distinct: bool,
    /// FILTER: the last column, a BOOLEAN, says which rows count.
    pub filtered: bool,
}

/// Makes the accumulator of a call, without groups. Errors: constants that the aggregate doesn't take.
pub type BuildAccumulator = fn(&AggregateCall) -> Result<Box<dyn Accumulator>>;

/// The state of one aggregate call for many groups. Groups are dense numbers from 0, given by the caller.
///
/// `rows[i]` is a row of `args`, `groups[i]` the group it belongs to; both slices have the same length and are worked off in order.
/// The same calls in the same order give the same state: no clock, no chance.
pub trait Accumulator: Send {
    /// The type of `emit`'s column.
    fn returns(&self) -> &SqlType;
    /// Makes room for `groups` groups; new ones are in their initial state.
    fn resize(&mut self, groups: usize);
    /// Takes in rows.
    fn update(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors);
    /// As `update`, and gives the group's result after each row: what a query without caching emits.
    fn update_each(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) -> ArrayRef;
    /// Takes rows back out (a table's old row). Only when `can_undo`.
    fn undo(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors);
    fn can_undo(&self) -> bool;
    /// Current results of these groups.
    fn emit(&self, groups: &[u32]) -> ArrayRef;
    /// Adds the state of `from` to `into` (sessions that grow together: `from` is the earlier one). `from` keeps its state.
    fn merge(&mut self, from: u32, into: u32);
    /// Puts a group back to the initial state (its number will be used again).
    fn reset(&mut self, group: u32);
    /// The state of these groups as columns, one row each: what goes into changelog and snapshot. Never changes for a
    /// released version.
    fn state(&self, groups: &[u32]) -> Vec<ArrayRef>;
    /// The types of `state`'s columns.
    fn state_types(&self) -> Vec<SqlType>;
    /// Sets the state of these groups from rows of such columns.
    fn restore(&mut self, state: &[ArrayRef], rows: &[u32], groups: &[u32]);
    /// Bytes held, about.
    fn bytes(&self) -> usize;
    /// Bytes of one group's state as it would be stored, about; of a group that has no room yet, those of an empty one.
    fn group_bytes(&self, group: u32) -> usize;
    /// Bytes that all groups together hold beyond what each group takes in any case: what rows add to.
    fn heap_bytes(&self) -> usize;
}
