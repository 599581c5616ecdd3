//! From the syntax tree to the typed tree: names, types, casts, overloads. Doesn't know columns' data.

mod call;
mod compare;
mod make;
mod text;

pub use self::call::is_interval_unit;
use crate::error::{Error, Result};
use crate::expr::decimal::{self, Shape};
use crate::expr::functions::exact_boolean;
use crate::expr::typed::{Arithmetic, Call, Node, Typed};
use crate::expr::{Rules, Scope};
use crate::messages;
use crate::messages::expressions::Needed;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident, Type, UnaryOp};
use crate::types::{DECIMAL_PRECISION_MAX, SqlType, Value};

/// The type of an expression, with every name, cast and overload settled.
pub fn check(ast: &Expr, scope: &dyn Scope) -> Result<Typed> {
    let rules = scope.rules();
    let typed = Checker { scope, rules, params: Vec::new() }.expr(ast)?;
    Ok(if rules.unknown_comparisons { typed.three_valued() } else { typed })
}

/// A type as written, with aliases put in by `custom`.
pub fn to_sql_type(ty: &Type, custom: &dyn Fn(&str) -> Option<SqlType>) -> Result<SqlType> {
    Ok(match ty {
        Type::Boolean => SqlType::Boolean,
        Type::Int => SqlType::Int,
        Type::Bigint => SqlType::Bigint,
        Type::Double => SqlType::Double,
        Type::Decimal { precision, scale } => decimal_type(*precision, *scale)?,
        Type::String => SqlType::String,
        Type::Bytes => SqlType::Bytes,
        Type::Time => SqlType::Time,
        Type::Date => SqlType::Date,
        Type::Timestamp => SqlType::Timestamp,
        Type::Array(item) => SqlType::Array(Box::new(to_sql_type(item, custom)?)),
        Type::Map(key, value) => {
            let key = to_sql_type(key, custom)?;
            if key != SqlType::String {
                return Err(messages::types::map_key(&key));
            }
            SqlType::Map(Box::new(to_sql_type(value, custom)?))
        }
        Type::Struct(fields) => {
            let mut out: Vec<(String, SqlType)> = Vec::with_capacity(fields.len());
            for (name, ty) in fields {
                if out.iter().any(|(other, _)| *other == name.text) {
                    return Err(messages::types::duplicate_field(&name.text).at(name.at));
                }
                out.push((name.text.clone(), to_sql_type(ty, custom)?));
            }
            SqlType::Struct(out)
        }
        Type::Custom(name) => custom(&name.text).ok_or_else(|| messages::types::unknown(&name.text).at(name.at))?,
    })
}

fn decimal_type(precision: u32, scale: u32) -> Result<SqlType> {
    if precision == 0 || scale > precision {
        return Err(messages::types::decimal_shape(precision, scale));
    }
    if precision > DECIMAL_PRECISION_MAX {
        return Err(messages::types::decimal_too_wide(scale, DECIMAL_PRECISION_MAX));
    }
    Ok(SqlType::Decimal { precision, scale })
}

struct Checker<'a> {
    scope: &'a dyn Scope,
    rules: Rules,
    /// The parameters of the lambdas around, the outermost first.
    params: Vec<(String, SqlType)>,
}

impl Checker<'_> {
    fn expr(&mut self, ast: &Expr) -> Result<Typed> {
        self.kind(ast).map_err(|error| error.at(ast.at))
    }

    fn boxed(&mut self, ast: &Expr) -> Result<Box<Typed>> {
        self.expr(ast).map(Box::new)
    }

    fn kind(&mut self, ast: &Expr) -> Result<Typed> {
        match &ast.kind {
            ExprKind::Null
            | ExprKind::Boolean(_)
            | ExprKind::Int(_)
            | ExprKind::Bigint(_)
            | ExprKind::Decimal(_)
            | ExprKind::Double(_)
            | ExprKind::String(_) => literal(&ast.kind),
            ExprKind::Column { source, name } => self.column(source.as_ref(), name),
            ExprKind::Unary { op, operand } => self.unary(*op, operand),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right),
            ExprKind::IsNull { operand, negated } => {
                let operand = self.boxed(operand)?;
                if !operand.is_bare_null() {
                    operand.known_type()?;
                }
                Ok(boolean(Node::IsNull { operand, negated: *negated }))
            }
            ExprKind::Between { operand, negated, low, high } => self.between(operand, *negated, low, high),
            ExprKind::InList { operand, negated, list } => self.in_list(operand, *negated, list),
            ExprKind::Like { operand, negated, pattern, escape } => self.like(operand, *negated, pattern, *escape),
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            ExprKind::Cast { operand, ty } => self.cast(operand, ty),
            ExprKind::Subscript { base, index } => self.subscript(base, index),
            ExprKind::Field { base, field } => self.field(base, field),
            ExprKind::Array(items) => self.array(items),
            ExprKind::Map(entries) => self.map(entries),
            ExprKind::Struct(fields) => self.structure(fields),
            ExprKind::Call { name, args } => self.call(name, args),
            ExprKind::Aggregate { name, .. } => self.aggregate(name),
            ExprKind::Lambda { .. } => Err(messages::functions::lambda_here()),
        }
    }

    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Typed> {
        if source.is_none()
            && let Some(slot) = self.params.iter().rposition(|(param, _)| *param == name.text)
        {
            return Ok(Typed::new(Node::Param(slot), self.params[slot].1.clone()));
        }
        let (index, ty) = self.scope.column(source, name)?;
        Ok(Typed::new(Node::Column(index), ty))
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr) -> Result<Typed> {
        if op == UnaryOp::Not {
            return Ok(boolean(Node::Not(Box::new(self.truth(operand, "NOT")?))));
        }
        let typed = self.expr(operand)?;
        let ty = typed.known_type()?.clone();
        if !ty.is_numeric() {
            return Err(messages::expressions::operand("A sign", &Needed::Number, &text::text(operand), &ty));
        }
        let negative = match &typed.node {
            Node::Literal(value) => negate(value),
            _ => None,
        };
        match (op, negative) {
            (UnaryOp::Minus, Some(value)) => Ok(Typed::new(Node::Literal(value), ty)),
            (UnaryOp::Minus, None) => Ok(Typed::new(Node::Negate(Box::new(typed)), ty)),
            _ => Ok(typed),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Typed> {
        let arithmetic = match op {
            BinaryOp::And => {
                return Ok(boolean(Node::And(Box::new(self.truth(left, "AND")?), Box::new(self.truth(right, "AND")?))));
            }
            BinaryOp::Or => {
                return Ok(boolean(Node::Or(Box::new(self.truth(left, "OR")?), Box::new(self.truth(right, "OR")?))));
            }
            BinaryOp::Concat => return self.call(&Ident::new("CONCAT"), &[left.clone(), right.clone()]),
            BinaryOp::Add => Arithmetic::Add,
            BinaryOp::Subtract => Arithmetic::Subtract,
            BinaryOp::Multiply => Arithmetic::Multiply,
            BinaryOp::Divide => Arithmetic::Divide,
            BinaryOp::Modulo => Arithmetic::Modulo,
            _ => return self.comparison(op, left, right),
        };
        let (a, b) = (self.expr(left)?, self.expr(right)?);
        if let (Some(SqlType::String), Some(SqlType::String), Arithmetic::Add) = (&a.ty, &b.ty, arithmetic) {
            return self.call(&Ident::new("CONCAT"), &[left.clone(), right.clone()]);
        }
        calculate(arithmetic, a, b, self.rules)
    }

    /// An operand of AND, OR, NOT or WHEN.
    fn truth(&mut self, ast: &Expr, of: &str) -> Result<Typed> {
        let typed = self.expr(ast)?;
        match &typed.ty {
            Some(SqlType::Boolean) => Ok(typed),
            None => typed.coerce(&SqlType::Boolean),
            Some(ty) => Err(messages::expressions::operand(of, &Needed::Boolean, &text::text(ast), ty).at(ast.at)),
        }
    }

    fn cast(&mut self, operand: &Expr, ty: &Type) -> Result<Typed> {
        let scope = self.scope;
        let to = to_sql_type(ty, &|name| scope.custom_type(name))?;
        let typed = self.expr(operand)?;
        let Some(from) = typed.ty.clone() else { return typed.coerce(&to) };
        if from == to {
            return Ok(typed);
        }
        if !crate::expr::eval::can_cast(&from, &to) {
            return Err(messages::types::no_cast(&from, &to));
        }
        if self.rules.exact_booleans && contains_boolean(&to) && from != to {
            return self.cast_exactly(typed, &from, to);
        }
        Ok(Typed::new(Node::Cast(Box::new(typed)), to))
    }

    /// A cast to a type with BOOLEAN in it, of which text must be `true` or `false`.
    fn cast_exactly(&self, typed: Typed, from: &SqlType, to: SqlType) -> Result<Typed> {
        match (from, &to) {
            (SqlType::String, SqlType::Boolean) => {
                let (function, overload) = exact_boolean()?;
                Ok(Typed::new(Node::Call(Call { function, overload, args: vec![typed], lambdas: Vec::new() }), to))
            }
            _ => Err(messages::types::no_exact_boolean_cast(from, &to)),
        }
    }
}

fn contains_boolean(ty: &SqlType) -> bool {
    match ty {
        SqlType::Boolean => true,
        SqlType::Array(item) | SqlType::Map(item) => contains_boolean(item),
        SqlType::Struct(fields) => fields.iter().any(|(_, ty)| contains_boolean(ty)),
        _ => false,
    }
}

fn boolean(node: Node) -> Typed {
    Typed::new(node, SqlType::Boolean)
}

fn literal(kind: &ExprKind) -> Result<Typed> {
    let (value, ty) = match kind {
        ExprKind::Boolean(v) => (Value::Boolean(*v), SqlType::Boolean),
        ExprKind::Int(v) => (Value::Int(*v), SqlType::Int),
        ExprKind::Bigint(v) => (Value::Bigint(*v), SqlType::Bigint),
        ExprKind::Double(v) => (Value::Double(*v), SqlType::Double),
        ExprKind::String(v) => (Value::String(v.clone()), SqlType::String),
        ExprKind::Decimal(text) => decimal_literal(text)?,
        _ => return Ok(Typed::null()),
    };
    Ok(Typed::new(Node::Literal(value), ty))
}

fn decimal_literal(text: &str) -> Result<(Value, SqlType)> {
    let shape = decimal::shape_of_text(text);
    let parsed = decimal::parse(text).filter(|_| shape.precision <= DECIMAL_PRECISION_MAX);
    let Some((unscaled, _)) = parsed else {
        return Err(messages::types::no_decimal(text, DECIMAL_PRECISION_MAX));
    };
    let Shape { precision, scale } = shape;
    Ok((Value::Decimal { unscaled, precision, scale }, shape.ty()))
}

fn negate(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Int(v) => Value::Int(v.wrapping_neg()),
        Value::Bigint(v) => Value::Bigint(v.wrapping_neg()),
        Value::Double(v) => Value::Double(-v),
        Value::Decimal { unscaled, precision, scale } => {
            Value::Decimal { unscaled: unscaled.wrapping_neg(), precision: *precision, scale: *scale }
        }
        _ => return None,
    })
}

/// Arithmetic of two numbers: widens the operands and gives the result's type.
fn calculate(op: Arithmetic, left: Typed, right: Typed, rules: Rules) -> Result<Typed> {
    let (Some(a), Some(b)) = (left.ty.clone(), right.ty.clone()) else {
        return Err(messages::expressions::arithmetic_with_null(left.ty.as_ref(), right.ty.as_ref()));
    };
    if !a.is_numeric() || !b.is_numeric() {
        return Err(messages::expressions::arithmetic(&a, &b));
    }
    let mut op = op;
    let (to_left, to_right, ty) = if a == SqlType::Double || b == SqlType::Double {
        (SqlType::Double, SqlType::Double, SqlType::Double)
    } else if let (false, false) = (matches!(a, SqlType::Decimal { .. }), matches!(b, SqlType::Decimal { .. })) {
        let ty = if a == SqlType::Int && b == SqlType::Int { SqlType::Int } else { SqlType::Bigint };
        (ty.clone(), ty.clone(), ty)
    } else {
        let (Some(x), Some(y)) = (Shape::of(&a), Shape::of(&b)) else {
            return Err(Error::internal("a number that isn't a decimal"));
        };
        let result = match op {
            Arithmetic::Add | Arithmetic::Subtract => x.sum(y),
            Arithmetic::Multiply => x.product(y),
            Arithmetic::Divide | Arithmetic::DivideRounded => x.quotient(y),
            Arithmetic::Modulo => x.remainder(y),
        };
        if op == Arithmetic::Divide && rules.rounded_division {
            op = Arithmetic::DivideRounded;
        }
        (x.ty(), y.ty(), result.ty())
    };
    let (left, right) = (Box::new(left.coerce(&to_left)?), Box::new(right.coerce(&to_right)?));
    Ok(Typed::new(Node::Arithmetic { op, left, right }, ty))
}
