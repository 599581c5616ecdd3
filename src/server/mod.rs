//! Engines over HTTP: the requests, their limits and who may make them. Doesn't know how a query runs.

pub mod local;
