//! One process owns a data folder; every other command on that folder attaches to it over a local socket inside the
//! folder, speaking HTTP. [`serve`] is the owner's side, [`attach`] the other: an [`Attached`] is a
//! [`Face`](crate::engine::Face) like the engine behind it, and its topics are a [`Log`](crate::log::Log).
//!
//! Doesn't know what a statement means, nor who may own a folder: the owner holds the folder's lock before it serves.
//! Only the owner's user can connect.

mod attached;
mod binary;
mod client;
mod listener;
mod log_routes;
mod owner;
mod remote_log;
mod routes;
mod rows;
mod socket;
#[cfg(test)]
mod tests;
mod value;
mod watch;
mod wire;

pub use attached::{Attached, attach};
pub use client::Succession;
pub use owner::{LocalServer, serve};

use super::{Holder, ServerInfo, body, server_info};
