//! One process owns a data folder; every other command on that folder attaches to it over a local socket inside the
//! folder, speaking HTTP. [`serve`] is the owner's side, [`attach`] the other: an [`Attached`] is a
//! [`Face`](crate::engine::Face) like the engine behind it, and its topics are a [`Log`](crate::log::Log).
//!
//! Doesn't know what a statement means, nor who may own a folder: the owner holds the folder's lock before it serves.
//! Only the owner's user can connect.

mod attached;
mod binary;
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

pub use super::client::Succession;
pub use attached::{Attached, attach, attach_to_server};
pub use log_routes::write_targets;
pub use owner::{LocalServer, Owner, serve};
pub use routes::{info_of, routes};
pub use rows::{read_lines, write_lines};
pub use socket::find as find_socket;
pub use wire::{LogCall, REPEATABLE, REQUEST_BYTES_MAX, StatementCall};
pub mod paths {
    //! Where calls are that not everybody may make.
    pub use super::wire::{APPEND, COMMIT, INSERT, LOG, RESET, STATEMENT};
}

use super::{Holder, ServerInfo, body, server_info};
