//! What a process is told from outside: configuration files.

pub mod properties;
