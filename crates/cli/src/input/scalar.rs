//! What a scalar of a manifest means to kubectl: YAML 1.1 as `sigs.k8s.io/yaml` reads it, where `0400` is a number in base
//! eight, `yes` and `on` are true, and `1_000` is a thousand. A date stays text.

use serde_json::{Number, Value};

/// The value of a scalar without quotes.
///
/// # Errors
/// When JSON has no such number.
pub(super) fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => {
            return Err(format!("{text} is a number that JSON cannot carry"));
        }
        _ => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
    })
}

/// The value of a scalar with a tag, such as `!!str 1`.
///
/// # Errors
/// When the text is nothing of that type.
pub(super) fn tagged(text: &str, tag: &str) -> Result<Value, String> {
    let value = match tag {
        "null" | "bool" | "int" | "float" => plain(text)?,
        "binary" => return Err("!!binary is not supported here; write the text itself".to_owned()),
        _ => return Ok(Value::String(text.to_owned())),
    };
    let fits = match tag {
        "null" => value.is_null(),
        "bool" => value.is_boolean(),
        "int" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    };
    if fits { Ok(value) } else { Err(format!("cannot decode `{text}` as a !!{tag}")) }
}

/// A number, if it is one.
fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) || is_date(text) {
        return None;
    }
    // A number that begins with its point may have no separators.
    let digits = if text.starts_with('.') { text.to_owned() } else { text.replace('_', "") };
    if let Some(integer) = integer(&digits) {
        return Some(Value::Number(integer));
    }
    if !is_decimal(&digits) {
        return None;
    }
    // More than 64 bits is floating point, in the cluster as well.
    let float: Option<f64> = digits.parse().ok().filter(|float: &f64| float.is_finite());
    float.map(|float| Value::Number(shortest(float)))
}

/// A floating point number as the API server gets it: without a fraction it is an integer (`1.0` is `1`).
fn shortest(float: f64) -> Number {
    let text = format!("{float}");
    let integer = text.parse::<i64>().ok().filter(|_| float.abs() < 1e21);
    integer.map(Number::from).or_else(|| Number::from_f64(float)).unwrap_or_else(|| Number::from(0))
}

/// An integer with its sign and base: decimal, `0x`, `0o` or a leading zero, `0b`.
fn integer(text: &str) -> Option<Number> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => ("-", text.get(1..)?),
        b'+' => ("", text.get(1..)?),
        _ => ("", text),
    };
    let lower = rest.to_ascii_lowercase();
    let (digits, base) = match lower.get(..2) {
        Some("0x") => (lower.get(2..)?, 16),
        Some("0o") => (lower.get(2..)?, 8),
        Some("0b") => (lower.get(2..)?, 2),
        Some(_) if lower.starts_with('0') => (lower.get(1..)?, 8),
        _ => (lower.as_str(), 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let signed = i64::from_str_radix(&format!("{sign}{digits}"), base).ok().map(Number::from);
    // Only a number without a sign may have the 64th bit.
    let unsigned = || u64::from_str_radix(digits, base).ok().map(Number::from);
    signed.or_else(|| if text == rest { unsigned() } else { None })
}

/// Digits with at most one point, and an exponent.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent
}

/// Whether it begins like a date: `2024-01-02` is text, as in a ConfigMap.
fn is_date(text: &str) -> bool {
    text.get(..4).is_some_and(|year| year.bytes().all(|c| c.is_ascii_digit()))
        && text.as_bytes().get(4) == Some(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_those_of_kubectl() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("yEs", json!("yEs")),
            ("0400", json!(256)),
            ("0o400", json!(256)),
            ("0x1F90", json!(8080)),
            ("-0b11", json!(-3)),
            ("089", json!(89)),
            ("1_000", json!(1000)),
            ("1e3", json!(1000)),
            ("1.0", json!(1)),
            ("1.50", json!(1.5)),
            (".5", json!(0.5)),
            ("+7", json!(7)),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("12:30:45", json!("12:30:45")),
            ("2024-01-02", json!("2024-01-02")),
            ("9223372036854775808", json!(9_223_372_036_854_775_808_u64)),
            ("9007199254740993", json!(9_007_199_254_740_993_u64)),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("1e", json!("1e")),
            ("512Mi", json!("512Mi")),
            ("123456789012345678901234567890", json!(123_456_789_012_345_678_901_234_567_890_f64)),
        ] {
            assert_eq!(plain(text), Ok(value), "{text}");
        }
        for text in [".nan", "-.Inf"] {
            assert!(plain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_decides() {
        assert_eq!(tagged("1", "str"), Ok(json!("1")));
        assert_eq!(tagged("1", "float"), Ok(json!(1)));
        assert_eq!(tagged("on", "bool"), Ok(json!(true)));
        assert!(tagged("x", "int").is_err());
    }
}
