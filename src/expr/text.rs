//! Values as the text that CAST(.. AS STRING) gives: Java's.

/// A DOUBLE as Java's `Double.toString` writes it: `1.0`, `1.0E10`, `1.0E-4`, `NaN`, `Infinity`.
pub(crate) fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let text = format!("{value}");
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    // `{:e}` gives the shortest digits that read back: 1.5e10.
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::double_text;

    #[test]
    fn doubles_as_java_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (10.3, "10.3"),
            (1e7, "1.0E7"),
            (9_999_999.5, "9999999.5"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1.25e300, "1.25E300"),
        ] {
            assert_eq!(double_text(value), text);
        }
    }
}
