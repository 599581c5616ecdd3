//! SELECT and its clauses.

use std::time::Duration;

use super::{Parser, QUERY_NESTING_MAX};
use crate::error::Result;
use crate::messages;
use crate::messages::syntax::Meant;
use crate::sql::ast::{
    CommonTable, Emit, Expr, FromItem, FromRows, Join, JoinKind, Query, Relation, SelectItem, SortKey, Window,
    WindowKind, Within,
};
use crate::sql::lexer::Kind;

/// Units of a span of time with their milliseconds; each may have an S at its end.
pub(crate) const UNITS: &[(&str, u64)] = &[
    ("DAY", 24 * 60 * 60 * 1000),
    ("HOUR", 60 * 60 * 1000),
    ("MINUTE", 60 * 1000),
    ("SECOND", 1000),
    ("MILLISECOND", 1),
];

impl Parser<'_> {
    /// `[WITH name AS (query), ...] SELECT ... [UNION ALL SELECT ...] [ORDER BY ...] [EMIT ...] [LIMIT ...]`
    pub(super) fn query(&mut self) -> Result<Query> {
        let with = if self.eat_word("WITH") { self.common_tables()? } else { Vec::new() };
        let mut query = self.select()?;
        query.with = with;
        while self.is_word("UNION") {
            let at = self.at();
            self.advance();
            if !self.eat_word("ALL") {
                return Err(messages::other_sql::union_without_all().at(at));
            }
            if self.is_symbol("(") {
                return Err(self.meant("SELECT", Meant::UnionWithoutParentheses));
            }
            query.union.push(self.select()?);
        }
        if self.eat_words(&["ORDER", "BY"]) {
            query.order_by = self.list(Self::sort_key)?;
        }
        if self.eat_word("EMIT") {
            query.emit = Some(self.emit()?);
        }
        if self.eat_word("LIMIT") {
            query.limit = Some(self.whole("a number of rows")?);
        }
        self.end_of_query()?;
        Ok(query)
    }

    fn common_tables(&mut self) -> Result<Vec<CommonTable>> {
        if self.is_word("RECURSIVE") && self.word_at(1) != Some("AS") {
            return Err(messages::other_sql::with_recursive().at(self.at()));
        }
        self.list(|parser| {
            let name = parser.identifier("the name of a query")?;
            if parser.is_symbol("(") {
                return Err(messages::other_sql::columns_of_with().at(parser.at()));
            }
            parser.expect_word("AS")?;
            if !parser.is_symbol("(") {
                return Err(parser.unexpected("`(` and a query"));
            }
            Ok(CommonTable { name, query: parser.query_in_parentheses()? })
        })
    }

    /// `(query)`
    fn query_in_parentheses(&mut self) -> Result<Query> {
        self.expect_symbol("(")?;
        if !self.is_word("SELECT") && !self.is_word("WITH") {
            return Err(self.unexpected("a query: SELECT ..."));
        }
        if self.queries >= QUERY_NESTING_MAX {
            return Err(messages::syntax::queries_too_deep(QUERY_NESTING_MAX).at(self.at()));
        }
        self.queries += 1;
        let query = self.nested(Self::query);
        self.queries -= 1;
        let query = query?;
        if self.eat_symbol(")") { Ok(query) } else { Err(self.unexpected("`)`")) }
    }

    fn select(&mut self) -> Result<Query> {
        self.expect_word("SELECT")?;
        let distinct = self.eat_word("DISTINCT");
        if self.is_word("TOP") && matches!(self.peek_at(1).kind, Kind::Number(_)) {
            return Err(messages::other_sql::top().at(self.at()));
        }
        let items = self.list(Self::select_item)?;
        if !self.eat_word("FROM") {
            return Err(self.unexpected("`,` or FROM"));
        }
        Ok(Query {
            with: Vec::new(),
            distinct,
            items,
            from: self.relation()?,
            window: if self.is_word("WINDOW") { Some(self.window()?) } else { None },
            filter: if self.eat_word("WHERE") { Some(self.expression()?) } else { None },
            group_by: if self.eat_words(&["GROUP", "BY"]) { self.grouping()? } else { Vec::new() },
            partition_by: if self.eat_words(&["PARTITION", "BY"]) { self.grouping()? } else { Vec::new() },
            having: if self.eat_word("HAVING") { Some(self.expression()?) } else { None },
            union: Vec::new(),
            order_by: Vec::new(),
            emit: None,
            limit: None,
        })
    }

    fn sort_key(&mut self) -> Result<SortKey> {
        let expr = self.expression()?;
        let descending = if self.eat_word("DESC") {
            true
        } else {
            self.eat_word("ASC");
            false
        };
        let nulls_first = if self.eat_word("NULLS") {
            match self.word_at(0) {
                Some("FIRST") => Some(true),
                Some("LAST") => Some(false),
                _ => return Err(self.unexpected("FIRST or LAST")),
            }
        } else {
            None
        };
        if nulls_first.is_some() {
            self.advance();
        }
        Ok(SortKey { expr, descending, nulls_first })
    }

    fn select_item(&mut self) -> Result<SelectItem> {
        let at = self.at();
        if self.eat_symbol("*") {
            return Ok(SelectItem::Star { source: None, at });
        }
        if self.is_symbol_at(1, ".") && self.is_symbol_at(2, "*") {
            let source = self.identifier("a source's name")?;
            self.next += 2;
            return Ok(SelectItem::Star { source: Some(source), at });
        }
        let expr = self.expression()?;
        if self.is_symbol("->") && self.is_symbol_at(1, "*") {
            self.next += 2;
            return Ok(SelectItem::StructStar(expr));
        }
        Ok(SelectItem::Expr { expr, alias: self.alias()? })
    }

    fn relation(&mut self) -> Result<Relation> {
        let first = self.source()?;
        let mut joins = Vec::new();
        while let Some(kind) = self.join_kind()? {
            let source = self.source()?;
            let within = if self.eat_word("WITHIN") { Some(self.within()?) } else { None };
            if self.is_word("USING") {
                return Err(messages::other_sql::using().at(self.at()));
            }
            if !self.eat_word("ON") {
                return Err(self.unexpected(if within.is_some() { "ON" } else { "WITHIN or ON" }));
            }
            joins.push(Join { kind, source, within, on: self.expression()? });
            if self.is_word("WITHIN") {
                return Err(messages::syntax::within_behind_on().at(self.at()));
            }
        }
        if self.is_symbol(",") {
            return Err(messages::other_sql::several_sources().at(self.at()));
        }
        Ok(Relation { first, joins })
    }

    fn source(&mut self) -> Result<FromItem> {
        let at = self.at();
        if self.is_symbol("(") {
            let rows = FromRows::Query(Box::new(self.query_in_parentheses()?));
            return Ok(FromItem { rows, alias: self.alias()?, at });
        }
        let name = self.identifier("the name of a stream or table")?;
        if self.is_symbol("(") {
            return Err(messages::other_sql::table_function_in_from().at(self.at()));
        }
        if self.is_symbol(".") {
            return Err(self.meant("the end of the source's name", Meant::NameWithoutSchema));
        }
        Ok(FromItem { rows: FromRows::Named(name), alias: self.alias()?, at })
    }

    fn join_kind(&mut self) -> Result<Option<JoinKind>> {
        if let (Some(kind @ ("CROSS" | "NATURAL")), Some("JOIN")) = (self.word_at(0), self.word_at(1)) {
            return Err(messages::other_sql::join_of_kind(kind).at(self.at()));
        }
        let kind = match self.word_at(0) {
            Some("JOIN" | "INNER") => JoinKind::Inner,
            Some("LEFT") => JoinKind::Left,
            Some("RIGHT") => JoinKind::Right,
            Some("FULL") => JoinKind::Full,
            _ => return Ok(None),
        };
        if !self.is_word("JOIN") {
            self.advance();
            if kind != JoinKind::Inner {
                self.eat_word("OUTER");
            }
        }
        self.expect_word("JOIN")?;
        Ok(Some(kind))
    }

    /// `1 HOUR` or `(1 HOUR, 2 HOURS)`, perhaps with a grace period
    fn within(&mut self) -> Result<Within> {
        let (before, after) = if self.eat_symbol("(") {
            let before = self.span()?;
            self.expect_symbol(",")?;
            let after = self.span()?;
            self.expect_symbol(")")?;
            (before, after)
        } else {
            let span = self.span()?;
            (span, span)
        };
        let grace = if self.eat_word("GRACE") { Some(self.period()?) } else { None };
        Ok(Within { before, after, grace })
    }

    fn period(&mut self) -> Result<Duration> {
        self.expect_word("PERIOD")?;
        self.span()
    }

    /// `10 SECONDS`
    pub(super) fn span(&mut self) -> Result<Duration> {
        let at = self.at();
        let count: u64 = self.whole("a span of time, like 10 seconds")?;
        let unit = self.word_at(0).unwrap_or_default();
        let singular = unit.strip_suffix('S').unwrap_or(unit);
        let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == singular) else {
            let expected = "DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS";
            return Err(match singular {
                "WEEK" => self.meant(expected, Meant::DaysOfWeek),
                "MONTH" | "YEAR" => self.meant(expected, Meant::DaysOfMonth),
                _ => self.unexpected(expected),
            });
        };
        self.advance();
        let total = count.checked_mul(*millis).filter(|total| i64::try_from(*total).is_ok());
        total.map(Duration::from_millis).ok_or_else(|| messages::syntax::span_too_long().at(at))
    }

    /// `WINDOW [name] TUMBLING (...)`
    fn window(&mut self) -> Result<Window> {
        let at = self.at();
        self.expect_word("WINDOW")?;
        let is_kind = |word: Option<&str>| matches!(word, Some("TUMBLING" | "HOPPING" | "SESSION"));
        if is_kind(self.word_at(1)) && self.identifier_at(0).is_some() {
            self.advance();
        }
        let kind = self.word_at(0).unwrap_or_default().to_owned();
        if !is_kind(Some(&kind)) {
            return Err(self.unexpected("TUMBLING, HOPPING or SESSION"));
        }
        self.advance();
        self.expect_symbol("(")?;
        let kind = match kind.as_str() {
            "TUMBLING" | "HOPPING" if matches!(self.peek().kind, Kind::Number(_)) => {
                return Err(self.meant("SIZE", Meant::Size { window: &kind, number: self.written() }));
            }
            "TUMBLING" => WindowKind::Tumbling { size: self.sized("SIZE")? },
            "HOPPING" => {
                let size = self.sized("SIZE")?;
                if !self.eat_symbol(",") {
                    return Err(self.meant("`,` and ADVANCE BY", Meant::Advance));
                }
                self.expect_words(&["ADVANCE", "BY"])?;
                WindowKind::Hopping { size, advance: self.span()? }
            }
            _ => WindowKind::Session { gap: self.span()? },
        };
        let retention = if self.eat_option("RETENTION") { Some(self.span()?) } else { None };
        let grace = if self.eat_option("GRACE") { Some(self.period()?) } else { None };
        if self.eat_symbol(")") {
            return Ok(Window { kind, retention, grace, at });
        }
        Err(self.unexpected(if self.is_symbol(",") { "`)`" } else { "RETENTION, GRACE PERIOD, `,` or `)`" }))
    }

    fn sized(&mut self, word: &str) -> Result<Duration> {
        self.expect_word(word)?;
        self.span()
    }

    /// `, OPTION`
    fn eat_option(&mut self, option: &str) -> bool {
        let found = self.is_symbol(",") && self.word_at(1) == Some(option);
        if found {
            self.next += 2;
        }
        found
    }

    /// `a, b` or `(a, b)`
    fn grouping(&mut self) -> Result<Vec<Expr>> {
        let start = self.next;
        if self.is_symbol("(")
            && let Ok(list) = self.parenthesised(Self::expression)
            && self.ends_grouping()
        {
            return Ok(list);
        }
        self.next = start;
        self.list(Self::expression)
    }

    fn ends_grouping(&self) -> bool {
        match &self.peek().kind {
            Kind::Word(word) => matches!(word.as_str(), "PARTITION" | "HAVING" | "UNION" | "ORDER" | "EMIT" | "LIMIT"),
            Kind::Symbol(symbol) => *symbol == ")",
            kind => *kind == Kind::End,
        }
    }

    fn emit(&mut self) -> Result<Emit> {
        if self.eat_word("CHANGES") {
            Ok(Emit::Changes)
        } else if self.eat_word("FINAL") {
            Ok(Emit::Final)
        } else {
            Err(self.unexpected("CHANGES or FINAL"))
        }
    }

    /// Clauses of SQL that aren't there, and clauses out of order, each with its own answer.
    fn end_of_query(&self) -> Result<()> {
        let word = self.word_at(0).unwrap_or_default();
        match messages::other_sql::clause_of_other_sql(word) {
            Some(error) => Err(error.at(self.at())),
            None => self.misplaced_clause(word),
        }
    }

    fn misplaced_clause(&self, word: &str) -> Result<()> {
        if matches!(word, "JOIN" | "INNER" | "LEFT" | "RIGHT" | "FULL") {
            return Err(messages::syntax::join_out_of_order(word).at(self.at()));
        }
        if matches!(word, "WINDOW" | "WHERE" | "GROUP" | "PARTITION" | "HAVING" | "UNION" | "ORDER" | "EMIT" | "LIMIT")
        {
            return Err(messages::syntax::clause_out_of_order(word).at(self.at()));
        }
        Ok(())
    }
}
