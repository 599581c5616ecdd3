//! Pull queries over the rows of tables. Doesn't know HTTP.

mod pull;
mod view;

pub use pull::pull;
pub use view::View;
