//! All functions by name. Doesn't know what they do.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::expr::functions::{Function, FunctionKind};
use crate::nearest::nearest;

/// The functions of the language, in the order of their names.
pub struct FunctionTable {
    by_name: BTreeMap<&'static str, Function>,
}

/// The one table.
pub fn table() -> &'static FunctionTable {
    static TABLE: OnceLock<FunctionTable> = OnceLock::new();
    TABLE.get_or_init(|| FunctionTable {
        by_name: super::all_entries().into_iter().map(|function| (function.name, function)).collect(),
    })
}

/// What other dialects of SQL call functions that have another name here.
const ELSEWHERE: [(&str, &str); 6] = [
    ("CEILING", "CEIL"),
    ("CHAR_LENGTH", "LEN"),
    ("LENGTH", "LEN"),
    ("LOWER", "LCASE"),
    ("SUBSTR", "SUBSTRING"),
    ("UPPER", "UCASE"),
];

impl FunctionTable {
    /// By name, in any case.
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.by_name.get(name).or_else(|| self.by_name.get(name.to_uppercase().as_str()))
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
