//! The configs of a topic, under Kafka's names: one table from which checking, defaults and descriptions are taken.
//!
//! A config of Kafka's that this log can't obey is refused with the reason, not accepted and ignored.

use std::collections::BTreeMap;

use crate::log::kafka_batch::Compression;
use crate::log::{LogError, MAX_MESSAGE_BYTES_MAX, TopicConfig};
use crate::nearest::nearest;

/// What a topic's configs come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicConfigs {
    pub max_message_bytes: usize,
    pub segment_bytes: u64,
    pub segment_ms: i64,
    /// -1: for ever.
    pub retention_ms: i64,
    /// -1: any number.
    pub retention_bytes: i64,
    pub compact: bool,
    pub delete: bool,
    pub compression: Compression,
    pub gzip_level: i32,
    pub zstd_level: i32,
    /// In thousandths.
    pub min_cleanable_dirty_ratio: u64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub delete_retention_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub index_interval_bytes: u64,
    /// `message.timestamp.type` is LogAppendTime.
    pub append_time: bool,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
}

impl Default for TopicConfigs {
    fn default() -> Self {
        let mut configs = TopicConfigs {
            max_message_bytes: 0,
            segment_bytes: 0,
            segment_ms: 0,
            retention_ms: 0,
            retention_bytes: 0,
            compact: false,
            delete: false,
            compression: Compression::None,
            gzip_level: 0,
            zstd_level: 0,
            min_cleanable_dirty_ratio: 0,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: 0,
            delete_retention_ms: 0,
            flush_messages: 0,
            flush_ms: 0,
            index_interval_bytes: 0,
            append_time: false,
            timestamp_before_max_ms: 0,
            timestamp_after_max_ms: 0,
        };
        for known in CONFIGS {
            let _ = (known.set)(&mut configs, known.default);
        }
        configs
    }
}

/// Sets a config to a value; the error says what the value may be.
type Set = fn(&mut TopicConfigs, &str) -> Result<(), String>;

struct Known {
    name: &'static str,
    default: &'static str,
    set: Set,
}

const fn known(name: &'static str, default: &'static str, set: Set) -> Known {
    Known { name, default, set }
}

const MAX: &str = "9223372036854775807";
const DAY_MS: &str = "86400000";
const WEEK_MS: &str = "604800000";

/// In the order of their names. `retention.ms` differs from Kafka's seven days: nothing expires unasked.
const CONFIGS: &[Known] = &[
    known("cleanup.policy", "delete", set_cleanup_policy),
    known("compression.gzip.level", "-1", |c, v| whole(&mut c.gzip_level, v, -1, 9)),
    known("compression.type", "producer", set_compression),
    known("compression.zstd.level", "3", |c, v| whole(&mut c.zstd_level, v, -131_072, 22)),
    known("delete.retention.ms", DAY_MS, |c, v| whole(&mut c.delete_retention_ms, v, 0, i64::MAX)),
    known("flush.messages", MAX, |c, v| whole(&mut c.flush_messages, v, 1, i64::MAX)),
    known("flush.ms", MAX, |c, v| whole(&mut c.flush_ms, v, 0, i64::MAX)),
    known("index.interval.bytes", "4096", |c, v| whole(&mut c.index_interval_bytes, v, 0, i64::from(i32::MAX))),
    known("max.compaction.lag.ms", MAX, |c, v| whole(&mut c.max_compaction_lag_ms, v, 1, i64::MAX)),
    known("max.message.bytes", "1048588", |c, v| whole(&mut c.max_message_bytes, v, 0, MAX_MESSAGE_BYTES_MAX as i64)),
    known("message.timestamp.after.max.ms", MAX, |c, v| whole(&mut c.timestamp_after_max_ms, v, 0, i64::MAX)),
    known("message.timestamp.before.max.ms", MAX, |c, v| whole(&mut c.timestamp_before_max_ms, v, 0, i64::MAX)),
    known("message.timestamp.type", "CreateTime", set_timestamp_type),
    known("min.cleanable.dirty.ratio", "0.5", set_dirty_ratio),
    known("min.compaction.lag.ms", "0", |c, v| whole(&mut c.min_compaction_lag_ms, v, 0, i64::MAX)),
    known("min.insync.replicas", "1", |_, v| only(v, "1", "each partition has one replica here")),
    known("preallocate", "false", |_, v| only(v, "false", "segments are not preallocated")),
    known("retention.bytes", "-1", |c, v| whole(&mut c.retention_bytes, v, -1, i64::MAX)),
    known("retention.ms", "-1", |c, v| whole(&mut c.retention_ms, v, -1, i64::MAX)),
    known("segment.bytes", "1073741824", |c, v| whole(&mut c.segment_bytes, v, 14, i64::from(i32::MAX))),
    known("segment.jitter.ms", "0", |_, v| only(v, "0", "segments are rolled without jitter")),
    known("segment.ms", WEEK_MS, |c, v| whole(&mut c.segment_ms, v, 1, i64::MAX)),
    known("unclean.leader.election.enable", "false", |_, v| only(v, "false", "there are no other replicas to elect")),
];

/// Kafka's configs that have no meaning here, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("compression.lz4.level", "lz4 has one level here"),
    ("file.delete.delay.ms", "files are deleted as soon as that is durable"),
    ("follower.replication.throttled.replicas", "there is no replication"),
    ("leader.replication.throttled.replicas", "there is no replication"),
    ("local.retention.bytes", "there is no tiered storage"),
    ("local.retention.ms", "there is no tiered storage"),
    ("message.downconversion.enable", "old message formats are not served"),
    ("message.format.version", "records are stored in format 2 only"),
    ("message.timestamp.difference.max.ms", "use message.timestamp.before.max.ms and message.timestamp.after.max.ms"),
    ("remote.storage.enable", "there is no tiered storage"),
    ("segment.index.bytes", "indexes are kept in memory and are sized by index.interval.bytes"),
];

impl TopicConfigs {
    /// Checks all names and values and gives what they come to.
    pub(super) fn parse(configs: &BTreeMap<String, String>) -> Result<TopicConfigs, LogError> {
        let mut parsed = TopicConfigs::default();
        for (name, value) in configs {
            let known = find(name)?;
            (known.set)(&mut parsed, value.trim())
                .map_err(|reason| LogError::Invalid(format!("config {name} can't be '{value}': {reason}")))?;
        }
        Ok(parsed)
    }
}

impl TopicConfigs {
    /// The compression level, for the codecs that have a config for it.
    pub(super) fn level(&self) -> Option<i32> {
        match self.compression {
            Compression::Gzip => Some(self.gzip_level).filter(|level| *level >= 0),
            Compression::Zstd => Some(self.zstd_level),
            _ => None,
        }
    }
}

/// Checks that a config of this name can be set.
pub(super) fn check_name(name: &str) -> Result<(), LogError> {
    find(name).map(|_| ())
}

/// All configs with their values, given those that were set.
pub(super) fn describe(set: &BTreeMap<String, String>) -> Vec<TopicConfig> {
    CONFIGS
        .iter()
        .map(|known| TopicConfig {
            name: known.name.to_owned(),
            value: set.get(known.name).map_or(known.default, String::as_str).to_owned(),
            is_default: !set.contains_key(known.name),
        })
        .collect()
}

fn find(name: &str) -> Result<&'static Known, LogError> {
    if let Some(known) = CONFIGS.iter().find(|known| known.name == name) {
        return Ok(known);
    }
    if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(LogError::Invalid(format!("config {name} is not supported: {reason}")));
    }
    let near = nearest(name, CONFIGS.iter().map(|known| known.name));
    let hint = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
    Err(LogError::Invalid(format!("unknown topic config '{name}'{hint}")))
}

fn whole<T: TryFrom<i64>>(into: &mut T, value: &str, low: i64, high: i64) -> Result<(), String> {
    let range = || format!("it must be a whole number from {low} to {high}");
    let number = value.parse::<i64>().ok().filter(|n| (low..=high).contains(n)).ok_or_else(range)?;
    *into = T::try_from(number).map_err(|_| range())?;
    Ok(())
}

fn only(value: &str, allowed: &str, reason: &str) -> Result<(), String> {
    if value == allowed { Ok(()) } else { Err(format!("{reason}, so it can only be {allowed}")) }
}

fn set_cleanup_policy(configs: &mut TopicConfigs, value: &str) -> Result<(), String> {
    (configs.compact, configs.delete) = (false, false);
    for policy in value.split(',').map(str::trim) {
        match policy {
            "compact" => configs.compact = true,
            "delete" => configs.delete = true,
            _ => return Err("it must be delete, compact or both with a comma between".to_owned()),
        }
    }
    Ok(())
}

fn set_compression(configs: &mut TopicConfigs, value: &str) -> Result<(), String> {
    configs.compression = match value {
        // What writes into this log is the producer, and it doesn't compress.
        "producer" | "uncompressed" | "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => return Err("it must be producer, uncompressed, gzip, snappy, lz4 or zstd".to_owned()),
    };
    Ok(())
}

fn set_timestamp_type(configs: &mut TopicConfigs, value: &str) -> Result<(), String> {
    configs.append_time = match value {
        "CreateTime" => false,
        "LogAppendTime" => true,
        _ => return Err("it must be CreateTime or LogAppendTime".to_owned()),
    };
    Ok(())
}

fn set_dirty_ratio(configs: &mut TopicConfigs, value: &str) -> Result<(), String> {
    let ratio = value.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    configs.min_cleanable_dirty_ratio = (ratio.ok_or("it must be a number from 0 to 1")? * 1000.0) as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<TopicConfigs, String> {
        let configs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicConfigs::parse(&configs).map_err(|error| error.to_string())
    }

    #[test]
    fn every_default_is_a_legal_value_and_the_table_is_in_order() {
        for known in CONFIGS {
            parse(&[(known.name, known.default)]).unwrap();
        }
        assert!(CONFIGS.is_sorted_by_key(|known| known.name));
        let defaults = TopicConfigs::default();
        assert_eq!((defaults.max_message_bytes, defaults.segment_bytes), (1_048_588, 1 << 30));
        assert_eq!((defaults.retention_ms, defaults.delete, defaults.compact), (-1, true, false));
        assert_eq!(defaults.min_cleanable_dirty_ratio, 500);
    }

    #[test]
    fn values_are_taken() {
        let configs =
            parse(&[("cleanup.policy", "compact, delete"), ("retention.ms", "1000"), ("compression.type", "zstd")]);
        let configs = configs.unwrap();
        assert!(configs.compact && configs.delete);
        assert_eq!((configs.retention_ms, configs.compression), (1000, Compression::Zstd));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (name, value, expected) in [
            ("retention.sm", "1", "unknown topic config 'retention.sm' (did you mean retention.ms?)"),
            ("wibble", "1", "unknown topic config 'wibble'"),
            (
                "retention.ms",
                "-2",
                "config retention.ms can't be '-2': it must be a whole number from -1 to 9223372036854775807",
            ),
            (
                "retention.ms",
                "soon",
                "config retention.ms can't be 'soon': it must be a whole number from -1 to 9223372036854775807",
            ),
            (
                "cleanup.policy",
                "burn",
                "config cleanup.policy can't be 'burn': it must be delete, compact or both with a comma between",
            ),
            (
                "min.insync.replicas",
                "2",
                "config min.insync.replicas can't be '2': each partition has one replica here, so it can only be 1",
            ),
            (
                "remote.storage.enable",
                "true",
                "config remote.storage.enable is not supported: there is no tiered storage",
            ),
        ] {
            assert_eq!(parse(&[(name, value)]).unwrap_err(), expected);
        }
    }
}
