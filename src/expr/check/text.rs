//! Expressions as messages show them: fully bracketed, as the original language prints them.

use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident, UnaryOp};
use crate::sql::format;

/// The expression on one line.
pub fn text(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Null => "null".into(),
        ExprKind::Boolean(value) => value.to_string(),
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Bigint(value) => value.to_string(),
        ExprKind::Decimal(value) => value.clone(),
        ExprKind::Double(value) => crate::types::text::java_double(*value),
        ExprKind::String(value) => format!("'{}'", value.replace('\'', "''")),
        ExprKind::Column { source, name } => match source {
            Some(source) => format!("{}.{}", ident(source), ident(name)),
            None => ident(name),
        },
        ExprKind::Unary { op: UnaryOp::Not, operand } => format!("(NOT {})", text(operand)),
        ExprKind::Unary { op, operand } => {
            format!("{}{}", if *op == UnaryOp::Minus { "-" } else { "+" }, text(operand))
        }
        ExprKind::Binary { op, left, right } => format!("({} {} {})", text(left), symbol(*op), text(right)),
        ExprKind::IsNull { operand, negated } => {
            format!("({} IS {}NULL)", text(operand), if *negated { "NOT " } else { "" })
        }
        ExprKind::Between { operand, negated, low, high } => {
            format!("({} {}BETWEEN {} AND {})", text(operand), not(*negated), text(low), text(high))
        }
        ExprKind::InList { operand, negated, list } => {
            format!("({} {}IN ({}))", text(operand), not(*negated), join(list))
        }
        ExprKind::Like { operand, negated, pattern, escape } => {
            let escape = escape.map(|c| format!(" ESCAPE '{c}'")).unwrap_or_default();
            format!("({} {}LIKE {}{escape})", text(operand), not(*negated), text(pattern))
        }
        ExprKind::Case { operand, branches, otherwise } => case(operand.as_deref(), branches, otherwise.as_deref()),
        ExprKind::Cast { operand, ty } => format!("CAST({} AS {})", text(operand), format::ty(ty)),
        ExprKind::Subscript { base, index } => format!("{}[{}]", text(base), text(index)),
        ExprKind::Field { base, field } => format!("{}->{}", text(base), ident(field)),
        ExprKind::Array(items) => format!("ARRAY[{}]", join(items)),
        ExprKind::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{}:={}", text(key), text(value))).collect();
            format!("MAP({})", entries.join(", "))
        }
        ExprKind::Struct(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{}:={}", ident(name), text(value))).collect();
            format!("STRUCT({})", fields.join(", "))
        }
        ExprKind::Aggregate { name, args, distinct, filter } => {
            let distinct = if *distinct { "DISTINCT " } else { "" };
            let filter = filter.as_ref().map(|filter| format!(" FILTER (WHERE {})", text(filter))).unwrap_or_default();
            format!("{}({distinct}{}){filter}", name.text, join(args))
        }
        ExprKind::Call { name, args } => format!("{}({})", name.text, join(args)),
        ExprKind::Lambda { params, body } => {
            let params: Vec<_> = params.iter().map(|param| param.text.clone()).collect();
            format!("({}) => {}", params.join(", "), text(body))
        }
    }
}

fn case(operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> String {
    let mut out = String::from("(CASE");
    if let Some(operand) = operand {
        out.push_str(&format!(" {}", text(operand)));
    }
    for (when, then) in branches {
        out.push_str(&format!(" WHEN {} THEN {}", text(when), text(then)));
    }
    if let Some(otherwise) = otherwise {
        out.push_str(&format!(" ELSE {}", text(otherwise)));
    }
    out + " END)"
}

fn join(list: &[Expr]) -> String {
    list.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn ident(name: &Ident) -> String {
    if name.quoted { format!("`{}`", name.text) } else { name.text.clone() }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn symbol(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "OR",
        BinaryOp::And => "AND",
        BinaryOp::Equal => "=",
        BinaryOp::NotEqual => "<>",
        BinaryOp::Less => "<",
        BinaryOp::LessEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterEqual => ">=",
        BinaryOp::IsDistinct => "IS DISTINCT FROM",
        BinaryOp::IsNotDistinct => "IS NOT DISTINCT FROM",
        BinaryOp::Concat => "||",
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
    }
}
