//! Pull queries over the rows of tables. Doesn't know HTTP.

mod pull;
mod view;

pub use pull::{Pulled, check_columns, check_limit, partitions_asked, pull, pull_keys};
pub use view::{View, Wanted};
