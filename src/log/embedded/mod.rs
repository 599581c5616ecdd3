//! The log inside the process.
