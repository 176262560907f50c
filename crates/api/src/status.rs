//! What the controllers report.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// Status of a Function, Source or Sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ComponentStatus {
    /// Generation of the object that the rest speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of pods wanted, as the scale subresource reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Number of pods that have been ready for a while (available).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Number of those that run the newest template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_replicas: Option<i32>,
    /// Selector of the pods, as the scale subresource reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// What the controller last wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<StatefulSetStatusRef>,
    /// Ready, Progressing.
    pub conditions: Conditions,
}

/// The StatefulSet as the controller left it. With it a foreign edit is seen without reading anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatefulSetStatusRef {
    /// Its generation after the last write.
    pub generation: i64,
    /// Hash of what was rendered.
    pub rendered_hash: String,
}

/// Status of a FunctionMesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshStatus {
    /// Generation of the object that the rest speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<i32>,
    /// Number of components that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_components: Option<i32>,
    /// Ready, Progressing.
    pub conditions: Conditions,
}

/// Status of a BackendConfig: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackendConfigStatus {}

/// The standard list of conditions. Reads the original's map of conditions as well, as an empty list that
/// [`Conditions::is_legacy`]: server-side apply fails on an object that stores the map, so the first status write has
/// to be a merge patch (design section 3).
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Conditions {
    list: Vec<Condition>,
    #[serde(skip)]
    legacy: bool,
}

impl Conditions {
    /// The conditions.
    pub fn list(&self) -> &[Condition] {
        &self.list
    }

    /// The condition of a type.
    pub fn get(&self, type_: &str) -> Option<&Condition> {
        self.list.iter().find(|c| c.type_ == type_)
    }

    /// Whether the original's map is stored.
    pub fn is_legacy(&self) -> bool {
        self.legacy
    }
}

impl From<Vec<Condition>> for Conditions {
    fn from(list: Vec<Condition>) -> Self {
        Self { list, legacy: false }
    }
}

/// Where the conditions were read from does not matter.
impl PartialEq for Conditions {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(from)? {
            Value::Array(items) => {
                items.into_iter().filter_map(|c| serde_json::from_value(c).ok()).collect::<Vec<_>>().into()
            }
            Value::Object(_) => Self { list: Vec::new(), legacy: true },
            _ => Self::default(),
        })
    }
}

impl JsonSchema for Conditions {
    fn schema_name() -> Cow<'static, str> {
        "Conditions".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Vec::<Condition>::json_schema(generator);
        schema.insert("x-kubernetes-list-type".to_owned(), "map".into());
        schema.insert("x-kubernetes-list-map-keys".to_owned(), serde_json::json!(["type"]));
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_original_s_map_of_conditions_is_read_as_an_empty_list() {
        let old = json!({"conditions": {"StatefulSet": {"condition": "StatefulSetReady", "status": "True",
            "action": "NoAction"}}, "replicas": 1, "selector": "a=b", "pendingChange": "{}"});
        let status: ComponentStatus = serde_json::from_value(old).unwrap();
        assert!(status.conditions.is_legacy());
        assert_eq!((status.replicas, status.conditions.list().len()), (Some(1), 0));
        let mesh: MeshStatus =
            serde_json::from_value(json!({"functionConditions": {"a": {}}, "condition": {"status": "True"}}))
                .unwrap();
        assert!(!mesh.conditions.is_legacy());
    }

    #[test]
    fn the_list_survives() {
        let list = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "X", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}]});
        let status: ComponentStatus = serde_json::from_value(list.clone()).unwrap();
        assert!(!status.conditions.is_legacy());
        assert_eq!(serde_json::to_value(&status).unwrap(), list);
        let empty: ComponentStatus = serde_json::from_value(json!({"conditions": null})).unwrap();
        assert!(!empty.conditions.is_legacy());
    }
}
