//! Text to syntax tree and back. Doesn't know what exists.

pub mod ast;
