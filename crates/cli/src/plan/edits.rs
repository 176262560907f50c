//! Which fields of an object an apply changes: the reason for a restart in the user's own terms.

use serde_json::Value;

/// Fields that hold neither credentials nor data of the user: their texts are shown. Of all others only the name is.
const SHOWN: [&str; 22] = [
    "image",
    "className",
    "clusterName",
    "tenant",
    "namespace",
    "name",
    "topics",
    "topic",
    "topicPattern",
    "typeClassName",
    "subscriptionName",
    "subscriptionPosition",
    "processingGuarantee",
    "logTopic",
    "deadLetterTopic",
    "jar",
    "py",
    "go",
    "pulsarConfig",
    "imagePullPolicy",
    "cpu",
    "memory",
];
/// Below these nothing is shown, whatever it is.
const HIDDEN: [&str; 9] = [
    "env",
    "funcConfig",
    "userConfig",
    "sourceConfig",
    "sinkConfig",
    "secretsMap",
    "authConfig",
    "tlsConfig",
    "annotations",
];

/// The changed fields, as `spec.java.jar: "/a.jar" -> "/b.jar"`.
pub(crate) fn edits(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let spec = |object: &Value| object.get("spec").cloned().unwrap_or_default();
    walk("spec", "spec", false, Some(&spec(before)), Some(&spec(after)), &mut found);
    found
}

fn walk(
    path: &str,
    name: &str,
    hidden: bool,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<String>,
) {
    let hidden = hidden || HIDDEN.contains(&name);
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                walk(&format!("{path}.{key}"), key, hidden, old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() && !is_plain(old) => {
            for (i, (old, new)) in old.iter().zip(new).enumerate() {
                walk(&format!("{path}[{i}]"), name, hidden, Some(old), Some(new), found);
            }
        }
        (None, _) => found.push(format!("{path} added{}", shown(": ", name, hidden, after))),
        (_, None) => found.push(format!("{path} removed")),
        _ => {
            let (old, new) = (shown("", name, hidden, before), shown("", name, hidden, after));
            found.push(if old.is_empty() || new.is_empty() {
                format!("{path} changed")
            } else {
                format!("{path}: {old} -> {new}")
            });
        }
    }
}

fn is_plain(list: &[Value]) -> bool {
    list.iter().all(|item| !item.is_object() && !item.is_array())
}

/// A value that anybody may see, with a text before it; nothing for any other.
fn shown(before: &str, name: &str, hidden: bool, value: Option<&Value>) -> String {
    let text = |value: &Value| SHOWN.contains(&name) && value.is_string();
    let is_harmless = |value: &Value| match value {
        Value::Number(_) | Value::Bool(_) => true,
        Value::Array(list) => list.iter().all(text),
        value => text(value),
    };
    match value {
        Some(value) if !hidden && is_harmless(value) => format!("{before}{value}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_named_and_secrets_are_not_shown() {
        let before = json!({"spec": {"java": {"jar": "/a.jar", "jarLocation": "https://u:canary@h/a"}, "replicas": 1,
            "funcConfig": {"image": "canary"}, "input": {"topics": ["a"]}, "pod": {"env": [{"name": "A", "value": "canary"}]}}});
        let after = json!({"spec": {"java": {"jar": "/b.jar", "jarLocation": "https://u:canary2@h/a"}, "replicas": 2,
            "funcConfig": {"image": "canary3", "n": 5}, "input": {"topics": ["a", "b"]}, "logTopic": "l",
            "pod": {"env": [{"name": "A", "value": "canary4"}]}}});
        let mut found = edits(&before, &after);
        found.sort();
        assert_eq!(
            found,
            [
                "spec.funcConfig.image changed",
                "spec.funcConfig.n added",
                "spec.input.topics: [\"a\"] -> [\"a\",\"b\"]",
                "spec.java.jar: \"/a.jar\" -> \"/b.jar\"",
                "spec.java.jarLocation changed",
                "spec.logTopic added: \"l\"",
                "spec.pod.env[0].value changed",
                "spec.replicas: 1 -> 2",
            ]
        );
        assert!(!found.join(" ").contains("canary"));
    }

    #[test]
    fn what_is_equal_is_no_edit() {
        let object = json!({"spec": {"a": [1, {"b": 2}]}});
        assert!(edits(&object, &object).is_empty());
    }
}
