//! Meaning: names, types, keys, windows, time, aggregates. Doesn't know operators.

mod aggregate;
mod calls;
mod items;
mod keys;
pub mod properties;
mod query;
mod rewrite;
mod scope;
mod sink;
mod source;
mod wanted;

pub use query::{Analyzed, Target, analyze, scan_schema};
pub use rewrite::mentions;
pub use scope::Columns;
pub use sink::{Sink, create_as, insert_select};
pub use source::{CreateSource, PSEUDO_COLUMNS, WINDOW_COLUMNS};
