//! The engine: what a data folder does while a process holds it.

mod face;

pub use face::{Face, Listing, Reply, Row, RowEvent, RowStream, Session, Status};
