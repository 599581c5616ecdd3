//! How far a run has read, for another run that goes on from there or up to there.

use std::collections::BTreeMap;

use super::Run;
use super::identity::SourceTopics;
use crate::error::Result;
use crate::log::TopicPartition;

/// How far a run without state has read its sources.
#[derive(Clone)]
pub struct Reached {
    sources: SourceTopics,
    /// The next offset of each partition.
    pub positions: BTreeMap<TopicPartition, i64>,
}

impl Run {
    /// How far it has read.
    pub fn reached(&self) -> Reached {
        let positions = self.sources().map(|reader| (reader.place.clone(), reader.position)).collect();
        Reached { sources: self.sources.clone(), positions }
    }

    /// Begins where another run over the same sources is; for one that has no state and has read nothing yet.
    ///
    /// Errors: a topic was deleted and created again meanwhile.
    pub fn go_on_from(&mut self, reached: &Reached) -> Result<()> {
        self.sources.check_same(&reached.sources)?;
        for reader in self.sources_mut() {
            if let Some(position) = reached.positions.get(&reader.place) {
                reader.go_to(*position);
            }
        }
        Ok(())
    }

    /// Reads no further than another run over the same sources has.
    ///
    /// Errors: that one reads other topics of these names.
    pub fn stop_where(&mut self, reached: &Reached) -> Result<()> {
        self.sources.check_same(&reached.sources)?;
        self.stop_at(&reached.positions);
        Ok(())
    }
}
