//! Compact and readable YAML: a value that fits on a line is written on one line. A schema nests so deeply that the usual form
//! consists mostly of indentation; this form is less than half as long.

use serde_json::Value;

/// Maximum length of several values that share a line, without the text before them.
const WIDTH: usize = 200;

/// A document.
pub(crate) fn document(value: &Value) -> String {
    lines(value).into_iter().map(|line| line + "\n").collect()
}

/// A value on several lines, not indented.
fn lines(value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let key = scalar(key);
                if let Some(line) = one_line(value) {
                    out.push(format!("{key}: {line}"));
                } else {
                    out.push(format!("{key}:"));
                    out.extend(lines(value).into_iter().map(|line| format!("  {line}")));
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let item = one_line(item).map_or_else(|| lines(item), |line| vec![line]);
                let marks = std::iter::once("- ").chain(std::iter::repeat("  "));
                out.extend(marks.zip(item).map(|(mark, line)| format!("{mark}{line}")));
            }
        }
        other => out.push(flow(other)),
    }
    out
}

/// The value on the rest of a line, if it fits. A string is always on one line.
fn one_line(value: &Value) -> Option<String> {
    let nested =
        value.as_object().is_some_and(|o| !o.is_empty()) || value.as_array().is_some_and(|a| !a.is_empty());
    let text = flow(value);
    (!nested || text.len() <= WIDTH).then_some(text)
}

/// A value in flow style.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(k, v)| format!("{}: {}", scalar(k), flow(v))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A string, quoted unless every reader parses it as a string: a word of letters that no reader takes for a boolean.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'))
        && !["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn written_yaml_reads_back_the_same() {
        let value = json!({
            "a": {"empty": {}, "none": [], "list": [1, -2.5, true, null, "x", [], [[1], {"k": "v"}]]},
            "yes": "no", "0x1": "1e3", "12": "12", "null": "~", "-": "- a", "colon": "a: b # c", "quote": "'\"\\ {{ }}",
            "long": "word ".repeat(60), "lines": "a\nb\n", "snow": "\u{2603}",
            "items": [{"first": {"x": "y".repeat(120)}, "second": ["z".repeat(120), {"k": ["z".repeat(120)]}]}, []],
        });
        let text = document(&value);
        assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), value, "{text}");
    }

    #[test]
    fn short_values_are_on_one_line() {
        let text = document(&json!({"spec": {"names": ["a", "b"], "of": {"type": "string"}}, "kind": "X"}));
        assert_eq!(text, "kind: X\nspec: {names: [a, b], of: {type: string}}\n");
        let wide = document(&json!({"a": [{"b": "c".repeat(WIDTH), "d": 1}]}));
        assert_eq!(wide, format!("a:\n  - b: {}\n    d: 1\n", "c".repeat(WIDTH)));
    }
}
