//! SELECT.

use std::time::Duration;

use super::{Expr, Ident, Location};

/// `[WITH ...] SELECT ... FROM ...`, with all that may stand behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// `WITH name AS (query), ...`: each may read those before it.
    pub with: Vec<CommonTable>,
    /// SELECT DISTINCT
    pub distinct: bool,
    /// The SELECT list.
    pub items: Vec<SelectItem>,
    pub from: Relation,
    pub window: Option<Window>,
    /// WHERE
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub partition_by: Vec<Expr>,
    pub having: Option<Expr>,
    /// `UNION ALL SELECT ...`: their rows come beside those of this one. WITH, EMIT and LIMIT are of all together.
    pub union: Vec<Query>,
    /// ORDER BY: of all together.
    pub order_by: Vec<SortKey>,
    /// None: a pull query, or one whose kind what stands around it says.
    pub emit: Option<Emit>,
    /// LIMIT: the most rows.
    pub limit: Option<u64>,
}

/// `expression [ASC | DESC] [NULLS FIRST | NULLS LAST]`
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub expr: Expr,
    pub descending: bool,
    /// None: where they are greater than all else, last of ascending rows.
    pub nulls_first: Option<bool>,
}

/// A query that others read by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonTable {
    pub name: Ident,
    pub query: Query,
}

impl Query {
    /// Where its SELECT list begins.
    pub fn items_at(&self) -> Location {
        self.items.first().map_or_else(Location::default, |item| match item {
            SelectItem::Star { at, .. } => *at,
            SelectItem::StructStar(expr) | SelectItem::Expr { expr, .. } => expr.at,
        })
    }
}

/// One item of a SELECT list. Equality ignores the place.
#[derive(Debug, Clone)]
pub enum SelectItem {
    /// `*` or `source.*`
    Star {
        source: Option<Ident>,
        at: Location,
    },
    /// `expression->*`
    StructStar(Expr),
    Expr {
        expr: Expr,
        alias: Option<Ident>,
    },
}

impl PartialEq for SelectItem {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (SelectItem::Star { source: left, .. }, SelectItem::Star { source: right, .. }) => left == right,
            (SelectItem::StructStar(left), SelectItem::StructStar(right)) => left == right,
            (SelectItem::Expr { expr: left, alias: l }, SelectItem::Expr { expr: right, alias: r }) => {
                left == right && l == r
            }
            _ => false,
        }
    }
}

/// What FROM names.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub first: FromItem,
    pub joins: Vec<Join>,
}

/// What FROM and JOIN read. Equality ignores the place.
#[derive(Debug, Clone)]
pub struct FromItem {
    pub rows: FromRows,
    pub alias: Option<Ident>,
    pub at: Location,
}

impl PartialEq for FromItem {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.alias == other.alias
    }
}

/// Where the rows of an item of FROM come from.
#[derive(Debug, Clone, PartialEq)]
pub enum FromRows {
    /// A stream, a table, or a name that WITH gives.
    Named(Ident),
    /// `(query)`
    Query(Box<Query>),
}

impl FromItem {
    /// The name that is read; None: it is a query in parentheses.
    pub fn name(&self) -> Option<&Ident> {
        match &self.rows {
            FromRows::Named(name) => Some(name),
            FromRows::Query(_) => None,
        }
    }
}

/// One JOIN, with what stands left of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    pub source: FromItem,
    pub within: Option<Within>,
    pub on: Expr,
}

/// Which rows without a match are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// How far apart in time rows of two streams may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Within {
    /// How much earlier the right row may be.
    pub before: Duration,
    /// How much later the right row may be.
    pub after: Duration,
    pub grace: Option<Duration>,
}

/// The WINDOW clause. Equality ignores the place.
#[derive(Debug, Clone)]
pub struct Window {
    pub kind: WindowKind,
    /// How long windows are kept; None: as long as they need.
    pub retention: Option<Duration>,
    pub grace: Option<Duration>,
    pub at: Location,
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.retention, self.grace) == (other.kind, other.retention, other.grace)
    }
}

/// TUMBLING, HOPPING or SESSION, with their sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    Tumbling { size: Duration },
    Hopping { size: Duration, advance: Duration },
    Session { gap: Duration },
}

/// EMIT CHANGES or EMIT FINAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    Changes,
    Final,
}
