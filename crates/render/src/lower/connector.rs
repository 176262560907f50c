//! Connectors inside a Function: what it reads from or writes to instead of topics.

use crate::text::go_json;
use functionmesh_api::FreeForm;
use serde_json::{Map, Value};

/// What a connector contributes to the `source` or `sink` message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Connector {
    pub(crate) class_name: String,
    pub(crate) builtin: String,
    /// JSON text of the configuration.
    pub(crate) configs: Option<String>,
}

/// Keys of the configuration that describe the connector itself.
const ABOUT: &[&str] = &["archive", "builtin", "className", "typeClassName", "configs"];

/// Reads a connector: its fields take precedence over the keys of its configuration. `type_key` is added to the
/// configuration of a built-in sink, which expects it there.
pub(crate) fn connector(
    type_: Option<&String>,
    class_name: Option<&String>,
    configs: Option<&FreeForm>,
    type_key: Option<&str>,
) -> Connector {
    let empty = Map::new();
    let given = configs.map_or(&empty, |configs| &configs.0);
    let field = |value: Option<&String>| value.filter(|text| !text.is_empty()).cloned();
    let key =
        |name: &str| given.get(name).filter(|value| !value.is_null()).map(go_text).filter(|t| !t.is_empty());
    let archive = || key("archive").map(|a| a.strip_prefix("builtin://").map(str::to_owned).unwrap_or(a));
    let builtin = field(type_).or_else(|| key("builtin")).or_else(archive).unwrap_or_default();

    let mut merged = match given.get("configs") {
        Some(Value::Object(nested)) => nested.clone(),
        _ => Map::new(),
    };
    let own = given.iter().filter(|(key, value)| !value.is_null() && !ABOUT.contains(&key.as_str()));
    merged.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    if let Some(type_key) = type_key.filter(|_| !builtin.is_empty()) {
        merged.entry(type_key).or_insert_with(|| builtin.clone().into());
    }
    let configs =
        if merged.is_empty() { configs.map(|c| go_json::object(c)) } else { Some(go_json::object(&merged)) };
    Connector {
        class_name: field(class_name).or_else(|| key("className")).unwrap_or_default(),
        builtin,
        configs,
    }
}

/// A value as Go's `%v` prints it, for a string that the user wrote as another type.
fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(b) => b.to_string(),
        // Doubles cannot represent larger integers exactly.
        Value::Number(n) if n.as_i64().is_some_and(|n| n.unsigned_abs() > 1 << 53) => n.to_string(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), go_json::general),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(go_text).collect::<Vec<_>>().join(" "))
        }
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries: Vec<String> =
                entries.into_iter().map(|(key, value)| format!("{key}:{}", go_text(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(type_: Option<&str>, configs: Value, type_key: Option<&str>) -> Connector {
        let configs: FreeForm = serde_json::from_value(configs).unwrap();
        connector(type_.map(str::to_owned).as_ref(), None, Some(&configs), type_key)
    }

    #[test]
    fn fields_count_before_keys_and_nested_configuration_is_flattened() {
        let source = read(
            Some("kinesis"),
            json!({"k1": "v", "className": "C", "archive": "builtin://ignored", "configs": {"deep": 1}, "n": null}),
            None,
        );
        let configs = Some(r#"{"deep":1,"k1":"v"}"#.to_owned());
        assert_eq!(source, Connector { class_name: "C".to_owned(), builtin: "kinesis".to_owned(), configs });
        let sink = read(Some("kafka"), json!({"configs": {"acks": "all"}}), Some("sinkType"));
        assert_eq!(sink.configs.as_deref(), Some(r#"{"acks":"all","sinkType":"kafka"}"#));
        assert_eq!(read(None, json!({"archive": "builtin://es"}), None).builtin, "es");
    }

    #[test]
    fn an_empty_configuration_stays_what_it_was() {
        assert_eq!(
            read(None, json!({"className": "C"}), None).configs.as_deref(),
            Some(r#"{"className":"C"}"#)
        );
        assert_eq!(read(None, json!({}), None).configs.as_deref(), Some("{}"));
        assert_eq!(connector(None, None, None, None), Connector::default());
    }

    #[test]
    fn other_values_than_text_are_printed_as_go_does() {
        for (value, text) in [
            (json!(true), "true"),
            (json!(7), "7"),
            (json!(1_000_000), "1e+06"),
            (json!(9_007_199_254_740_993_i64), "9007199254740993"),
            (json!([1, "a"]), "[1 a]"),
            (json!({"b": 1, "a": null}), "map[a:<nil> b:1]"),
        ] {
            assert_eq!(go_text(&value), text);
        }
    }
}
