//! The one table of settings: SET, SHOW PROPERTIES, `--set` and the docs read it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Meaning;
use crate::config::foreign;
use crate::dataflow::Strict;
use crate::engine::Bounds;
use crate::error::Result;
use crate::format::Format;
use crate::log::kafka::KafkaConfig;
use crate::messages;
use crate::messages::settings::Expected;
use crate::plan::Plan;
use crate::time::now;

/// What a setting's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    /// A whole number, at least 0 (or -1 for none).
    Number,
    Text,
    /// One of these.
    Choice(&'static [&'static str]),
    /// The name of a format.
    Format,
}

#[derive(Debug)]
pub struct Setting {
    /// ksqlDB's name, without `ksql.streams.`.
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    pub description: &'static str,
}

const fn setting(name: &'static str, default: &'static str, kind: Kind, description: &'static str) -> Setting {
    Setting { name, default, kind, description }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting(
        "auto.offset.reset",
        "earliest",
        Kind::Choice(&["earliest", "latest"]),
        "where a new query begins to read (ksqlDB: latest)",
    ),
    setting(
        "cache.max.bytes.buffering",
        "10000000",
        Kind::Number,
        "0: every change of a table goes on; else the last of a key, at the commit or when so many bytes are held back",
    ),
    setting("commit.interval.ms", "100", Kind::Number, "how often results become visible (ksqlDB: 2000)"),
    setting(
        "ksql.fail.on.deserialization.error",
        "false",
        Kind::Boolean,
        "whether a query fails of a record that it can't read; else it skips it and tells the processing log",
    ),
    setting(
        "ksql.functions.collect_list.limit",
        "2147483647",
        Kind::Number,
        "the most elements that COLLECT_LIST keeps",
    ),
    setting("ksql.functions.collect_set.limit", "2147483647", Kind::Number, "the most elements that COLLECT_SET keeps"),
    setting("ksql.insert.into.values.enabled", "true", Kind::Boolean, "whether INSERT INTO ... VALUES is allowed"),
    setting(
        "ksql.new.query.planner.enabled",
        "false",
        Kind::Boolean,
        "whether the key columns of a source stand in a sink's key as the SELECT list has them, not as in the source's",
    ),
    setting("ksql.output.topic.name.prefix", "", Kind::Text, "stands before the names of topics that queries make"),
    setting("ksql.persistence.default.format.key", "KAFKA", Kind::Format, "KEY_FORMAT where WITH has none"),
    setting("ksql.persistence.default.format.value", "", Kind::Format, "VALUE_FORMAT where WITH has none"),
    setting("ksql.persistence.wrap.single.values", "", Kind::Boolean, "WRAP_SINGLE_VALUE where WITH has none"),
    setting(
        "ksql.query.pull.max.allowed.offset.lag",
        "9223372036854775807",
        Kind::Number,
        "records that a table's query may have before it for a pull query to be answered",
    ),
    setting("ksql.query.pull.limit.clause.enabled", "true", Kind::Boolean, "whether a pull query may have a LIMIT"),
    setting(
        "ksql.query.pull.range.scan.enabled",
        "true",
        Kind::Boolean,
        "whether a comparison of a STRING or BYTES key is allowed where looking at all rows is not",
    ),
    setting("ksql.query.pull.table.scan.enabled", "true", Kind::Boolean, "whether a pull query may look at all rows"),
    setting(
        "ksql.timestamp.throw.on.invalid",
        "false",
        Kind::Boolean,
        "whether a query fails of a record whose TIMESTAMP column has no time; else it skips it and tells the processing log",
    ),
    setting("ksql.variable.substitution.enable", "true", Kind::Boolean, "whether ${name} is replaced"),
    setting(
        "max.task.idle.ms",
        "0",
        Kind::Number,
        "how long the rows of a join's input wait for those of another that has none; 0: only for what is known to be there",
    ),
    setting(
        "millpond.cast.boolean",
        "prefix",
        Kind::Choice(&["prefix", "exact"]),
        "what CAST(... AS BOOLEAN) takes for true: any beginning of true and yes, or the whole word and all else but false fails",
    ),
    setting(
        "millpond.decimal.division",
        "exact",
        Kind::Choice(&["exact", "rounded"]),
        "what a DECIMAL division gives that has too many digits: NULL, or the nearest number",
    ),
    setting(
        "millpond.initcap.blanks",
        "dropped",
        Kind::Choice(&["dropped", "kept"]),
        "what INITCAP does with blanks before the first word",
    ),
    setting("millpond.log.base", "e", Kind::Choice(&["e", "10"]), "the base of LOG(x)"),
    setting(
        "millpond.null.comparison",
        "false",
        Kind::Choice(&["false", "null"]),
        "what a comparison with NULL gives; null is standard SQL, also for AND, OR, NOT, IN and BETWEEN",
    ),
    setting(
        "millpond.stddev.samp",
        "variance",
        Kind::Choice(&["variance", "deviation"]),
        "what STDDEV_SAMP gives: the variance of the sample, or its standard deviation",
    ),
    setting(
        "millpond.sum.overflow",
        "wrap",
        Kind::Choice(&["wrap", "null"]),
        "what SUM of integers gives beyond its type: it begins anew at the other end, or is NULL until it fits",
    ),
    setting(
        "processing.guarantee",
        "exactly_once_v2",
        Kind::Choice(&["exactly_once_v2", "at_least_once"]),
        "what survives a crash (ksqlDB: at_least_once)",
    ),
    setting("pull.rows.max", "-1", Kind::Number, "rows that a pull query may give; -1: any number"),
    setting("pull.time.max.ms", "-1", Kind::Number, "how long a pull query may take; -1: any time"),
    setting(
        "push.snapshot",
        "false",
        Kind::Boolean,
        "whether a push query that gives a table (EMIT CHANGES) begins with the rows that are there, then their changes",
    ),
];

/// The setting of that name (`ksql.streams.` may stand before it); its value checked.
pub fn check(name: &str, value: &str) -> Result<&'static Setting> {
    let setting = find(name)?;
    let fits = match setting.kind {
        // A default of nothing: as if it were not set.
        _ if value.is_empty() && setting.default.is_empty() => true,
        Kind::Boolean => ["true", "false"].iter().any(|choice| choice.eq_ignore_ascii_case(value)),
        Kind::Number => value.parse::<i64>().is_ok_and(|number| number >= -1),
        Kind::Text => true,
        Kind::Choice(choices) => choices.iter().any(|choice| choice.eq_ignore_ascii_case(value)),
        Kind::Format => Format::from_name(value).is_ok(),
    };
    if fits {
        return Ok(setting);
    }
    let expected = match setting.kind {
        Kind::Boolean => Expected::Boolean,
        Kind::Choice(choices) => Expected::OneOf(choices),
        Kind::Format => Expected::Format,
        Kind::Number | Kind::Text => Expected::WholeNumber,
    };
    Err(messages::settings::invalid_value(setting.name, value, &expected))
}

/// What setting a value comes to.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// The setting has it.
    Set(&'static Setting),
    /// It is a setting of ksqlDB, Kafka Streams or their clients that a session has no use for; why.
    None(&'static str),
}

/// What a value for a name of ksqlDB's comes to in a session, and which setting of ours has it if one has.
///
/// Errors: nobody has such a setting, it doesn't take the value, or the value would change what can't be changed here.
pub fn effect(name: &str, value: &str) -> Result<(Effect, String)> {
    let short = short_name(name);
    let (ours, value) = match foreign::meaning(short, value) {
        Some(Meaning::Becomes(ours, value)) => (ours, value),
        _ if is_ours(short) => (short, value.to_string()),
        Some(Meaning::Refused(hint)) => return Err(foreign::refusal(name, value, hint)),
        Some(Meaning::Idle(why)) => return Ok((Effect::None(why), String::new())),
        Some(Meaning::Default(..)) => return Ok((Effect::None(OF_THE_PROCESS), String::new())),
        None | Some(Meaning::Same) if KafkaConfig::knows(short) => {
            if short.ends_with("auto.offset.reset") {
                return Err(foreign::refusal(name, value, "SET 'auto.offset.reset' says where new queries begin"));
            }
            return Ok((Effect::None(OF_THE_PROCESS), String::new()));
        }
        None | Some(Meaning::Same) => (short, value.to_string()),
    };
    check(ours, &value).map(|setting| (Effect::Set(setting), value))
}

const OF_THE_PROCESS: &str = "a process has it from its --config-file";

fn is_ours(short: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == short)
}

/// Puts a setting among a session's properties, under its short name and in its own spelling.
///
/// Errors: see [`effect`].
pub fn set(properties: &mut BTreeMap<String, String>, name: &str, value: &str) -> Result<Effect> {
    let (effect, value) = effect(name, value)?;
    let Effect::Set(setting) = effect else { return Ok(effect) };
    let value = match setting.kind {
        Kind::Boolean | Kind::Choice(_) => value.to_ascii_lowercase(),
        Kind::Number | Kind::Text | Kind::Format => value,
    };
    if value.is_empty() && setting.default.is_empty() {
        properties.remove(setting.name);
    } else {
        properties.insert(setting.name.to_string(), value);
    }
    Ok(effect)
}

/// Takes a setting from among a session's properties. Gives what to tell.
///
/// Errors: nobody has such a setting, or the session doesn't.
pub fn unset(properties: &mut BTreeMap<String, String>, name: &str) -> Result<String> {
    if let Ok((Effect::None(why), _)) = effect(name, "") {
        return Ok(format!("'{name}' has no effect here: {why}."));
    }
    let setting = find(name)?;
    match properties.remove(setting.name) {
        Some(old) => Ok(format!("Successfully unset local property '{}' (value was '{old}').", setting.name)),
        None => Err(messages::settings::never_set(setting.name)),
    }
}

pub fn find(name: &str) -> Result<&'static Setting> {
    let short = short_name(name);
    SETTINGS.iter().find(|setting| setting.name == short).ok_or_else(|| {
        let there = SETTINGS.iter().map(|setting| setting.name).chain(foreign::names());
        messages::settings::unknown_property(name, short, there)
    })
}

/// Errors: SET knows no such property.
pub fn check_known(name: &str) -> Result<()> {
    let short = short_name(name);
    find(name).map(drop).or_else(|error| match foreign::meaning(short, "").is_some() || KafkaConfig::knows(short) {
        true => Ok(()),
        false => Err(error),
    })
}

/// The name without `ksql.streams.`.
pub fn short_name(name: &str) -> &str {
    name.strip_prefix("ksql.streams.").unwrap_or(name)
}

/// The value in force.
pub fn value<'a>(properties: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    let own = properties.get(name).or_else(|| properties.get(&format!("ksql.streams.{name}")));
    match own {
        Some(value) => value,
        None => SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default),
    }
}

/// A number in force; what can't be read counts as the default.
pub fn number(properties: &BTreeMap<String, String>, name: &str) -> i64 {
    let default = SETTINGS.iter().find(|setting| setting.name == name).map_or("0", |setting| setting.default);
    value(properties, name).parse().or_else(|_| default.parse()).unwrap_or(0)
}

/// Bytes of changes that a query of this plan may hold back; 0: none.
pub fn cache_bytes_max(properties: &BTreeMap<String, String>, plan: &Plan) -> usize {
    if plan.meets_what_it_makes() {
        return 0;
    }
    let bytes = number(properties, "cache.max.bytes.buffering").max(0);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What a pull query may give, and how long it may take, from now on.
pub fn pull_bounds(properties: &BTreeMap<String, String>) -> Bounds {
    let bound = |name| u64::try_from(number(properties, name)).ok();
    let time_max = bound("pull.time.max.ms").map(Duration::from_millis);
    Bounds { rows_max: bound("pull.rows.max"), time_max, since: time_max.map(|_| now()) }
}

/// What a query is to fail of.
pub fn strict(properties: &BTreeMap<String, String>) -> Strict {
    let is_true = |name| value(properties, name).eq_ignore_ascii_case("true");
    Strict {
        deserialization: is_true("ksql.fail.on.deserialization.error"),
        timestamp: is_true("ksql.timestamp.throw.on.invalid"),
    }
}

/// How long the rows of an input wait for those of another that has none.
pub fn idle_max(properties: &BTreeMap<String, String>) -> Duration {
    Duration::from_millis(u64::try_from(number(properties, "max.task.idle.ms")).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_its_setting_takes() {
        for setting in SETTINGS {
            assert!(check(setting.name, setting.default).is_ok(), "{}", setting.name);
        }
    }

    #[test]
    fn an_unknown_name_says_what_was_meant() {
        let error = check("commit.interval", "1").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("Did you mean commit.interval.ms?"));
        assert!(check("ksql.persistence.default.format.value", "JASON").is_err());
        assert!(check("ksql.streams.commit.interval.ms", "5").is_ok());
        assert!(check("commit.interval.ms", "soon").is_err());
    }
}
