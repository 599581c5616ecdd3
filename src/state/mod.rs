//! Keyed state: keys interned to small numbers, values as bytes for changelog and snapshot. Doesn't know what an
//! aggregate or a join means.

pub mod codec;
mod framing;
mod keys;

pub use framing::{FrameReader, FrameWriter};
pub use keys::Keys;
