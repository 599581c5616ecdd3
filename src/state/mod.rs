//! Keyed state: keys interned to small numbers, values as bytes for changelog and snapshot, and the newest row of each key;
//! the budget of memory they share. Doesn't know what an aggregate or a join means.

pub mod codec;
pub mod columns;
mod framing;
mod keys;
mod memory;
mod rows;
pub mod snapshots;

pub use keys::{Keys, NO_KEY};
pub use memory::{MemoryBudget, MemoryShare};
pub use rows::RowStore;
