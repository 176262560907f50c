//! The documents of a text as kubectl reads them: YAML 1.1 with merge keys, or any number of JSON values.

use super::scalar;
use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Levels of nesting. The controllers read 100 of them.
const DEPTH: usize = 1000;
/// Values that aliases may add up to: a few lines can describe billions.
const VALUES: usize = 1_000_000;

/// All documents of a text that are not empty.
///
/// # Errors
/// When it is neither YAML nor JSON; with the line.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, String> {
    // As kubectl decides; a stream of JSON values is no YAML.
    if text.trim_start().starts_with('{') {
        let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
        if let Ok(values) = values {
            return Ok(values);
        }
    }
    let mut builder = Builder::default();
    let mut documents = Vec::new();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| error.to_string())?;
        let line = span.start.line();
        let document = builder.take(event).map_err(|problem| format!("line {line}: {problem}"))?;
        documents.extend(document.filter(|value| !value.is_null()));
    }
    Ok(documents)
}

/// A collection that has begun.
enum Open {
    Sequence { anchor: usize, values: Vec<Value> },
    Mapping { anchor: usize, values: Map<String, Value>, key: Option<Key> },
}

/// The key whose value comes next.
enum Key {
    Name(String),
    /// `<<`: the entries of other mappings.
    Merge,
}

/// Makes values of events.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Value>,
    aliased: usize,
}

impl Builder {
    /// Takes an event; the value of a document when it ends one.
    fn take(&mut self, event: Event<'_>) -> Result<Option<Value>, String> {
        if self.open.len() > DEPTH {
            return Err(format!("more than {DEPTH} levels of nesting"));
        }
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                return self.scalar(&text, style, anchor, tag.as_deref());
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().ok_or("an alias of itself")?;
                self.aliased += size(&value);
                if self.aliased > VALUES {
                    return Err("aliases describe more than a million values".to_owned());
                }
                return self.value(value);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open::Sequence { anchor, values: Vec::new() });
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(Open::Mapping { anchor, values: Map::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (anchor, value) = match self.open.pop() {
                    Some(Open::Sequence { anchor, values }) => (anchor, Value::Array(values)),
                    Some(Open::Mapping { anchor, values, .. }) => (anchor, Value::Object(values)),
                    None => return Ok(None),
                };
                self.note(anchor, &value);
                return self.value(value);
            }
            _ => {}
        }
        Ok(None)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<Option<Value>, String> {
        let is_plain = style == ScalarStyle::Plain && tag.is_none();
        if is_plain
            && text == "<<"
            && let Some(Open::Mapping { key: key @ None, .. }) = self.open.last_mut()
        {
            *key = Some(Key::Merge);
            return Ok(None);
        }
        let value = match tag {
            Some(tag) => {
                let type_ = tag.suffix_in_namespace("tag:yaml.org,2002:");
                scalar::tagged(text, type_.as_deref().unwrap_or_default())?
            }
            None if is_plain => scalar::plain(text)?,
            None => Value::String(text.to_owned()),
        };
        self.note(anchor, &value);
        self.value(value)
    }

    /// Puts a value where it belongs; it is the document when nothing is open.
    fn value(&mut self, value: Value) -> Result<Option<Value>, String> {
        match self.open.last_mut() {
            None => return Ok(Some(value)),
            Some(Open::Sequence { values, .. }) => values.push(value),
            Some(Open::Mapping { values, key, .. }) => match key.take() {
                None => *key = Some(Key::Name(name(value)?)),
                Some(Key::Name(name)) => {
                    // The last one counts, as in a cluster.
                    values.insert(name, value);
                }
                Some(Key::Merge) => merge(values, value)?,
            },
        }
        Ok(None)
    }

    fn note(&mut self, anchor: usize, value: &Value) {
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
    }
}

/// The name of a field: numbers and truth values are names as well, `on:` is the field `true`.
fn name(key: Value) -> Result<String, String> {
    match key {
        Value::String(name) => Ok(name),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err("a key is missing".to_owned()),
        Value::Array(_) | Value::Object(_) => Err("a key is a list or a map".to_owned()),
    }
}

/// The entries of one mapping, or of several, of which the first has precedence.
fn merge(into: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    match value {
        Value::Object(entries) => into.extend(entries),
        Value::Array(list) => {
            for entries in list.into_iter().rev() {
                let Value::Object(entries) = entries else {
                    return Err("map merge requires map or sequence of maps as the value".to_owned());
                };
                into.extend(entries);
            }
        }
        _ => return Err("map merge requires map or sequence of maps as the value".to_owned()),
    }
    Ok(())
}

/// How many values there are.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(values) => values.values().map(size).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_of_every_kind() {
        let text = "a: 1\n---\n# nothing\n---\nb: [yes, 'yes', 0x10]\non: {2: two}\n";
        let expected = vec![json!({"a": 1}), json!({"b": [true, "yes", 16], "true": {"2": "two"}})];
        assert_eq!(documents(text), Ok(expected));
        assert_eq!(documents("{\"a\": 1}\n{\"b\": 2}"), Ok(vec![json!({"a": 1}), json!({"b": 2})]));
        // A flow mapping of YAML is no JSON.
        assert_eq!(documents("{a: 1}"), Ok(vec![json!({"a": 1})]));
        assert_eq!(documents(""), Ok(vec![]));
        assert_eq!(documents("a: |\n  x\n  y\n"), Ok(vec![json!({"a": "x\ny\n"})]));
    }

    #[test]
    fn anchors_and_merge_keys() {
        let text =
            "base: &b {p: 1, q: 1}\nother: &o {q: 2, r: 2}\none: {<<: *b, p: 3}\ntwo: {<<: [*b, *o]}\n";
        let all = documents(text).unwrap_or_default();
        assert_eq!(all[0]["one"], json!({"p": 3, "q": 1}));
        assert_eq!(all[0]["two"], json!({"p": 1, "q": 1, "r": 2}));
        assert!(documents("a: {<<: 1}").is_err());
        // Quoted it is a name.
        assert_eq!(documents("a: {'<<': 1}"), Ok(vec![json!({"a": {"<<": 1}})]));
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let error = documents("a: 1\nb: .nan\n").unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
        assert!(documents("a: [").is_err());
        assert!(documents("a: *b").is_err());
        assert!(documents("? [a]\n: b\n").is_err());
        assert!(documents(&format!("{}{}", "[".repeat(2000), "]".repeat(2000))).is_err());
        let level = |i: usize| {
            let aliases = vec![format!("*a{}", i - 1); 10];
            format!("a{i}: &a{i} [{}]\n", aliases.join(", "))
        };
        let laughs: String = (1..12).map(level).collect();
        let laughs = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{laughs}");
        assert!(documents(&laughs).is_err());
    }
}
