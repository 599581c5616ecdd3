//! ASSERT TOPIC: waits a moment for a topic to be there, or to be gone.

use std::time::Duration;

use crate::engine::{Drive, Inner};
use crate::error::Result;
use crate::log::LogError;
use crate::messages;
use crate::sql::ast::{Literal, Properties};
use crate::time::now;

/// How long to wait without TIMEOUT.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Inner {
    /// Gives what was found; an error when it isn't as asserted in time.
    pub(super) fn assert_topic(
        &self,
        exists: bool,
        topic: &str,
        properties: &Properties,
        timeout: Option<Duration>,
    ) -> Result<String> {
        let wanted = wanted(properties)?;
        // Where the caller drives the queries, nothing changes while it waits.
        let patience = match self.drive {
            Drive::Threads(_) => timeout.unwrap_or(TIMEOUT_DEFAULT),
            Drive::Stepped(_) => Duration::ZERO,
        };
        let asked = now();
        loop {
            let found = self.found(topic, &wanted)?;
            let judged = judge(exists, topic, &wanted, found);
            if judged.is_ok() || asked.elapsed() >= patience {
                return judged;
            }
            std::thread::sleep(LOOK_EVERY.min(patience));
        }
    }
}

impl Inner {
    /// None: it isn't there. The replicas are looked at when they are asked for.
    fn found(&self, topic: &str, wanted: &Wanted) -> Result<Option<Found>> {
        let Some(partitions) = self.log.partitions(topic) else { return Ok(None) };
        let replicas = match wanted.replicas {
            None => None,
            Some(_) => match self.log.describe_topic(topic) {
                Ok(topic) => topic.replicas(),
                Err(LogError::UnknownTopic(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Some(Found { partitions, replicas: replicas.map_or(1, u32::from) }))
    }
}

/// What is there.
#[derive(Debug, Clone, Copy)]
struct Found {
    partitions: u32,
    replicas: u32,
}

/// What WITH asks of the topic.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    partitions: Option<u32>,
    replicas: Option<u32>,
}

fn wanted(properties: &Properties) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for (name, value) in properties {
        let count = match value {
            Literal::Number(text) | Literal::String(text) => text.trim().parse::<u32>().ok(),
            _ => None,
        };
        let upper = name.text.to_uppercase();
        let place = match upper.as_str() {
            "PARTITIONS" => &mut wanted.partitions,
            "REPLICAS" => &mut wanted.replicas,
            _ => {
                return Err(messages::topics::asserted_property(&upper).at(name.at));
            }
        };
        let count = count.ok_or_else(|| messages::topics::asserted_count(&upper).at(name.at))?;
        *place = Some(count);
    }
    Ok(wanted)
}

/// `found`: None when it isn't there.
fn judge(exists: bool, topic: &str, wanted: &Wanted, found: Option<Found>) -> Result<String> {
    let found = match (exists, found) {
        (false, None) => return Ok(format!("Topic {topic} does not exist.")),
        (false, Some(_)) => return Err(messages::topics::asserted_absent(topic)),
        (true, None) => return Err(messages::topics::asserted_present(topic)),
        (true, Some(found)) => found,
    };
    let counts = [("partitions", wanted.partitions, found.partitions), ("replicas", wanted.replicas, found.replicas)];
    for (name, wanted, found) in counts {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            return Err(messages::topics::asserted_config(topic, name, wanted, found));
        }
    }
    Ok(format!("Topic {topic} exists."))
}
