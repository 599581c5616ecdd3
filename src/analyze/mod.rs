//! Meaning: names, types, keys, windows, time, aggregates. Doesn't know operators.

mod aggregate;
mod builder;
mod calls;
mod distinct;
mod items;
mod join;
mod keys;
mod names;
mod projection;
pub mod properties;
mod query;
mod rewrite;
mod scope;
mod sink;
mod source;
mod subquery;
mod table_functions;
mod wanted;
mod window_bounds;

pub use builder::Target;
pub use calls::is_aggregated;
pub use query::analyze;
pub use rewrite::mentions;
pub use sink::{Role, Sink, create_as, insert_select};
pub use source::{CreateSource, PSEUDO_COLUMNS, WINDOW_COLUMNS};
#[cfg(test)]
pub(crate) use wanted::mark_wanted;
pub use wanted::outputs_read;
