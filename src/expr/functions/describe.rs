//! Functions as text: signatures, DESCRIBE FUNCTION, SHOW FUNCTIONS.

use std::fmt::Write;

use crate::expr::functions::{Function, FunctionKind, FunctionTable, Overload, Param, ParamType, Returns};

impl Overload {
    /// `SUBSTRING(str STRING, pos INTEGER)`
    pub fn signature(&self, name: &str) -> String {
        let params: Vec<_> = self
            .params
            .iter()
            .enumerate()
            .map(|(i, param)| {
                let dots = if self.variadic == Some(i) { "..." } else { "" };
                format!("{} {}{dots}", param.name, type_text(&param.ty))
            })
            .collect();
        format!("{name}({})", params.join(", "))
    }
}

/// A parameter's type as a reader sees it.
pub fn type_text(ty: &ParamType) -> String {
    match ty {
        ParamType::Is(ty) => ty.to_string(),
        ParamType::Decimal => "DECIMAL".into(),
        ParamType::Generic(name) => (*name).into(),
        ParamType::Array(item) => format!("ARRAY<{}>", type_text(item)),
        ParamType::Map(value) => format!("MAP<STRING, {}>", type_text(value)),
        ParamType::Any => "ANY".into(),
        ParamType::Lambda(params, body) => {
            let params: Vec<_> = params.iter().map(type_text).collect();
            format!("LAMBDA ({}) => {}", params.join(", "), type_text(body))
        }
        ParamType::Unit => "INTERVALUNIT".into(),
    }
}

/// The text of DESCRIBE FUNCTION.
pub fn describe(function: &Function) -> String {
    let kind = match function.kind {
        FunctionKind::Scalar => "SCALAR",
        FunctionKind::Aggregate => "AGGREGATE",
        FunctionKind::Table => "TABLE",
    };
    let mut out = String::new();
    let mut line = |text: String| {
        // A String takes all that is written to it.
        let _ = writeln!(out, "{text}");
    };
    line(format!("Name        : {}", function.name));
    line(format!("Overview    : {}", function.description));
    line(format!("Type        : {kind}"));
    line(format!("Category    : {}", function.category));
    line(format!("NULLs       : {}", function.nulls));
    line("Variations  :".into());
    for overload in &function.overloads {
        line(String::new());
        line(format!("  Variation   : {}", overload.signature(function.name)));
        if let Returns::Is(ty) = &overload.returns {
            line(format!("  Returns     : {}", type_text(ty)));
        }
        for Param { name, description, .. } in overload.params.iter().filter(|param| !param.description.is_empty()) {
            line(format!("  {name:<12}: {description}"));
        }
    }
    if !function.examples.is_empty() {
        line(String::new());
        line("Examples    :".into());
        for (expression, result) in function.examples {
            line(format!("  {expression} => {result}"));
        }
    }
    out
}

/// The rows of SHOW FUNCTIONS: name and category.
pub fn rows(table: &FunctionTable) -> Vec<(&'static str, &'static str)> {
    table.iter().map(|function| (function.name, function.category)).collect()
}
