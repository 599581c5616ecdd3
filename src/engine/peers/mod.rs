//! The processes of a service on a cluster: who has which partitions, and pull queries that one asks of another.
//!
//! Who answers is never a matter of right or wrong. Whoever does reads the table's topic on to what was committed when it was
//! asked; so an answer is right from a process that has lost the partition, or that was frozen, too. It decides who holds the
//! rows: they are spread over the processes as the work is.
//!
//! Doesn't know how processes talk to each other ([`Peers`] does).

mod owners;
mod pull;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

pub(in crate::engine) use self::owners::Routes;
pub use self::owners::Shares;
pub(in crate::engine) use self::pull::definition;
use crate::dataflow::{StageLayout, changelog_topics, layout};
use crate::engine::facts::Health;
use crate::engine::{Drive, Engine, Inner, ResultColumn, Row, show};
use crate::error::Result;
use crate::log::TopicPartition;
use crate::plan::Plan;

/// How long a process keeps rows that another one has and that nobody has asked it for.
const UNASKED_MAX: Duration = Duration::from_secs(60);

/// A process that others can reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Stays with its data folder.
    pub id: String,
    /// `http://10.0.0.3:8088`
    pub url: String,
}

impl Process {
    /// What it tells of itself in groups, behind its clients' name.
    pub fn about(&self) -> String {
        format!("#{}@{}", self.id, self.url)
    }

    /// Of a client's name in a group.
    pub fn of_client(client: &str) -> Option<Process> {
        let (id, url) = client.rsplit_once('#')?.1.split_once('@')?;
        Some(Process { id: id.to_owned(), url: url.to_owned() })
    }
}

/// How other processes are asked.
pub trait Peers: Send + Sync {
    /// Whether it answers, as far as that is known.
    fn answers(&self, process: &Process) -> bool;
    /// How a query is doing in the others that are there, by `HOST:PORT`.
    fn elsewhere(&self, query: &str) -> Vec<(String, Health)>;
    /// Asks it for rows of its partitions.
    ///
    /// Errors: there is no answer, or it declines; why.
    fn pull(&self, process: &Process, asked: &PartAsked) -> Result<PartAnswer, String>;
}

/// A pull query that one process asks of another. Who is asked answers by itself or declines, and never asks a third.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartAsked {
    /// The id of the process that is asked.
    pub process: String,
    /// Of the table, as who asks knows it: who is asked must know the same.
    pub definition: String,
    /// The SELECT.
    pub query: String,
    /// The session's settings.
    pub properties: BTreeMap<String, String>,
    /// Of the table's topic.
    pub partitions: Vec<u32>,
}

/// Rows of some partitions.
#[derive(Debug, Clone, PartialEq)]
pub struct PartAnswer {
    /// In the order of the SELECT.
    pub columns: Vec<ResultColumn>,
    /// Those of each partition together.
    pub rows: Vec<Row>,
    /// For people.
    pub warnings: Vec<String>,
}

/// What a process has of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Active {
    /// Of all topics that the stages read whose partitions it has.
    pub partitions: BTreeSet<TopicPartition>,
    /// Names of what keeps state of these, and the partitions of its changelog.
    pub stores: BTreeMap<String, Vec<TopicPartition>>,
}

/// What an engine knows of the other processes.
#[derive(Default)]
pub(in crate::engine) struct Around {
    peers: RwLock<Option<Arc<dyn Peers>>>,
    /// By query, as last told by their groups.
    shares: RwLock<Arc<BTreeMap<String, Shares>>>,
}

#[cfg(test)]
impl Around {
    pub fn shares_for_test(&self) -> parking_lot::RwLockWriteGuard<'_, Arc<BTreeMap<String, Shares>>> {
        self.shares.write()
    }
}

impl Engine {
    /// Lets the others know where this process can be reached, and takes what asks them. To be called before the queries start: a
    /// member of a group tells it when it joins. Gives what this process is called.
    pub(crate) fn meet(&self, url: &str, peers: Arc<dyn Peers>) -> Option<Process> {
        let seat = self.inner.seat.as_ref()?;
        let url = seat.url.get_or_init(|| url.to_owned()).clone();
        *self.inner.around.peers.write() = Some(peers);
        Some(Process { id: seat.process.clone(), url })
    }

    /// Asks the groups of all queries who has what, and lets go of rows that others have now.
    ///
    /// Errors: the cluster doesn't say. What was known holds.
    pub(crate) fn look_around(&self) -> Result<Arc<BTreeMap<String, Shares>>> {
        let inner = &self.inner;
        inner.look_at_commands();
        let queries: Vec<(String, String, String, u32)> = {
            let sinks = inner.sinks.read();
            let of_last = |(id, plan): (&String, &Plan)| {
                let group = inner.service.query_group(id);
                // A topic that is gone stops its query, which says so.
                let last = layout(plan, &group, &*inner.log).ok()?.pop()?;
                Some((id.clone(), group, last.lead, last.partitions))
            };
            sinks.iter().map(|(id, sink)| (id, &sink.analyzed.plan)).filter_map(of_last).collect()
        };
        let groups: Vec<String> = queries.iter().map(|(_, group, ..)| group.clone()).collect();
        let described = inner.log.describe_groups(&groups)?;
        let before = inner.around.shares.read().clone();
        let told = |(id, group, lead, count): (String, String, String, u32)| {
            let group = described.iter().find(|described| described.name == group)?;
            let shares = Shares::told(group, &lead, count, before.get(&id));
            Some((id, shares))
        };
        let shares: Arc<BTreeMap<String, Shares>> = Arc::new(queries.into_iter().filter_map(told).collect());
        *inner.around.shares.write() = shares.clone();
        inner.let_go_of_others_rows();
        Ok(shares)
    }

    /// What is known of who has what.
    pub(crate) fn shares(&self) -> Arc<BTreeMap<String, Shares>> {
        self.inner.around.shares.read().clone()
    }

    /// What a process has of each query, as the queries' groups told last; of this one (None) what it has now.
    pub(crate) fn active(&self, process: Option<&Process>) -> BTreeMap<String, Active> {
        let inner = &self.inner;
        let Drive::Threads(queries) = &inner.drive else { return BTreeMap::new() };
        let shares = self.shares();
        let given = |id: &String| match process {
            Some(process) => shares.get(id)?.by_process.get(process).cloned(),
            None => queries.lock().get(id).map(|query| query.given.lock().clone()),
        };
        let sinks = inner.sinks.read();
        let active = |(id, plan): (&String, &Plan)| {
            let given = given(id)?;
            let group = inner.service.query_group(id);
            let stages = layout(plan, &group, &*inner.log).ok()?;
            Some((id.clone(), active(&group, &stages, changelog_topics(&group, plan), &given)))
        };
        sinks.iter().map(|(id, sink)| (id, &sink.analyzed.plan)).filter_map(active).collect()
    }

    /// How each query is doing in this process.
    pub(crate) fn healths(&self) -> BTreeMap<String, Health> {
        let ids: Vec<String> = self.inner.sinks.read().keys().cloned().collect();
        let health = |id: String| {
            let health = show::health(self.query_state(&id).as_ref());
            (id, health)
        };
        ids.into_iter().map(health).collect()
    }

    /// The name of a query's group.
    pub(crate) fn query_group(&self, id: &str) -> String {
        self.inner.service.query_group(id)
    }
}

/// What goes with partitions of lead topics.
fn active(
    group: &str,
    stages: &[StageLayout],
    changelogs: Vec<Vec<String>>,
    given: &BTreeSet<TopicPartition>,
) -> Active {
    let mut active = Active::default();
    for (stage, changelogs) in stages.iter().zip(changelogs) {
        let own: Vec<u32> =
            given.iter().filter(|place| place.topic == stage.lead).map(|place| place.partition).collect();
        let places = |topic: &String| {
            let topic = topic.clone();
            own.iter().map(move |partition| TopicPartition { topic: topic.clone(), partition: *partition })
        };
        active.partitions.extend(stage.topics.iter().flat_map(places));
        for topic in changelogs.iter().filter(|_| !own.is_empty()) {
            let name = topic.strip_prefix(&format!("{group}-")).unwrap_or(topic);
            active.stores.insert(name.strip_suffix("-changelog").unwrap_or(name).to_owned(), places(topic).collect());
        }
    }
    active
}

impl Inner {
    /// How a query is doing in other processes, as far as they told.
    pub(in crate::engine) fn elsewhere(&self, query: &str) -> Vec<(String, Health)> {
        self.around.peers.read().as_ref().map(|peers| peers.elsewhere(query)).unwrap_or_default()
    }

    /// Rows that were read because their process didn't answer, and that it has again.
    fn let_go_of_others_rows(&self) {
        let (Some(seat), Some(peers)) = (&self.seat, self.around.peers.read().clone()) else { return };
        let shares = self.around.shares.read().clone();
        for view in self.views.read().values() {
            let Some(shares) = view.source.query_id.as_ref().and_then(|id| shares.get(id)) else { continue };
            let count = self.log.partitions(&view.source.topic).unwrap_or(0);
            let routes = owners::route(0..count, shares, &seat.process, |process| peers.answers(process));
            let others: Vec<u32> = routes.there.into_values().flatten().collect();
            view.let_go(&others, UNASKED_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_with_partitions() {
        let places = |topic: &str, partitions: &[u32]| -> Vec<TopicPartition> {
            let place = |partition: &u32| TopicPartition { topic: topic.to_owned(), partition: *partition };
            partitions.iter().map(place).collect()
        };
        let stage = |topics: &[&str]| StageLayout {
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            lead: topics[0].to_owned(),
            partitions: 3,
            to: None,
            out: None,
        };
        let stages = [stage(&["s", "t"]), stage(&["g-Aggregate-GroupBy-repartition"])];
        let changelogs = vec![vec![], vec!["g-Aggregate-Aggregate-Materialize-changelog".to_owned()]];
        let given = [places("s", &[0, 2]), places("g-Aggregate-GroupBy-repartition", &[1])].concat();
        let told = active("g", &stages, changelogs.clone(), &given.iter().cloned().collect());
        let all = [given, places("t", &[0, 2])].concat();
        assert_eq!(told.partitions, all.into_iter().collect());
        let store = "Aggregate-Aggregate-Materialize".to_owned();
        assert_eq!(told.stores, BTreeMap::from([(store, places("g-Aggregate-Aggregate-Materialize-changelog", &[1]))]));
        // Without a partition of the stage there is no store.
        let told = active("g", &stages, changelogs, &places("s", &[1]).into_iter().collect());
        assert_eq!((told.partitions.len(), told.stores.len()), (2, 0));
    }

    #[test]
    fn a_process_tells_of_itself_behind_any_name() {
        let process = Process { id: "3f2c".to_owned(), url: "https://pond-1.example.org:8088".to_owned() };
        for name in ["millpond", "shop#1@x", ""] {
            assert_eq!(Process::of_client(&format!("{name}{}", process.about())), Some(process.clone()));
        }
        for other in ["millpond", "millpond#", "a@b", "consumer-1"] {
            assert_eq!(Process::of_client(other), None, "{other}");
        }
    }
}
