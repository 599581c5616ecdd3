//! Calls of scalar functions, and the lambdas among their arguments.

use super::Checker;
use crate::error::{Error, Result};
use crate::expr::functions::{self, ArgType, Bindings, Function, FunctionKind, Implementation, ParamType};
use crate::expr::typed::{Call, Lambda, Node, Typed};
use crate::messages;
use crate::sql::ast::{Expr, ExprKind, Ident};
use crate::types::{SqlType, Value};

impl Checker<'_> {
    pub(super) fn call(&mut self, name: &Ident, args: &[Expr]) -> Result<Typed> {
        let function = functions::table().function(&name.text).map_err(|error| error.at(name.at))?;
        let function = functions::table().under(function, self.rules);
        match function.kind {
            FunctionKind::Scalar => {}
            FunctionKind::Aggregate => {
                return Err(messages::functions::aggregate_here(function.name));
            }
            FunctionKind::Table => {
                return Err(messages::functions::table_function_here(function.name));
            }
        }
        let mut checked = Vec::with_capacity(args.len());
        let mut types = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let (typed, ty) = self.argument(function, i, arg)?;
            checked.push(typed);
            types.push(ty);
        }
        let found = function.choose(&name.text, &types)?;
        let mut bindings = found.bindings;
        let mut values = Vec::with_capacity(args.len());
        let mut lambdas = Vec::new();
        for (i, (typed, cast)) in checked.into_iter().zip(found.casts).enumerate() {
            match typed {
                Some(typed) => values.push(typed.cast_argument(cast)?),
                None => {
                    let param = found.overload.param_of(i, args.len()).map(|at| &found.overload.params[at].ty);
                    lambdas.push(self.lambda(&args[i], param, &mut bindings)?);
                }
            }
        }
        let types: Vec<SqlType> = values.iter().filter_map(|value| value.ty.clone()).collect();
        let ty = found.overload.result_type(&bindings, &types)?;
        if !matches!(found.overload.call, Implementation::Scalar(_)) {
            return Err(Error::internal(format!("{} is listed as scalar but isn't", function.name)));
        }
        let call = Call { function, overload: found.overload, args: values, lambdas };
        Ok(Typed::new(Node::Call(call), ty))
    }

    /// A call with DISTINCT or FILTER where a value is wanted.
    pub(super) fn aggregate(&mut self, name: &Ident) -> Result<Typed> {
        let function = functions::table().function(&name.text).map_err(|error| error.at(name.at))?;
        Err(match function.kind {
            FunctionKind::Aggregate => messages::functions::aggregate_here(function.name),
            _ => messages::functions::no_aggregate(function.name),
        })
    }

    /// An argument before the overload is known. Lambdas are checked afterwards.
    fn argument(&mut self, function: &Function, i: usize, arg: &Expr) -> Result<(Option<Typed>, ArgType)> {
        match &arg.kind {
            ExprKind::Lambda { params, .. } => Ok((None, ArgType::Lambda(params.len()))),
            ExprKind::Column { source: None, name } if takes_unit(function, i) && unit(&name.text).is_some() => {
                let unit = unit(&name.text).unwrap_or_default();
                Ok((Some(Typed::new(Node::Literal(Value::String(unit.into())), SqlType::String)), ArgType::Unit))
            }
            _ => {
                let typed = self.expr(arg)?;
                let ty = typed.arg_type();
                Ok((Some(typed), ty))
            }
        }
    }

    fn lambda(&mut self, arg: &Expr, param: Option<&ParamType>, bindings: &mut Bindings) -> Result<Lambda> {
        let (ExprKind::Lambda { params, body }, Some(ParamType::Lambda(types, returns))) = (&arg.kind, param) else {
            return Err(Error::internal("a lambda where the function takes none"));
        };
        let first = self.params.len();
        for (name, ty) in params.iter().zip(types) {
            let ty = bindings
                .substitute(ty)
                .ok_or_else(|| messages::functions::type_of_lambda_parameter(&name.text).at(name.at))?;
            self.params.push((name.text.clone(), ty));
        }
        let checked = self.expr(body);
        self.params.truncate(first);
        let mut body_typed = checked?;
        match (&**returns, bindings.substitute(returns)) {
            (_, Some(ty)) => {
                body_typed = body_typed.coerce(&ty).map_err(|error| error.at(body.at))?;
            }
            (ParamType::Generic(name), None) => bindings.bind(name, body_typed.known_type()?.clone()),
            _ => {}
        }
        Ok(Lambda { first, params: params.len(), body: body_typed })
    }
}

/// Whether this argument of a call, counted from 0, is a unit of time and no column.
pub fn is_interval_unit(function: &str, i: usize, arg: &Expr) -> bool {
    let ExprKind::Column { source: None, name } = &arg.kind else { return false };
    unit(&name.text).is_some() && functions::table().function(function).is_ok_and(|function| takes_unit(function, i))
}

fn takes_unit(function: &Function, i: usize) -> bool {
    function.overloads.iter().any(|overload| overload.params.get(i).is_some_and(|param| param.ty == ParamType::Unit))
}

/// A unit of time in capitals without the plural S.
fn unit(name: &str) -> Option<&'static str> {
    Some(match name.strip_suffix('S').unwrap_or(name) {
        "DAY" => "DAY",
        "HOUR" => "HOUR",
        "MINUTE" => "MINUTE",
        "SECOND" => "SECOND",
        "MILLISECOND" => "MILLISECOND",
        _ => return None,
    })
}
