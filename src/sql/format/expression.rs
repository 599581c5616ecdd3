//! Expressions. Parentheses stand where the parser would otherwise read another tree.

use super::{identifier, list, string, ty};
use crate::expr::is_aggregate;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::sql::parser::{BINARY, binding};

/// The least binding that needs no parentheses where a whole expression stands.
pub(super) const WHOLE: u8 = binding::NONE;

/// Binds tighter than every operator.
const ATOM: u8 = binding::ACCESS + 1;

/// Writes the expression, in parentheses if it binds looser than `least`.
pub(super) fn write(out: &mut String, expr: &Expr, least: u8) {
    let parentheses = binds(&expr.kind) < least;
    if parentheses {
        out.push('(');
    }
    write_bare(out, &expr.kind);
    if parentheses {
        out.push(')');
    }
}

fn binds(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Lambda { .. } => binding::NONE,
        ExprKind::Binary { op, .. } => operator(*op).1,
        ExprKind::IsNull { .. } | ExprKind::Between { .. } | ExprKind::InList { .. } | ExprKind::Like { .. } => {
            binding::PREDICATE
        }
        ExprKind::Unary { op: UnaryOp::Not, .. } => binding::NOT,
        ExprKind::Unary { .. } => binding::SIGN,
        ExprKind::Int(_) | ExprKind::Bigint(_) | ExprKind::Double(_) | ExprKind::Decimal(_) if is_signed(kind) => {
            binding::SIGN
        }
        ExprKind::Subscript { .. } | ExprKind::Field { .. } => binding::ACCESS,
        _ => ATOM,
    }
}

fn is_signed(kind: &ExprKind) -> bool {
    match kind {
        ExprKind::Int(value) => *value < 0,
        ExprKind::Bigint(value) => *value < 0,
        ExprKind::Double(value) => value.is_sign_negative(),
        ExprKind::Decimal(text) => text.starts_with('-'),
        _ => false,
    }
}

fn operator(op: BinaryOp) -> (&'static str, u8) {
    match op {
        BinaryOp::IsDistinct => ("IS DISTINCT FROM", binding::PREDICATE),
        BinaryOp::IsNotDistinct => ("IS NOT DISTINCT FROM", binding::PREDICATE),
        _ => BINARY
            .iter()
            .find(|(_, known, _)| *known == op)
            .map_or(("?", ATOM), |(written, _, binds)| (*written, *binds)),
    }
}

fn write_bare(out: &mut String, kind: &ExprKind) {
    match kind {
        ExprKind::Null => out.push_str("NULL"),
        ExprKind::Boolean(value) => out.push_str(if *value { "TRUE" } else { "FALSE" }),
        ExprKind::Int(value) => out.push_str(&value.to_string()),
        ExprKind::Bigint(value) => out.push_str(&value.to_string()),
        ExprKind::Decimal(text) => out.push_str(&decimal(text)),
        ExprKind::Double(value) => out.push_str(&format!("{value:e}")),
        ExprKind::String(text) => out.push_str(&string(text)),
        ExprKind::Column { source, name } => {
            if let Some(source) = source {
                out.push_str(&identifier(&source.text));
                out.push('.');
            }
            out.push_str(&identifier(&name.text));
        }
        ExprKind::Unary { op, operand } => unary(out, *op, operand),
        ExprKind::Binary { op, left, right } => binary(out, *op, left, right),
        ExprKind::IsNull { .. } | ExprKind::Between { .. } | ExprKind::InList { .. } | ExprKind::Like { .. } => {
            predicate(out, kind);
        }
        _ => structure(out, kind),
    }
}

/// A decimal without a digit on both sides of its point is written as a typed literal.
fn decimal(text: &str) -> String {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) if digits(whole) && digits(fraction) => text.to_owned(),
        _ => format!("DECIMAL {}", string(text)),
    }
}

fn unary(out: &mut String, op: UnaryOp, operand: &Expr) {
    if op == UnaryOp::Not {
        out.push_str("NOT ");
        return write(out, operand, binding::NOT);
    }
    out.push(if op == UnaryOp::Minus { '-' } else { '+' });
    let mut inner = String::new();
    write(&mut inner, operand, binding::ACCESS);
    // A bare minus would become a part of the number, wherever in the operand that stands.
    if op == UnaryOp::Minus && inner.starts_with(|first: char| first.is_ascii_digit()) {
        inner = format!("({inner})");
    }
    out.push_str(&inner);
}

fn binary(out: &mut String, op: BinaryOp, left: &Expr, right: &Expr) {
    let (written, binds) = operator(op);
    // Chains of predicates read badly without parentheses.
    write(out, left, if binds == binding::PREDICATE { binds + 1 } else { binds });
    out.push_str(&format!(" {written} "));
    write(out, right, binds + 1);
}

fn predicate(out: &mut String, kind: &ExprKind) {
    const OPERAND: u8 = binding::PREDICATE + 1;
    let not = |negated: bool| if negated { " NOT" } else { "" };
    match kind {
        ExprKind::IsNull { operand, negated } => {
            write(out, operand, OPERAND);
            out.push_str(&format!(" IS{} NULL", not(*negated)));
        }
        ExprKind::Between { operand, negated, low, high } => {
            write(out, operand, OPERAND);
            out.push_str(&format!("{} BETWEEN ", not(*negated)));
            write(out, low, OPERAND);
            out.push_str(" AND ");
            write(out, high, OPERAND);
        }
        ExprKind::InList { operand, negated, list } => {
            write(out, operand, OPERAND);
            out.push_str(&format!("{} IN ({})", not(*negated), all(list)));
        }
        ExprKind::Like { operand, negated, pattern, escape } => {
            write(out, operand, OPERAND);
            out.push_str(&format!("{} LIKE ", not(*negated)));
            write(out, pattern, OPERAND);
            if let Some(escape) = escape {
                out.push_str(&format!(" ESCAPE {}", string(&escape.to_string())));
            }
        }
        _ => {}
    }
}

fn structure(out: &mut String, kind: &ExprKind) {
    match kind {
        ExprKind::Case { operand, branches, otherwise } => {
            case(out, operand.as_deref(), branches, otherwise.as_deref())
        }
        ExprKind::Cast { operand, ty: to } => out.push_str(&format!("CAST({} AS {})", whole(operand), ty(to))),
        ExprKind::Subscript { base, index } => {
            write(out, base, binding::ACCESS);
            out.push_str(&format!("[{}]", whole(index)));
        }
        ExprKind::Field { base, field } => {
            write(out, base, binding::ACCESS);
            out.push_str(&format!("->{}", identifier(&field.text)));
        }
        ExprKind::Array(items) => out.push_str(&format!("ARRAY[{}]", all(items))),
        ExprKind::Map(entries) => {
            let one = |(key, value): &(Expr, Expr)| format!("{} := {}", whole(key), whole(value));
            out.push_str(&format!("MAP({})", list(entries, one)));
        }
        ExprKind::Struct(fields) => {
            let one = |(name, value): &(crate::sql::ast::Ident, Expr)| {
                format!("{} := {}", identifier(&name.text), whole(value))
            };
            out.push_str(&format!("STRUCT({})", list(fields, one)));
        }
        ExprKind::Call { name, args } => out.push_str(&call(name, args, "")),
        ExprKind::Aggregate { name, args, distinct, filter } => {
            out.push_str(&call(name, args, if *distinct { "DISTINCT " } else { "" }));
            if let Some(filter) = filter {
                out.push_str(&format!(" FILTER (WHERE {})", whole(filter)));
            }
        }
        ExprKind::Lambda { params, body } => {
            let names = list(params, |param| identifier(&param.text));
            let params = if params.len() == 1 { names } else { format!("({names})") };
            out.push_str(&format!("{params} => {}", whole(body)));
        }
        _ => {}
    }
}

fn call(name: &crate::sql::ast::Ident, args: &[Expr], before: &str) -> String {
    let stars = args.is_empty() && is_aggregate(&name.text);
    let args = if stars { "*".to_owned() } else { list(args, whole) };
    format!("{}({before}{args})", identifier(&name.text))
}

fn case(out: &mut String, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) {
    out.push_str("CASE");
    if let Some(operand) = operand {
        out.push_str(&format!(" {}", whole(operand)));
    }
    for (when, then) in branches {
        out.push_str(&format!(" WHEN {} THEN {}", whole(when), whole(then)));
    }
    if let Some(otherwise) = otherwise {
        out.push_str(&format!(" ELSE {}", whole(otherwise)));
    }
    out.push_str(" END");
}

fn whole(expr: &Expr) -> String {
    super::expression(expr)
}

fn all(exprs: &[Expr]) -> String {
    list(exprs, whole)
}
