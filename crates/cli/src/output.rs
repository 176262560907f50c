//! Forms of the output.

use crate::input::is_text;
use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Value, json};

/// The format of a report, besides text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON document.
    Json,
    /// The same as YAML.
    Yaml,
}

impl Format {
    /// The text of a report, without a line break at its end.
    ///
    /// # Errors
    /// Never in practice: it is JSON already.
    pub(crate) fn text(self, report: &Value) -> Result<String> {
        Ok(match self {
            Self::Json => serde_json::to_string_pretty(report)?,
            Self::Yaml => yaml(report)?.trim_end().to_owned(),
        })
    }
}

/// How objects are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Output {
    /// YAML documents, one for each object.
    Yaml,
    /// A JSON List.
    Json,
    /// Resource and name of each object.
    Name,
}

impl Output {
    /// The text of some objects.
    ///
    /// # Errors
    /// Never in practice: they are JSON already.
    pub(crate) fn text(self, objects: &[Value]) -> Result<String> {
        Ok(match self {
            Self::Yaml => {
                let texts: Result<Vec<String>> = objects.iter().map(yaml).collect();
                texts?.join("---\n")
            }
            Self::Json => {
                let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
                format!("{}\n", serde_json::to_string_pretty(&list)?)
            }
            Self::Name => objects.iter().map(name).collect(),
        })
    }
}

/// Around a text that needs quotes: two characters for private use.
const QUOTES: [char; 2] = ['\u{E000}', '\u{E001}'];

/// A document that readers of YAML 1.1, such as kubectl, and of 1.2 read alike: `yes`, `on` and `0x1F` get quotes.
///
/// # Errors
/// Never in practice: it is JSON already.
pub(crate) fn yaml(value: &Value) -> Result<String> {
    let text = serde_yaml::to_string(value)?;
    if text.contains(QUOTES) {
        return Ok(text);
    }
    Ok(serde_yaml::to_string(&marked(value))?.replace(QUOTES, "'"))
}

/// The same with marks around each text that is something else without quotes.
fn marked(value: &Value) -> Value {
    let [open, close] = QUOTES;
    let mark = |text: &str| if is_text(text) { text.to_owned() } else { format!("{open}{text}{close}") };
    match value {
        Value::String(text) => Value::String(mark(text)),
        Value::Array(items) => items.iter().map(marked).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (mark(key), marked(value))).collect(),
        other => other.clone(),
    }
}

/// `statefulset.apps/name`, as kubectl prints it.
fn name(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
    format!("{}{group}/{}\n", text("/kind").to_lowercase(), text("/metadata/name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_the_same_in_all_formats() {
        let report = json!({"kind": "PlanReport", "items": [{"name": "on", "pods": 1, "hash": null}]});
        let read: Value = serde_json::from_str(&Format::Json.text(&report).unwrap()).unwrap();
        assert_eq!(read, report);
        let text = Format::Yaml.text(&report).unwrap();
        assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), report, "{text}");
        assert!(!text.ends_with('\n') && text.contains("name: 'on'"), "{text}");
    }

    #[test]
    fn texts_that_kubectl_would_take_for_something_else_have_quotes() {
        let texts = [
            "yes", "y", "off", "~", "", "0400", "1_000", "0x1F", "1e3", "null", "-.inf", "a: b", "it's",
            "\n", "#",
        ];
        let value = json!({"list": texts, "map": {"no": "no", "1": true}, "number": 8, "word": "plain"});
        let text = yaml(&value).unwrap();
        assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), value, "{text}");
        for text_of in [
            "'yes'",
            "'y'",
            "'off'",
            "'no': 'no'",
            "'0400'",
            "'1_000'",
            "'0x1F'",
            "'1e3'",
            "number: 8",
            "word: plain",
        ] {
            assert!(text.contains(text_of), "{text_of}: {text}");
        }
        let odd = json!({"a": "\u{E000}yes"});
        assert_eq!(serde_yaml::from_str::<Value>(&yaml(&odd).unwrap()).unwrap(), odd);
    }
}
