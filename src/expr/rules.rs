//! Which of ksqlDB's oddities are put right. By default none is: a script gives what it gives there.

use std::collections::BTreeMap;

/// What a query's settings say. They are fixed when the query is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// LOG(x) is the logarithm to base 10.
    pub log_of_ten: bool,
    /// STDDEV_SAMP is the standard deviation.
    pub deviation: bool,
    /// SUM of integers doesn't wrap.
    pub sum_overflows: bool,
    /// A DECIMAL division is rounded.
    pub rounded_division: bool,
    /// Comparisons with NULL are NULL.
    pub unknown_comparisons: bool,
    /// Only `true` and `false` are cast to BOOLEAN.
    pub exact_booleans: bool,
    /// INITCAP keeps blanks before the first word.
    pub initcap_blanks: bool,
}

type PutRight = fn(&mut Rules);

/// The settings: the name, the value that puts it right, and what it puts right.
const SETTINGS: [(&str, &str, PutRight); 7] = [
    ("millpond.log.base", "10", |rules| rules.log_of_ten = true),
    ("millpond.stddev.samp", "deviation", |rules| rules.deviation = true),
    ("millpond.sum.overflow", "null", |rules| rules.sum_overflows = true),
    ("millpond.decimal.division", "rounded", |rules| rules.rounded_division = true),
    ("millpond.null.comparison", "null", |rules| rules.unknown_comparisons = true),
    ("millpond.cast.boolean", "exact", |rules| rules.exact_booleans = true),
    ("millpond.initcap.blanks", "kept", |rules| rules.initcap_blanks = true),
];

impl Rules {
    /// By a query's settings, under their short names.
    pub fn of(settings: &BTreeMap<String, String>) -> Rules {
        let mut rules = Rules::default();
        for (name, right, put_right) in SETTINGS {
            if settings.get(name).is_some_and(|value| value.eq_ignore_ascii_case(right)) {
                put_right(&mut rules);
            }
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::settings;

    /// Each is a setting whose default is ksqlDB's way.
    #[test]
    fn every_rule_has_its_setting() {
        let listed = settings::SETTINGS.iter().filter(|setting| setting.name.starts_with("millpond."));
        let mut listed: Vec<&str> = listed.map(|setting| setting.name).collect();
        for (name, right, _) in SETTINGS {
            listed.retain(|other| *other != name);
            let setting = settings::check(name, right).unwrap();
            assert_ne!(setting.default, right, "{name}");
            let only = |value: &str| Rules::of(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
            assert_eq!(only(setting.default), Rules::default(), "{name}");
            assert_ne!(only(right), Rules::default(), "{name}");
        }
        assert_eq!(listed, Vec::<&str>::new());
    }
}
