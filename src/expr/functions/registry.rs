//! All functions by name. Doesn't know what they do.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::mended::{self, Mended};
use crate::expr::Rules;
use crate::expr::functions::{Function, FunctionKind};
use crate::nearest::nearest;

/// The functions of the language, in the order of their names.
pub struct FunctionTable {
    by_name: BTreeMap<&'static str, Function>,
    /// What stands in the place of some where the settings say so.
    pub(super) mended: Vec<Mended>,
}

/// The one table.
pub fn table() -> &'static FunctionTable {
    static TABLE: OnceLock<FunctionTable> = OnceLock::new();
    TABLE.get_or_init(|| FunctionTable {
        by_name: super::all_entries().into_iter().map(|function| (function.name, function)).collect(),
        mended: mended::entries(),
    })
}

/// What other dialects of SQL call functions that have another name here.
const ELSEWHERE: [(&str, &str); 11] = [
    ("CEILING", "CEIL"),
    ("CHAR_LENGTH", "LEN"),
    ("CURRENT_TIMESTAMP", "UNIX_TIMESTAMP"),
    ("LENGTH", "LEN"),
    ("LOWER", "LCASE"),
    ("NOW", "UNIX_TIMESTAMP"),
    ("SUBSTR", "SUBSTRING"),
    ("TO_CHAR", "FORMAT_TIMESTAMP"),
    ("TO_DATE", "PARSE_DATE"),
    ("TO_TIMESTAMP", "PARSE_TIMESTAMP"),
    ("UPPER", "UCASE"),
];

impl FunctionTable {
    /// By name, in any case.
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.by_name.get(name).or_else(|| self.by_name.get(name.to_uppercase().as_str()))
    }

    /// The function, or what the rules put in its place.
    pub(in crate::expr) fn under(&'static self, function: &'static Function, rules: Rules) -> &'static Function {
        let stands_for = |mended: &&Mended| mended.function.name == function.name && (mended.asked_for)(&rules);
        self.mended.iter().find(stands_for).map_or(function, |mended| &mended.function)
    }

    /// In alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.by_name.keys().copied()
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.by_name.values()
    }

    pub fn is_aggregate(&self, name: &str) -> bool {
        self.get(name).is_some_and(|function| function.kind == FunctionKind::Aggregate)
    }

    pub fn is_table_function(&self, name: &str) -> bool {
        self.get(name).is_some_and(|function| function.kind == FunctionKind::Table)
    }

    /// The name most like an unknown one, or of what other dialects call by a name like it, for hints.
    pub fn similar(&self, name: &str) -> Option<&'static str> {
        let found = nearest(name, self.names().chain(ELSEWHERE.iter().map(|(theirs, _)| *theirs)));
        let ours =
            |word: &str| ELSEWHERE.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(word)).map(|(_, ours)| *ours);
        // A name that is spelt right is not near to itself.
        ours(name).or_else(|| found.map(|found| ours(found).unwrap_or(found)))
    }
}
