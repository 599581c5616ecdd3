//! What an aggregate is to do, and what of it can't be done.

use crate::error::{Error, Result};
use crate::expr::accumulator::Accumulator;
use crate::messages;
use crate::plan::{Window, WindowKind};
use crate::types::SqlType;

/// What an aggregate does.
pub struct AggregateSpec {
    /// Types of the key columns.
    pub key_types: Vec<SqlType>,
    pub calls: Vec<AggregateInput>,
    pub window: Option<Window>,
    /// EMIT FINAL: only with a window.
    pub emit_final: bool,
    /// SELECT DISTINCT: the first row of each group, also of groups with a NULL in their key. Only without calls, of a
    /// stream, and without sessions.
    pub distinct: bool,
    /// The rows are a table's changes: only without a window, and all accumulators can undo.
    pub table_input: bool,
}

/// One aggregate call.
pub struct AggregateInput {
    pub accumulator: Box<dyn Accumulator>,
    /// Its arguments: indexes into the batch's columns.
    pub args: Vec<usize>,
}

/// Windows that one row may be in.
const WINDOWS_PER_ROW_MAX: i64 = 100_000;

/// Errors: the statement asks for what no aggregate does.
pub(super) fn check(spec: &AggregateSpec) -> Result<()> {
    if spec.emit_final && spec.window.is_none() {
        return Err(messages::windows::final_without_window());
    }
    let sessions = spec.window.is_some_and(|window| matches!(window.kind, WindowKind::Session { .. }));
    if spec.distinct && (spec.emit_final || spec.table_input || sessions || !spec.calls.is_empty()) {
        return Err(Error::internal("distinct rows of what has no first row"));
    }
    if spec.table_input && spec.window.is_some() {
        return Err(messages::windows::window_of_table());
    }
    if spec.table_input && spec.calls.iter().any(|call| !call.accumulator.can_undo()) {
        return Err(messages::aggregates::some_not_over_tables());
    }
    let Some(window) = &spec.window else { return Ok(()) };
    let good = match window.kind {
        WindowKind::Tumbling { size_ms } => size_ms > 0,
        WindowKind::Hopping { size_ms, advance_ms } => advance_ms > 0 && advance_ms <= size_ms,
        WindowKind::Session { gap_ms } => gap_ms > 0,
    };
    if let WindowKind::Hopping { size_ms, advance_ms } = window.kind
        && good
        && size_ms / advance_ms > WINDOWS_PER_ROW_MAX
    {
        return Err(messages::windows::too_many_of_a_row(WINDOWS_PER_ROW_MAX));
    }
    if !good || window.grace_ms < 0 {
        return Err(messages::windows::spans());
    }
    Ok(())
}
