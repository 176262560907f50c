//! Conditions that a server-side apply leaves behind.
//!
//! A condition that is present only while it is true is removed by an apply without it, if its field manager is the only owner.
//! It is not removed if the API server lost the list of owners: it drops `metadata.managedFields` when it writes an object whose
//! stored status does not match the schema, such as one with the Go operator's map of conditions, and gives all fields
//! to `before-first-apply` at the next apply.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize;
use serde_json::{Value, json};

/// The part of the response to a status write that is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answered {
    conditions: Vec<Value>,
}

impl Answered {
    /// A JSON patch that removes the operator's stored conditions that are not in the applied status; none if all of them are
    /// gone. `version` is the resource version of the response.
    pub(crate) fn stale(
        &self,
        stored: &[Condition],
        applied: &Value,
        version: Option<&str>,
    ) -> Option<Value> {
        let applied: Vec<&str> =
            types(applied.get("conditions").and_then(Value::as_array).into_iter().flatten());
        let is_stale = |type_: &str| stored.iter().any(|c| c.type_ == type_) && !applied.contains(&type_);
        let found: Vec<usize> = types(&self.conditions)
            .into_iter()
            .enumerate()
            .filter(|(_, type_)| is_stale(type_))
            .map(|(index, _)| index)
            .collect();
        let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
        // From the end, so that the indices of the others do not change.
        let remove = |index: &usize| json!({"op": "remove", "path": format!("/status/conditions/{index}")});
        (!found.is_empty()).then(|| std::iter::once(test).chain(found.iter().rev().map(remove)).collect())
    }
}

fn types<'a>(conditions: impl IntoIterator<Item = &'a Value>) -> Vec<&'a str> {
    let type_ = |condition: &'a Value| condition.get("type").and_then(Value::as_str).unwrap_or_default();
    conditions.into_iter().map(type_).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_condition_that_is_no_longer_applied_is_removed_and_those_of_others_stay() {
        let stored = |types: &[&str]| -> Vec<Condition> {
            let condition = |type_: &&str| {
                json!({"type": type_, "status": "True", "reason": "R", "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z"})
            };
            serde_json::from_value(types.iter().map(condition).collect()).unwrap()
        };
        let answered = || -> Answered {
            let types = ["Ready", "Reconciling", "Theirs"].map(|type_| json!({"type": type_}));
            serde_json::from_value(json!({"conditions": types, "replicas": 1})).unwrap()
        };
        let applied = json!({"conditions": [{"type": "Ready"}]});
        let stale = answered().stale(&stored(&["Ready", "Reconciling"]), &applied, Some("7"));
        let patch = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "remove", "path": "/status/conditions/1"},
        ]);
        assert_eq!(stale, Some(patch));
        assert_eq!(answered().stale(&stored(&["Ready"]), &applied, Some("7")), None);
        assert_eq!(Answered::default().stale(&stored(&["Reconciling"]), &applied, None), None);
    }
}
