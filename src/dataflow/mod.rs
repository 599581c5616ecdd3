//! The operators and the loop that drives them. Doesn't know SQL text.

pub mod aggregate;
mod batch;
mod changelog;
mod evaluate;
mod exchange;
mod filter;
mod flat_map;
mod flow;
mod join;
mod meter;
mod operator;
mod origin;
pub mod processing_log;
mod project;
mod pseudo_columns;
mod regroup;
mod row_time;
mod run;
mod scan;
mod sink;
mod start;
mod task;
mod window_columns;

pub use batch::{Batch, OldRows, WindowBounds};
pub use join::join;
pub use meter::Passed;
pub use operator::{Context, ErrorKind, JoinOperator, Node, Operator, ProcessingError, Sides};
pub use origin::Origin;
pub use run::{
    Counters, Guarantee, Host, Keeping, Opening, Reached, Run, RunSpec, STAGED_BYTES_MAX, SinkSpec, SnapshotCounters,
    StageLayout, Start, Strict, any_records, changelog_topics, check_state_is_there, exchange_topics, layout,
    load_rows,
};
pub use scan::{ScanReader, split_window};
pub use start::{check_start, commit_start};
pub use task::Task;
