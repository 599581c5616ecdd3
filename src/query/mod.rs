//! Pull queries over the rows of tables. Doesn't know HTTP.

mod pull;
mod view;

pub use pull::{Pulled, check_columns, check_limit, pull, pull_keys};
pub use view::View;
