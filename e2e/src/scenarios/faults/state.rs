//! The state that has to be equal in two runs of a scenario.

use crate::testing::audit::Audit;
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An object without everything that differs between any two runs: uids, times, versions, hashes of them, and field owners.
/// `names` are strings that differ, with their replacements.
pub(super) fn normal(object: &Value, names: &[(String, &str)]) -> Value {
    let mut text = object.to_string();
    for (name, word) in names.iter().filter(|(name, _)| !name.is_empty()) {
        text = text.replace(name, word);
    }
    let object: Value = serde_json::from_str(&text).unwrap_or_default();
    let part = |path: &str| object.pointer(path).cloned().unwrap_or_default();
    // Their values are hashes that include the uid.
    let annotations: Vec<String> = part("/metadata/annotations")
        .as_object()
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default();
    let conditions = part("/status/conditions");
    let conditions: Vec<Value> = conditions
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| json!([c.get("type"), c.get("status"), c.get("reason"), c.get("observedGeneration")]))
        .collect();
    json!({
        "kind": part("/kind"), "name": part("/metadata/name"), "generation": part("/metadata/generation"),
        "labels": part("/metadata/labels"), "annotations": annotations,
        "owners": part("/metadata/ownerReferences"), "finalizers": part("/metadata/finalizers"),
        "deleting": !part("/metadata/deletionTimestamp").is_null(), "spec": part("/spec"), "conditions": conditions,
        "replicas": [part("/status/replicas"), part("/status/readyReplicas")],
    })
}

/// Whether two states are equal; the error names the difference.
///
/// # Errors
/// When they differ.
pub(super) fn equal(found: &Value, wanted: &Value) -> Result<()> {
    let mut differences = Vec::new();
    differ("", found, wanted, &mut differences);
    if differences.is_empty() { Ok(()) } else { bail!("{}", differences.join("; ")) }
}

fn differ(path: &str, found: &Value, wanted: &Value, differences: &mut Vec<String>) {
    let none = Map::new();
    match (found, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key), b.get(key));
                let none = Value::Null;
                differ(&format!("{path}/{key}"), a.unwrap_or(&none), b.unwrap_or(&none), differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differ(&format!("{path}/{index}"), a, b, differences);
            }
        }
        (Value::Null, Value::Object(b)) if *b == none => {}
        _ if found == wanted => {}
        _ => differences.push(format!("{path}: {found} instead of {wanted}")),
    }
}

/// Objects that were created and deleted, with the number of times. Server-side apply returns 201 if it created an object.
pub(super) fn made(audit: &Audit) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for request in audit.requests().iter().filter(|r| r.is_write()) {
        let verb = match (request.verb.as_str(), request.code()) {
            (_, 201) => "made",
            ("delete", 200..=299) => "deleted",
            _ => continue,
        };
        *made.entry(format!("{verb} {} {}", request.resource(), request.name())).or_default() += 1;
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_any_two_runs_is_left_out() {
        let object = |uid: &str, namespace: &str, image: &str| {
            let object = json!({
                "kind": "StatefulSet",
                "metadata": {"name": "f-function", "uid": "x", "resourceVersion": uid, "generation": 1,
                    "annotations": {"hash": uid}, "ownerReferences": [{"uid": uid}]},
                "spec": {"command": format!("--id {uid} --ns {namespace}"), "image": image},
            });
            normal(&object, &[(uid.to_owned(), "UID"), (namespace.to_owned(), "NS")])
        };
        let first = object("1234", "ns-a", "a");
        assert!(equal(&first, &object("5678", "ns-b", "a")).is_ok());
        let error = equal(&object("5678", "ns-b", "b"), &first).unwrap_err().to_string();
        assert_eq!(error, "/spec/image: \"b\" instead of \"a\"");
    }
}
