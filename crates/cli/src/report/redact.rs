//! Objects and logs without what nobody else may read.
//!
//! Three layers: values in places that hold user data are removed; every other text passes the redaction of the operator
//! ([`functionmesh_plan::health::redaction`]); and what was removed is also removed where it appears in a log or an Event.

use aho_corasick::AhoCorasick;
use functionmesh_api::constants::GROUP;
use functionmesh_plan::health::redaction::redacted;
use serde_json::Value;
use std::collections::BTreeSet;

/// What takes the place of a value.
const REMOVED: &str = "<removed>";
/// Shorter values are removed where they are, but not searched for in logs: `true` or `8080` would be everywhere.
const SHORTEST: usize = 6;

/// Fields below which every value is removed: configuration of programs, connectors and plugins, and data.
const FREE: [&str; 18] = [
    "authConfig",
    "batchSourceConfig",
    "binaryData",
    "cleanupAuthConfig",
    "consumerProperties",
    "cryptoConfig",
    "cryptoKeyReaderConfig",
    "customRuntimeOptions",
    "data",
    "discoveryTriggererConfig",
    "funcConfig",
    "runtimeFlags",
    "schemaProperties",
    "sinkConfig",
    "sourceConfig",
    "stringData",
    "userConfig",
    "windowConfig",
];
/// Fields whose texts are removed: they carry the configuration once more.
const WORDS: [&str; 3] = ["args", "command", "javaOpts"];

/// Removes values, and remembers them.
#[derive(Default)]
pub(crate) struct Redaction {
    removed: BTreeSet<String>,
}

impl Redaction {
    /// An object for a report. The command lines of controllers are kept: their flags are what a report is about.
    pub(crate) fn object(&mut self, mut object: Value, is_controller: bool) -> Value {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        // A ControllerRevision has the pod template once more; the StatefulSet has the newest, redacted with care.
        if object.get("kind").is_some_and(|kind| kind == "ControllerRevision")
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("data");
        }
        self.walk("", &mut object, is_controller);
        object
    }

    fn walk(&mut self, field: &str, value: &mut Value, is_controller: bool) {
        if FREE.contains(&field) || (WORDS.contains(&field) && !is_controller) {
            return self.remove(value);
        }
        match (field, &mut *value) {
            ("env", Value::Array(variables)) => {
                for variable in variables {
                    if let Some(value) = variable.get_mut("value") {
                        self.remove(value);
                    }
                }
            }
            // That of a BackendConfig is a map.
            ("env", Value::Object(variables)) => variables.values_mut().for_each(|value| self.remove(value)),
            ("httpHeaders", Value::Array(headers)) => {
                for value in headers.iter_mut().filter_map(|header| header.get_mut("value")) {
                    self.remove(value);
                }
            }
            ("annotations", Value::Object(annotations)) => {
                for (key, value) in annotations {
                    if is_known(key) { self.walk("", value, is_controller) } else { self.remove(value) }
                }
            }
            (_, Value::Object(fields)) => {
                for (name, value) in fields {
                    self.walk(name, value, is_controller);
                }
            }
            (_, Value::Array(items)) => {
                for item in items {
                    self.walk("", item, is_controller);
                }
            }
            (_, Value::String(text)) => {
                let without = redacted(text);
                if without != *text {
                    self.remember_parts(text, &without);
                    *text = without;
                }
            }
            _ => {}
        }
    }

    /// Removes every value below, and keeps the names.
    fn remove(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|value| self.remove(value)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.remove(item)),
            Value::Null | Value::Bool(_) => {}
            Value::String(text) => {
                if text.len() >= SHORTEST && !text.contains('\n') {
                    self.removed.insert(std::mem::take(text));
                }
                *value = Value::from(REMOVED);
            }
            Value::Number(_) => *value = Value::from(REMOVED),
        }
    }

    /// Remembers what the redaction replaced in a text: what is between the parts that stayed.
    fn remember_parts(&mut self, text: &str, without: &str) {
        let mut rest = text;
        let mut parts = without.split("<redacted>");
        rest = parts.next().and_then(|first| rest.strip_prefix(first)).unwrap_or_default();
        for part in parts {
            let end = if part.is_empty() { rest.len() } else { rest.find(part).unwrap_or(rest.len()) };
            let (secret, after) = rest.split_at(end);
            if secret.len() >= SHORTEST && !secret.contains('\n') {
                self.removed.insert(secret.to_owned());
            }
            rest = after.strip_prefix(part).unwrap_or_default();
        }
    }

    /// What cleans texts that quote objects, such as logs; made once every object has been seen.
    pub(crate) fn cleaner(&self) -> Cleaner {
        // A longer value is removed as a whole, though a shorter one is a part of it.
        let values: Vec<String> = self.removed.iter().cloned().collect();
        let search =
            AhoCorasick::builder().match_kind(aho_corasick::MatchKind::LeftmostLongest).build(&values);
        Cleaner { search: search.ok().filter(|_| !values.is_empty()), values }
    }
}

/// Whether the values of an annotation are of Kubernetes or of this operator, and no copy of the object.
fn is_known(key: &str) -> bool {
    let domain = key.split('/').next().unwrap_or_default();
    let is_kubernetes = ["kubernetes.io", "k8s.io", "helm.sh"]
        .iter()
        .any(|known| domain == *known || domain.ends_with(&format!(".{known}")));
    (domain == GROUP || is_kubernetes) && !key.ends_with("/last-applied-configuration")
}

/// Removes from texts what was removed from objects.
pub(crate) struct Cleaner {
    values: Vec<String>,
    search: Option<AhoCorasick>,
}

impl Cleaner {
    /// A text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let text = redacted(text);
        let Some(search) = &self.search else { return text };
        let mut cleaned = String::with_capacity(text.len());
        let mut from = 0;
        for found in search.find_iter(&text) {
            let value = self.values.get(found.pattern().as_usize()).map_or("", String::as_str);
            let (before, after) = (text.get(..found.start()), text.get(found.end()..));
            let is_inside = before.is_some_and(|text| text.ends_with(char::is_alphanumeric))
                || after.is_some_and(|text| text.starts_with(char::is_alphanumeric));
            if is_inside && is_plain(value) {
                continue;
            }
            cleaned.push_str(text.get(from..found.start()).unwrap_or_default());
            cleaned.push_str(REMOVED);
            from = found.end();
        }
        cleaned.push_str(text.get(from..).unwrap_or_default());
        cleaned
    }

    /// What the cluster says in an object, such as its status or the message of an Event, and the command lines that were kept:
    /// they may quote a value.
    pub(crate) fn object(&self, value: &mut Value) {
        self.quotes(value);
        for containers in ["/spec/template/spec/containers", "/spec/containers"] {
            let containers = value.pointer_mut(containers).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                for field in WORDS {
                    if let Some(words) = container.get_mut(field) {
                        self.quotes(words);
                    }
                }
            }
        }
    }

    fn quotes(&self, value: &mut Value) {
        // Names of objects are no secrets, and a report without them says nothing.
        const LEFT: [&str; 6] = ["metadata", "spec", "name", "namespace", "kind", "apiVersion"];
        match value {
            Value::Object(fields) => {
                let open = fields.iter_mut().filter(|(name, _)| !LEFT.contains(&name.as_str()));
                open.for_each(|(_, value)| self.quotes(value));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.quotes(item)),
            Value::String(text) => *text = self.text(text),
            _ => {}
        }
    }
}

/// Whether a value looks like a word or a path, of which a longer one is another: `default` is not meant in `defaults`.
fn is_plain(value: &str) -> bool {
    !value.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CANARY: &str = "c4n4ry-x7";

    #[test]
    fn a_canary_in_any_place_is_removed_and_names_stay() {
        let url = format!("https://user:{CANARY}@example.com/a.jar");
        let object = json!({
            "kind": "Function",
            "metadata": {"name": "f", "managedFields": [{"manager": CANARY}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": format!("{{\"x\": \"{CANARY}\"}}"),
                    "example.com/note": CANARY, "compute.functionmesh.io/pause-rollout": "true"}},
            "spec": {"funcConfig": {"DB_PASSWORD": CANARY, "nested": [{"a": CANARY}]}, "image": "example.com/image:1",
                "java": {"jarLocation": url, "javaOpts": [format!("-Dx={CANARY}")]},
                "pulsar": {"authConfig": {"genericAuth": {"clientAuthenticationParameters": CANARY}}},
                "pod": {"env": [{"name": "A", "value": CANARY}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                    "liveness": {"httpHeaders": [{"name": "Authorization", "value": CANARY}]}},
                "env": {"FROM_CONFIG": CANARY}},
            "template": {"containers": [{"command": ["sh", "-c", CANARY], "args": [CANARY]}]},
            "status": {"message": format!("login with password={CANARY} failed")},
        });
        let mut redaction = Redaction::default();
        let found = redaction.object(object, false);
        let text = found.to_string();
        assert!(!text.contains(CANARY), "{text}");
        for kept in [
            "DB_PASSWORD",
            "example.com/image:1",
            "FROM_CONFIG",
            "\"key\":\"k\"",
            "pause-rollout\":\"true\"",
            "example.com/a.jar",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(!text.contains("managedFields"));
        // It has been seen, so it is found without its context as well.
        let cleaner = redaction.cleaner();
        assert_eq!(cleaner.text(&format!("connecting with {CANARY}.")), "connecting with <removed>.");
        let mut event = json!({"message": format!("said {CANARY}"), "involvedObject": {"name": CANARY}});
        cleaner.object(&mut event);
        assert_eq!(event, json!({"message": "said <removed>", "involvedObject": {"name": CANARY}}));
    }

    #[test]
    fn what_is_cut_out_of_a_text_is_remembered() {
        let mut redaction = Redaction::default();
        let object = json!({"jarLocation": format!("https://user:{CANARY}@h/a")});
        assert_eq!(redaction.object(object, false), json!({"jarLocation": "https://<redacted>@h/a"}));
        assert_eq!(redaction.cleaner().text(&format!("user:{CANARY} denied")), "<removed> denied");
    }

    #[test]
    fn a_revision_keeps_its_number_only() {
        let object = json!({"kind": "ControllerRevision", "revision": 3,
            "data": {"spec": {"template": {"spec": {"containers": [{"image": "example.com/image:1"}]}}}}});
        let mut redaction = Redaction::default();
        assert_eq!(redaction.object(object, false), json!({"kind": "ControllerRevision", "revision": 3}));
        assert_eq!(redaction.cleaner().text("pulling example.com/image:1"), "pulling example.com/image:1");
    }

    #[test]
    fn a_controller_keeps_its_flags() {
        let object = json!({"spec": {"containers": [{"args": ["--watched-namespace=demo", "--x-token=c4n4ry"],
            "env": [{"name": "A", "value": "c4n4ry"}]}]}});
        let text = Redaction::default().object(object, true).to_string();
        assert!(text.contains("--watched-namespace=demo") && !text.contains("c4n4ry"), "{text}");
    }

    #[test]
    fn a_word_is_removed_as_a_word_and_a_secret_everywhere() {
        let mut redaction = Redaction::default();
        redaction.object(json!({"env": [{"value": "function"}, {"value": "Xy12Zt"}]}), false);
        let text = redaction.cleaner().text("a function, functions, aXy12Ztb");
        assert_eq!(text, "a <removed>, functions, a<removed>b");
    }

    #[test]
    fn without_values_texts_are_as_they_were() {
        assert_eq!(Redaction::default().cleaner().text("a b"), "a b");
    }
}
