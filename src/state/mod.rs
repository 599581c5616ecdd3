//! Keyed state: what operators and views remember. Doesn't know what an aggregate means.

mod rows;

pub use rows::RowStore;
