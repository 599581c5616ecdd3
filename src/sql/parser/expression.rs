//! Expressions, by precedence: OR, AND, NOT, predicates, `||`, `+ -`, `* / %`, signs, then `[]` and `->`.

use super::Parser;
use super::TREE_HEIGHT_MAX;
use crate::error::{Error, Result};
use crate::expr::is_aggregate;
use crate::messages;
use crate::messages::syntax::Meant;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident, Location, UnaryOp};
use crate::sql::lexer::Kind;

/// How tightly operators bind. Operands of a predicate bind tighter than predicates.
pub(crate) mod binding {
    pub const NONE: u8 = 0;
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const PREDICATE: u8 = 4;
    pub const CONCAT: u8 = 5;
    pub const ADD: u8 = 6;
    pub const MULTIPLY: u8 = 7;
    pub const SIGN: u8 = 8;
    pub const ACCESS: u8 = 9;
}

/// The binary operator that a symbol or word writes, IS DISTINCT aside.
pub(crate) const BINARY: &[(&str, BinaryOp, u8)] = &[
    ("OR", BinaryOp::Or, binding::OR),
    ("AND", BinaryOp::And, binding::AND),
    ("=", BinaryOp::Equal, binding::PREDICATE),
    ("<>", BinaryOp::NotEqual, binding::PREDICATE),
    ("<", BinaryOp::Less, binding::PREDICATE),
    ("<=", BinaryOp::LessEqual, binding::PREDICATE),
    (">", BinaryOp::Greater, binding::PREDICATE),
    (">=", BinaryOp::GreaterEqual, binding::PREDICATE),
    ("||", BinaryOp::Concat, binding::CONCAT),
    ("+", BinaryOp::Add, binding::ADD),
    ("-", BinaryOp::Subtract, binding::ADD),
    ("*", BinaryOp::Multiply, binding::MULTIPLY),
    ("/", BinaryOp::Divide, binding::MULTIPLY),
    ("%", BinaryOp::Modulo, binding::MULTIPLY),
];

/// What continues an expression after its left operand.
enum Next {
    Binary(BinaryOp, u8),
    /// IS, BETWEEN, IN, LIKE, or NOT before one of the last three.
    Predicate,
    Subscript,
    Field,
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.expression_above(binding::NONE)
    }

    /// An expression of operators that bind tighter than `floor`.
    fn expression_above(&mut self, floor: u8) -> Result<Expr> {
        self.enter()?;
        let tallest_before = std::mem::take(&mut self.height);
        let expr = self.operators_above(floor);
        self.height = self.height.max(tallest_before);
        self.depth -= 1;
        expr
    }

    fn operators_above(&mut self, floor: u8) -> Result<Expr> {
        let mut left = self.operand()?;
        self.grow()?;
        while let Some(next) = self.next_operator(floor) {
            left = self.continue_with(next, left)?;
            self.grow()?;
        }
        if self.is_words(&["AT", "TIME", "ZONE"]) {
            return Err(messages::other_sql::at_time_zone().at(self.at()));
        }
        Ok(left)
    }

    /// One more node stands above the expressions finished so far.
    fn grow(&mut self) -> Result<()> {
        self.height += 1;
        if self.height > TREE_HEIGHT_MAX { Err(self.too_deep()) } else { Ok(()) }
    }

    fn next_operator(&self, floor: u8) -> Option<Next> {
        let (next, binds) = match &self.peek().kind {
            Kind::Symbol("[") => (Next::Subscript, binding::ACCESS),
            Kind::Symbol("->") if !self.is_symbol_at(1, "*") => (Next::Field, binding::ACCESS),
            Kind::Symbol(text) => binary(text)?,
            Kind::Word(word) => match word.as_str() {
                "IS" | "BETWEEN" | "IN" | "LIKE" => (Next::Predicate, binding::PREDICATE),
                "NOT" if matches!(self.word_at(1), Some("BETWEEN" | "IN" | "LIKE")) => {
                    (Next::Predicate, binding::PREDICATE)
                }
                "AND" | "OR" => binary(word)?,
                _ => return None,
            },
            _ => return None,
        };
        (binds > floor).then_some(next)
    }

    fn continue_with(&mut self, next: Next, left: Expr) -> Result<Expr> {
        let at = left.at;
        let kind = match next {
            Next::Binary(op, binds) => {
                self.advance();
                let right = self.expression_above(binds)?;
                ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }
            }
            Next::Predicate => self.predicate(left)?,
            Next::Subscript => {
                self.advance();
                let index = self.expression()?;
                self.expect_symbol("]")?;
                ExprKind::Subscript { base: Box::new(left), index: Box::new(index) }
            }
            Next::Field => {
                self.advance();
                ExprKind::Field { base: Box::new(left), field: self.identifier("a field's name")? }
            }
        };
        Ok(Expr::new(kind, at))
    }

    fn predicate(&mut self, left: Expr) -> Result<ExprKind> {
        if self.eat_word("IS") {
            return self.is_predicate(left);
        }
        let negated = self.eat_word("NOT");
        let operand = Box::new(left);
        if self.eat_word("BETWEEN") {
            let low = Box::new(self.expression_above(binding::PREDICATE)?);
            self.expect_word("AND")?;
            let high = Box::new(self.expression_above(binding::PREDICATE)?);
            Ok(ExprKind::Between { operand, negated, low, high })
        } else if self.eat_word("IN") {
            if self.is_symbol("(") && self.word_at(1) == Some("SELECT") {
                return Err(self.subquery());
            }
            Ok(ExprKind::InList { operand, negated, list: self.parenthesised(Self::expression)? })
        } else {
            self.expect_word("LIKE")?;
            let pattern = Box::new(self.expression_above(binding::PREDICATE)?);
            let escape = if self.eat_word("ESCAPE") { Some(self.escape()?) } else { None };
            Ok(ExprKind::Like { operand, negated, pattern, escape })
        }
    }

    fn is_predicate(&mut self, left: Expr) -> Result<ExprKind> {
        let negated = self.eat_word("NOT");
        if self.eat_word("NULL") {
            return Ok(ExprKind::IsNull { operand: Box::new(left), negated });
        }
        if !self.eat_word("DISTINCT") {
            return Err(self.unexpected("NULL, NOT NULL, DISTINCT FROM or NOT DISTINCT FROM"));
        }
        self.expect_word("FROM")?;
        let right = Box::new(self.expression_above(binding::PREDICATE)?);
        let op = if negated { BinaryOp::IsNotDistinct } else { BinaryOp::IsDistinct };
        Ok(ExprKind::Binary { op, left: Box::new(left), right })
    }

    fn escape(&mut self) -> Result<char> {
        let at = self.at();
        let text = self.string("the escape character")?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(ch), None) => Ok(ch),
            _ => Err(messages::syntax::escape().at(at)),
        }
    }

    /// What can stand alone, a sign or NOT with its operand, or a lambda.
    fn operand(&mut self) -> Result<Expr> {
        let at = self.at();
        let kind = match &self.peek().kind {
            Kind::Number(number) => {
                let kind = number_literal(number, at)?;
                self.advance();
                kind
            }
            Kind::Text(text) => {
                let kind = ExprKind::String(text.clone());
                self.advance();
                kind
            }
            Kind::Symbol("(") => return self.parenthesis(),
            Kind::Symbol("-" | "+") => self.sign()?,
            Kind::Quoted(_) => self.name_or_call()?,
            Kind::Word(word) => {
                let word = word.clone();
                self.word_operand(&word)?
            }
            Kind::Symbol("*") => {
                return Err(self.meant("an expression", Meant::Star));
            }
            _ => return Err(self.unexpected("an expression")),
        };
        Ok(Expr::new(kind, at))
    }

    fn word_operand(&mut self, word: &str) -> Result<ExprKind> {
        let constant = match word {
            "NULL" => Some(ExprKind::Null),
            "TRUE" => Some(ExprKind::Boolean(true)),
            "FALSE" => Some(ExprKind::Boolean(false)),
            _ => None,
        };
        if let Some(constant) = constant {
            self.advance();
            return Ok(constant);
        }
        let before = |symbol| self.is_symbol_at(1, symbol);
        match word {
            "NOT" => {
                self.advance();
                let operand = self.expression_above(binding::AND)?;
                Ok(ExprKind::Unary { op: UnaryOp::Not, operand: Box::new(operand) })
            }
            "CASE" => self.case(),
            "CAST" => self.cast(),
            "ARRAY" if before("[") => self.array_constructor(),
            "MAP" if before("(") => self.map_constructor(),
            "STRUCT" if before("(") => self.struct_constructor(),
            "DECIMAL" if matches!(self.peek_at(1).kind, Kind::Text(_)) => self.decimal_literal(),
            "SELECT" => Err(self.subquery()),
            "EXISTS" if self.word_at(2) == Some("SELECT") => Err(self.subquery()),
            // A condition that breaks off: the clause is no column.
            "EMIT" if matches!(self.word_at(1), Some("CHANGES" | "FINAL")) => Err(self.unexpected("an expression")),
            _ => self.name_or_call(),
        }
    }

    /// `name`, `source.name`, `name(args)` or `param => body`
    fn name_or_call(&mut self) -> Result<ExprKind> {
        let name = self.identifier("an expression")?;
        if self.is_symbol("(") {
            return self.call(name);
        }
        if self.eat_symbol("=>") {
            return self.lambda_body(vec![name]);
        }
        if self.is_symbol(".") && !self.is_symbol_at(1, "*") {
            self.advance();
            let column = self.identifier("a column's name")?;
            return Ok(ExprKind::Column { source: Some(name), name: column });
        }
        Ok(ExprKind::Column { source: None, name })
    }

    fn call(&mut self, name: Ident) -> Result<ExprKind> {
        self.expect_symbol("(")?;
        let star = self.is_symbol("*") && self.is_symbol_at(1, ")");
        if star {
            if !is_aggregate(&name.text) {
                return Err(self.meant("an expression", Meant::StarOfAggregate));
            }
            self.advance();
        }
        let distinct = !star && self.eat_word("DISTINCT");
        let args = if star || self.is_symbol(")") { Vec::new() } else { self.list(Self::expression)? };
        if !self.eat_symbol(")") {
            return Err(self.unexpected("`,` or `)`"));
        }
        if self.is_word("OVER") && self.is_symbol_at(1, "(") {
            return Err(messages::other_sql::over().at(self.at()));
        }
        let filter =
            if self.is_word("FILTER") && self.is_symbol_at(1, "(") { Some(self.aggregate_filter()?) } else { None };
        match (distinct, filter) {
            (false, None) => Ok(ExprKind::Call { name, args }),
            (distinct, filter) => Ok(ExprKind::Aggregate { name, args, distinct, filter }),
        }
    }

    /// `FILTER (WHERE condition)`
    fn aggregate_filter(&mut self) -> Result<Box<Expr>> {
        self.advance();
        self.expect_symbol("(")?;
        self.expect_word("WHERE")?;
        let condition = self.expression()?;
        if self.eat_symbol(")") { Ok(Box::new(condition)) } else { Err(self.unexpected("`)`")) }
    }

    fn parenthesis(&mut self) -> Result<Expr> {
        let at = self.at();
        if let Some(params) = self.lambda_params() {
            let kind = self.lambda_body(params)?;
            return Ok(Expr::new(kind, at));
        }
        self.advance();
        if self.is_word("SELECT") {
            return Err(self.subquery());
        }
        let inner = self.expression()?;
        if self.eat_symbol(")") { Ok(inner) } else { Err(self.unexpected("`)`")) }
    }

    /// Takes `(x, y) =>` if that is what stands next.
    fn lambda_params(&mut self) -> Option<Vec<Ident>> {
        let mut params = Vec::new();
        let mut ahead = 1;
        loop {
            params.push(self.identifier_at(ahead)?);
            if self.is_symbol_at(ahead + 1, ")") {
                break;
            }
            if !self.is_symbol_at(ahead + 1, ",") {
                return None;
            }
            ahead += 2;
        }
        if !self.is_symbol_at(ahead + 2, "=>") {
            return None;
        }
        // Names and commas take turns.
        let names: Vec<usize> = (1..=ahead).step_by(2).map(|name| self.peek_at(name).range.start).collect();
        self.names.extend(names);
        self.next += ahead + 3;
        Some(params)
    }

    fn lambda_body(&mut self, params: Vec<Ident>) -> Result<ExprKind> {
        Ok(ExprKind::Lambda { params, body: Box::new(self.expression()?) })
    }

    /// A sign. A minus right before a number belongs to the number.
    fn sign(&mut self) -> Result<ExprKind> {
        let minus = self.is_symbol("-");
        self.advance();
        if minus && let Kind::Number(number) = &self.peek().kind {
            let kind = number_literal(&format!("-{number}"), self.at())?;
            self.advance();
            return Ok(kind);
        }
        let op = if minus { UnaryOp::Minus } else { UnaryOp::Plus };
        // Signs of signs nest; what binds as tightly as a sign is to the right of it.
        let operand = self.expression_above(binding::SIGN)?;
        Ok(ExprKind::Unary { op, operand: Box::new(operand) })
    }

    pub(super) fn subquery(&self) -> Error {
        messages::other_sql::subquery().at(self.at())
    }
}

fn binary(text: &str) -> Option<(Next, u8)> {
    BINARY.iter().find(|(written, ..)| *written == text).map(|(_, op, binds)| (Next::Binary(*op, *binds), *binds))
}

/// A number's literal, perhaps with a minus: whole, with a point, or with an exponent.
fn number_literal(text: &str, at: Location) -> Result<ExprKind> {
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().unwrap_or(f64::INFINITY);
        if value.is_finite() {
            return Ok(ExprKind::Double(value));
        }
        return Err(messages::syntax::beyond_double(text).at(at));
    }
    if text.contains('.') {
        return Ok(ExprKind::Decimal(text.to_owned()));
    }
    if let Ok(value) = text.parse::<i32>() {
        return Ok(ExprKind::Int(value));
    }
    text.parse::<i64>().map(ExprKind::Bigint).map_err(|_| messages::syntax::beyond_bigint(text).at(at))
}
