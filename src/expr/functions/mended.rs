//! Functions as they should be, where ksqlDB's are odd: they stand in their place where a query's settings say so.

use super::define::{BIGINT, DOUBLE, INT, STRING};
use super::{Function, FunctionKind, Implementation, Overload, Returns, math, strings};
use crate::error::{Error, Result};
use crate::expr::Rules;
use crate::expr::accumulator::BuildAccumulator;
use crate::expr::accumulators;
use crate::expr::functions::ParamType;

/// A function, and whether the settings ask for it.
pub(super) struct Mended {
    pub asked_for: fn(&Rules) -> bool,
    pub function: Function,
}

/// Stands for a cast of text to BOOLEAN: no name that can be called.
const CAST_BOOLEAN: &str = "CAST(... AS BOOLEAN)";

pub(super) fn entries() -> Vec<Mended> {
    let mended = |asked_for, function| Mended { asked_for, function };
    vec![
        mended(|rules| rules.log_of_ten, math::log_of_ten()),
        mended(|rules| rules.initcap_blanks, strings::initcap_with_blanks()),
        mended(|rules| rules.deviation, deviation()),
        mended(|rules| rules.sum_overflows, sum()),
        mended(|rules| rules.exact_booleans, boolean()),
    ]
}

fn aggregate(name: &'static str, description: &'static str) -> Function {
    Function::new(name, FunctionKind::Aggregate, "AGGREGATE", description)
}

impl Function {
    fn fold(self, ty: &ParamType, returns: ParamType, build: BuildAccumulator) -> Self {
        self.overload(&[("val", ty, "the value")], None, Returns::Is(returns), Implementation::Aggregate(build))
    }
}

fn deviation() -> Function {
    let make = accumulators::stddev_sample;
    aggregate("STDDEV_SAMP", "Sample standard deviation.")
        .fold(&INT, DOUBLE, make)
        .fold(&BIGINT, DOUBLE, make)
        .fold(&DOUBLE, DOUBLE, make)
}

fn sum() -> Function {
    let decimal = Returns::Computed(|types| types.first().cloned().ok_or_else(|| "a value is missing".to_owned()));
    aggregate("SUM", "Sum of the values; 0 when there are none. One that doesn't fit its type is NULL until it does.")
        .fold(&INT, INT, accumulators::exact_sum)
        .fold(&BIGINT, BIGINT, accumulators::exact_sum)
        .fold(&DOUBLE, DOUBLE, accumulators::sum)
        .overload(
            &[("val", &ParamType::Decimal, "the value")],
            None,
            decimal,
            Implementation::Aggregate(accumulators::sum),
        )
}

fn boolean() -> Function {
    Function::scalar(CAST_BOOLEAN, "OTHER", "Whether a text is true; one that is neither true nor false fails.").over(
        &[("text", &STRING, "true or false, in any case")],
        super::define::BOOLEAN,
        |call| {
            let texts = call.texts(0);
            call.collect_booleans(|row| {
                let Some(text) = texts.get(row) else { return Ok(None) };
                match text.trim() {
                    word if word.eq_ignore_ascii_case("true") => Ok(Some(true)),
                    word if word.eq_ignore_ascii_case("false") => Ok(Some(false)),
                    _ => Err(format!("'{text}' can't be cast to BOOLEAN")),
                }
            })
        },
    )
}

/// What casts a text to BOOLEAN.
pub(in crate::expr) fn exact_boolean() -> Result<(&'static Function, &'static Overload)> {
    let mended = super::table().mended.iter().find(|mended| mended.function.name == CAST_BOOLEAN);
    let function = mended.map(|mended| &mended.function);
    let overload = function.and_then(|function| function.overloads.first());
    function.zip(overload).ok_or_else(|| Error::internal("the cast to BOOLEAN is not listed"))
}
