//! Kinds, and the smallest valid spec of each.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Each kind that has a spec of its own, with its name in URLs.
pub(crate) const KINDS: [(&str, &str); 4] =
    [("Function", "functions"), ("Source", "sources"), ("Sink", "sinks"), ("FunctionMesh", "functionmeshes")];

/// The name of a kind in URLs.
pub(crate) fn plural(kind: &str) -> Result<&'static str> {
    let found = KINDS.iter().find(|(known, _)| *known == kind);
    found.map(|(_, plural)| *plural).with_context(|| format!("kind {kind}"))
}

/// The smallest valid spec of a kind, changed by a merge patch.
pub(crate) fn spec(kind: &str, patch: &Value) -> Value {
    let mut spec = json!({
        "className": "org.Example",
        "input": {"topics": ["in"]},
        "output": {"topic": "out"},
        "pulsar": {"pulsarConfig": "pulsar"},
        "java": {"jar": "/pulsar/a.jar"},
    });
    let own = match kind {
        "Source" => json!({"input": null, "sourceConfig": {"k": "v"}}),
        "Sink" => json!({"output": null, "sinkConfig": {"k": "v"}}),
        _ => json!({}),
    };
    merge(&mut spec, &own);
    merge(&mut spec, patch);
    spec
}

/// Applies a merge patch.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().and_then(|map| map.remove(key));
        } else {
            merge(&mut into[key], value);
        }
    }
}
