//! SELECT.

use std::time::Duration;

use super::{Expr, Ident, Location};

#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// SELECT DISTINCT
    pub distinct: bool,
    pub items: Vec<SelectItem>,
    pub from: Relation,
    pub window: Option<Window>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub partition_by: Vec<Expr>,
    pub having: Option<Expr>,
    pub emit: Option<Emit>,
    pub limit: Option<u64>,
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

#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub first: NamedSource,
    pub joins: Vec<Join>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NamedSource {
    pub name: Ident,
    pub alias: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    pub source: NamedSource,
    pub within: Option<Within>,
    pub on: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Within {
    pub before: Duration,
    pub after: Duration,
    pub grace: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub kind: WindowKind,
    pub retention: Option<Duration>,
    pub grace: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    Tumbling { size: Duration },
    Hopping { size: Duration, advance: Duration },
    Session { gap: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    Changes,
    Final,
}
