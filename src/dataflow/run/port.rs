//! How a run reaches the log: all of a topic by itself, or its share of it as a member of a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layout::stage_topics;
use super::spec::{Guarantee, RunSpec};
use crate::error::Result;
use crate::log::{
    Delivery, GroupSpec, Log, LogError, Member, MemberSpec, Records, Signal, TopicPartition, Transaction,
};

/// A way to the log.
#[derive(Clone)]
pub(super) struct Port {
    pub log: Arc<dyn Log>,
    /// This process's place in the query's group. None: the whole query is this process's.
    pub member: Option<Arc<dyn Member>>,
}

impl Port {
    pub fn fetch(
        &self,
        place: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        match &self.member {
            None => self.log.fetch(place, from, bytes_max, into),
            Some(member) => member.fetch(place, from, bytes_max, into),
        }
    }

    /// The end of a partition, as far as that can be known without asking anybody.
    pub fn end(&self, place: &TopicPartition) -> Result<Option<i64>, LogError> {
        match &self.member {
            None => self.log.offsets(place).map(|(_, next)| Some(next)),
            Some(member) => Ok(member.end(place)),
        }
    }

    pub fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        match &self.member {
            None => self.log.begin(),
            Some(member) => member.begin(),
        }
    }

    /// The query's committed positions; of a share of it those of `places`.
    pub fn positions(&self, group: &str, places: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        match &self.member {
            None => self.log.positions(group),
            Some(member) => member.positions(places),
        }
    }
}

impl RunSpec {
    /// Begins to take part in the query's group. `folder`: what tells this process's data folder from others of the service;
    /// `about`: what those who describe the group are told of it.
    pub fn join(
        &self,
        log: &dyn Log,
        folder: &str,
        about: Option<String>,
        signal: &Arc<Signal>,
    ) -> Result<Arc<dyn Member>> {
        let group = GroupSpec {
            id: self.group.clone(),
            transactional_id: format!("{}-{folder}", self.group),
            instance_id: None,
            about,
            delivery: match self.guarantee {
                Guarantee::ExactlyOnce => Delivery::ExactlyOnce,
                Guarantee::AtLeastOnce => Delivery::AtLeastOnce,
            },
        };
        let spec =
            MemberSpec { stages: stage_topics(&self.group, &self.plan), group: Some(group), signal: signal.clone() };
        Ok(Arc::from(log.join(&spec)?))
    }
}
