//! Old data: what retention removes.

use super::Inner;
use crate::log::LogError;

impl Inner {
    /// One round over all topics.
    pub(super) fn maintain(&self) -> Result<(), LogError> {
        Ok(())
    }
}
