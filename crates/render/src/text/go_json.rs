//! JSON as Go writes it, for the strings nested inside `function_details`.

use serde_json::{Map, Value};
use std::fmt::Write;

/// Encodes an object like Go's `encoding/json` does for a `map[string]interface{}`: keys sorted, fractions as IEEE
/// doubles in Go's shortest form, and `<`, `>`, `&` escaped. Unlike Go, integers keep all their digits.
pub(crate) fn object(map: &Map<String, Value>) -> String {
    let mut out = String::new();
    write_object(&mut out, map);
    out
}

/// As [`object`], with one more member whose JSON text is given.
pub(crate) fn object_with(map: &Map<String, Value>, key: &str, text: &str) -> String {
    let mut members: Vec<(&str, Option<&Value>)> = map
        .iter()
        .filter(|(known, _)| *known != key)
        .map(|(known, value)| (known.as_str(), Some(value)))
        .collect();
    members.push((key, None));
    members.sort_by_key(|(key, _)| *key);
    let mut out = String::from("{");
    for (i, (key, value)) in members.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(&mut out, key);
        out.push(':');
        match value {
            Some(value) => write_value(&mut out, value),
            None => out.push_str(text),
        }
    }
    out.push('}');
    out
}

fn write_object(out: &mut String, map: &Map<String, Value>) {
    let mut keys: Vec<(&String, &Value)> = map.iter().collect();
    keys.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (i, (key, value)) in keys.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&match n.as_f64() {
            Some(number) if n.is_f64() => double(number),
            _ => n.to_string(),
        }),
        Value::String(s) => write_string(out, s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => write_object(out, map),
    }
}

/// A double in Go's JSON form: shortest text that reads back the same, with an exponent below 1e-6 and from 1e21 on.
pub(crate) fn double(n: f64) -> String {
    let size = n.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return n.to_string();
    }
    let text = format!("{n:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

/// A double as Go prints it by default (`%v`): with an exponent below 1e-4 and from 1e6 on.
pub(crate) fn general(n: f64) -> String {
    let scientific = format!("{n:e}");
    let power =
        scientific.split_once('e').and_then(|(digits, power)| Some((digits, power.parse::<i32>().ok()?)));
    match power {
        Some((digits, power)) if !(-4..6).contains(&power) => {
            format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
        }
        _ => n.to_string(),
    }
}

fn write_string(out: &mut String, text: &str) {
    let quoted = Value::from(text).to_string();
    for c in quoted.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_look_like_go_wrote_them() {
        let value: Value = serde_json::from_str(
            r#"{"b":"p<q&r>","a":1,"c":[1.0,2.5,1e21,1e-7,0.000001,-0.0],"d":{"z":null,"y":true},"n":9007199254740993}"#,
        )
        .unwrap();
        assert_eq!(
            object(value.as_object().unwrap()),
            r#"{"a":1,"b":"p\u003cq\u0026r\u003e","c":[1,2.5,1e+21,1e-7,0.000001,-0],"d":{"y":true,"z":null},"n":9007199254740993}"#
        );
    }
}
