//! `group reset`: lets a group read from elsewhere.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use super::{all_of, is_missing, standing, unknown};
use crate::cli::args::{ResetOptions, ResetTo, StartOffset, TopicChoice};
use crate::cli::connect::Connected;
use crate::cli::exit::Stop;
use crate::cli::listing::show_table;
use crate::cli::output::{Output, OutputFormat};
use crate::engine::{GroupKind, Trial};
use crate::error::Error;
use crate::log::{Log, LogError, TopicPartition};
use crate::nearest::nearest;

type Positions = BTreeMap<TopicPartition, i64>;

pub(super) fn command(options: &ResetOptions, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    let log = engine.log.as_ref();
    let group = standing(&options.group, engine)?;
    let name = &group.description.name;
    // What no other offset would mend is said first.
    engine.face.reset_group(name, &Positions::new(), Trial::Only)?;
    let now = log.positions(name)?;
    let places = match &group.kind {
        _ if !options.topic.is_empty() => chosen(&options.topic, log)?,
        GroupKind::Query(query) => query.topics.iter().flat_map(|topic| all_of(topic, log)).collect(),
        GroupKind::OtherService | GroupKind::Consumer => now.keys().cloned().collect(),
    };
    if places.is_empty() {
        return Err(match is_missing(&group) {
            true => unknown(name, engine),
            false => Error::world(format!("group '{name}' has no positions")).hint("with --topic it gets some"),
        }
        .into());
    }
    let to = options.to.get().ok_or_else(|| Stop::Usage("where to? give --to, --to-offset or --to-datetime".into()))?;
    let target = |(place, offsets)| -> Result<_, LogError> {
        let target = target(&place, offsets, to, log)?;
        Ok((place, target))
    };
    let targets = log.offsets_of(&places)?.into_iter().map(target).collect::<Result<Positions, _>>()?;
    let trial = if options.dry_run { Trial::Only } else { Trial::No };
    engine.face.reset_group(name, &targets, trial)?;
    show(name, &now, &targets, trial, out)
}

fn chosen(choices: &[TopicChoice], log: &dyn Log) -> Result<Vec<TopicPartition>, Stop> {
    let mut places = Vec::new();
    for TopicChoice { topic, partitions } in choices {
        let Some(count) = log.partitions(topic) else {
            let error = Error::from(LogError::UnknownTopic(topic.clone()));
            return Err(match nearest(topic, log.topics().iter().map(String::as_str)) {
                Some(other) => error.hint(format!("Did you mean {other}?")).into(),
                None => error.into(),
            });
        };
        match partitions {
            None => places.extend(all_of(topic, log)),
            Some(partitions) => {
                for &partition in partitions {
                    if partition >= count {
                        return Err(LogError::UnknownPartition { topic: topic.clone(), partition }.into());
                    }
                    places.push(TopicPartition { topic: topic.clone(), partition });
                }
            }
        }
    }
    Ok(places)
}

/// The offset that a partition is to be read from.
fn target(place: &TopicPartition, (first, next): (i64, i64), to: ResetTo, log: &dyn Log) -> Result<i64, LogError> {
    match to {
        ResetTo::Offset(StartOffset::Earliest) => Ok(first),
        ResetTo::Offset(StartOffset::Latest) => Ok(next),
        ResetTo::Offset(StartOffset::At(asked)) if asked < first || asked > next => {
            let (topic, partition) = (place.topic.clone(), place.partition);
            Err(LogError::OffsetOutOfRange { topic, partition, asked, first, next })
        }
        ResetTo::Offset(StartOffset::At(asked)) => Ok(asked),
        ResetTo::Time(time) => log.offset_for_time(place, time),
    }
}

fn show(group: &str, now: &Positions, targets: &Positions, trial: Trial, out: &mut Output) -> Result<(), Stop> {
    match out.format {
        OutputFormat::Json => {
            for (place, to) in targets {
                let line = json!({
                    "group": group,
                    "topic": place.topic,
                    "partition": place.partition,
                    "from": now.get(place),
                    "to": to,
                    "status": match trial {
                        Trial::Only => "would be set",
                        Trial::No => "set",
                    },
                });
                out.line(&line.to_string())?;
            }
        }
        OutputFormat::Tabular => {
            let row = |(place, to): (&TopicPartition, &i64)| {
                let from = now.get(place).map_or_else(|| "-".to_owned(), ToString::to_string);
                vec![place.topic.clone(), place.partition.to_string(), from, to.to_string()]
            };
            let rows: Vec<_> = targets.iter().map(row).collect();
            show_table(&["Topic", "Partition", "From", "To"], &rows, out)?;
            match trial {
                Trial::Only => out.line(&format!("Group {group} would be reset; nothing was changed (--dry-run)"))?,
                Trial::No => out.line(&format!("Group {group} reset"))?,
            }
        }
    }
    out.flush()?;
    Ok(())
}
