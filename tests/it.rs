//! What the binary and the library promise, tried from outside. One binary: each links DataFusion again.

#[path = "it/bad_input.rs"]
mod bad_input;
#[path = "it/binary.rs"]
mod binary;
#[path = "it/kill.rs"]
mod kill;
