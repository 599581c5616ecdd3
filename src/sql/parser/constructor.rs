//! Expressions that begin with a word of their own: CASE, CAST, ARRAY[], MAP(), STRUCT() and DECIMAL ''.

use super::Parser;
use crate::error::Result;
use crate::messages;
use crate::sql::ast::{Expr, ExprKind};

impl Parser<'_> {
    pub(super) fn case(&mut self) -> Result<ExprKind> {
        self.expect_word("CASE")?;
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(self.expression()?)) };
        let mut branches = Vec::new();
        while self.eat_word("WHEN") {
            let when = self.expression()?;
            self.expect_word("THEN")?;
            branches.push((when, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected("WHEN"));
        }
        let otherwise = if self.eat_word("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        if !self.eat_word("END") {
            return Err(self.unexpected(if otherwise.is_some() { "END" } else { "WHEN, ELSE or END" }));
        }
        Ok(ExprKind::Case { operand, branches, otherwise })
    }

    pub(super) fn cast(&mut self) -> Result<ExprKind> {
        self.expect_word("CAST")?;
        self.expect_symbol("(")?;
        let operand = Box::new(self.expression()?);
        self.expect_word("AS")?;
        let ty = self.ty()?;
        self.expect_symbol(")")?;
        Ok(ExprKind::Cast { operand, ty })
    }

    pub(super) fn array_constructor(&mut self) -> Result<ExprKind> {
        self.advance();
        self.expect_symbol("[")?;
        let items = if self.is_symbol("]") { Vec::new() } else { self.list(Self::expression)? };
        if self.eat_symbol("]") { Ok(ExprKind::Array(items)) } else { Err(self.unexpected("`,` or `]`")) }
    }

    pub(super) fn map_constructor(&mut self) -> Result<ExprKind> {
        self.advance();
        Ok(ExprKind::Map(self.entries(Self::expression)?))
    }

    pub(super) fn struct_constructor(&mut self) -> Result<ExprKind> {
        self.advance();
        Ok(ExprKind::Struct(self.entries(|parser| parser.identifier("a field's name"))?))
    }

    /// `( name := expression, ... )`, perhaps empty
    fn entries<T>(&mut self, name: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<(T, Expr)>> {
        if self.is_symbol("(") && self.is_symbol_at(1, ")") {
            self.next += 2;
            return Ok(Vec::new());
        }
        self.parenthesised(|parser| {
            let name = name(parser)?;
            parser.expect_symbol(":=")?;
            Ok((name, parser.expression()?))
        })
    }

    /// `DECIMAL '1.50'`
    pub(super) fn decimal_literal(&mut self) -> Result<ExprKind> {
        self.advance();
        let at = self.at();
        let text = self.string("a number")?;
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
        let digits = unsigned.bytes().filter(u8::is_ascii_digit).count();
        let points = unsigned.bytes().filter(|byte| *byte == b'.').count();
        if digits == 0 || points > 1 || digits + points != unsigned.len() {
            return Err(messages::syntax::not_a_decimal(&text).at(at));
        }
        Ok(ExprKind::Decimal(text.strip_prefix('+').unwrap_or(&text).to_owned()))
    }
}
