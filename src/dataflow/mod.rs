//! The operators and the loop that drives them. Doesn't know SQL text.

pub mod accumulator;
pub mod accumulators;
pub mod aggregate;
mod batch;
mod operator;

pub use batch::{Batch, OldRows, WindowBounds};
pub use operator::{Context, Operator};
