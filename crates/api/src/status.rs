//! The status of the kinds.
//!
//! Reading a status never fails, whatever controller wrote it: invalid content is read as absent, and the fields of the
//! Go operator that have no successor are ignored.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// The `observedGeneration` of an object that no controller has seen: it differs from every generation. Without it, tools
/// that wait take an object that has no status for one that is finished (kstatus: "Resource is current").
pub const NOT_OBSERVED: i64 = -1;

/// Status of a Function, Source or Sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Generation of the object that the rest of the status describes.
    #[serde(default, deserialize_with = "observed", skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Desired number of pods, reported by the scale subresource.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Number of available pods: ready for the StatefulSet's `minReadySeconds`.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Number of pods with the newest pod template.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub updated_replicas: Option<i32>,
    /// Label selector of the pods, as comma-separated `key=value` pairs, reported by the scale subresource.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// What the controller last applied, by which it detects edits of the StatefulSet without reading it.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<StatefulSetStatusRef>,
    /// Kinds of the object's autoscalers, by which the controller finds one to delete even if it lost its label.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub autoscalers: Option<Vec<String>>,
    /// The standard conditions `Ready` and `Progressing`, with a reason and a message.
    #[serde(default)]
    pub conditions: Conditions,
}

/// The StatefulSet as the controller left it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatefulSetStatusRef {
    /// Its generation after the controller's last write.
    pub generation: i64,
    /// Hash of the rendered StatefulSet.
    pub rendered_hash: String,
    /// Hash of the spec that it was rendered from, without the scaling fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub inputs_hash: Option<String>,
    /// Hash of the pending rendering that waits for approval. Set the annotation
    /// `compute.functionmesh.io/approve-update` to this value to approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub pending_hash: Option<String>,
    /// Hash of the list of fields that the controller owns. While it is unchanged, others have only added fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub fields_hash: Option<String>,
}

/// Status of a FunctionMesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshStatus {
    /// Generation of the object that the rest of the status describes.
    #[serde(default, deserialize_with = "observed", skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of components.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub components: Option<i32>,
    /// Number of components that are ready.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub ready_components: Option<i32>,
    /// The standard conditions `Ready` and `Progressing`, with a reason and a message.
    #[serde(default)]
    pub conditions: Conditions,
}

/// Status of a BackendConfig: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackendConfigStatus {}

/// Reads the observed generation; [`NOT_OBSERVED`] is read as none.
fn observed<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(lenient(from)?.filter(|generation| *generation > NOT_OBSERVED))
}

/// Reads a field of a status; invalid content is read as absent.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).ok())
}

/// The standard list of conditions. Reads the Go operator's map of conditions as well, as an empty list that
/// [`Conditions::is_legacy`]: server-side apply fails on an object that stores the map, so the first status write has
/// to be a merge patch.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Conditions {
    list: Vec<Condition>,
    #[serde(skip)]
    legacy: bool,
}

impl Conditions {
    /// The conditions, ordered as they were stored.
    pub fn list(&self) -> &[Condition] {
        &self.list
    }

    /// The condition of a type.
    pub fn get(&self, type_: &str) -> Option<&Condition> {
        self.list.iter().find(|c| c.type_ == type_)
    }

    /// The list with only some of the conditions.
    #[must_use]
    pub fn with(&self, list: Vec<Condition>) -> Self {
        Self { list, legacy: self.legacy }
    }

    /// Whether the Go operator's map is stored.
    pub fn is_legacy(&self) -> bool {
        self.legacy
    }
}

impl From<Vec<Condition>> for Conditions {
    fn from(mut list: Vec<Condition>) -> Self {
        // The vector has grown, and would keep spare capacity as long as the object.
        list.shrink_to_fit();
        Self { list, legacy: false }
    }
}

/// Two lists are equal regardless of the form in which they were stored.
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
    fn the_go_operator_s_map_of_conditions_is_read_as_an_empty_list() {
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

    #[test]
    fn a_generation_that_nobody_observed_is_none() {
        let new = json!({"observedGeneration": NOT_OBSERVED});
        let status: ComponentStatus = serde_json::from_value(new.clone()).unwrap();
        assert_eq!(status, ComponentStatus::default());
        let status: MeshStatus = serde_json::from_value(new).unwrap();
        assert_eq!(status, MeshStatus::default());
    }

    #[test]
    fn whatever_is_stored_can_be_read() {
        let odd = json!({"observedGeneration": "7", "replicas": 3_000_000_000_u64, "readyReplicas": null, "selector": 1,
            "statefulSet": {"generation": 1}, "globalBackendConfigRevision": "5", "updatedReplicas": 2,
            "conditions": [{"type": "Ready"}, 5, null, "x"]});
        let status: ComponentStatus = serde_json::from_value(odd).unwrap();
        assert_eq!(
            status,
            ComponentStatus {
                updated_replicas: Some(2),
                conditions: status.conditions.clone(),
                ..ComponentStatus::default()
            }
        );
        for odd in [json!("x"), json!(1), json!(true), json!([[]])] {
            let status: MeshStatus =
                serde_json::from_value(json!({"conditions": odd, "components": {}})).unwrap();
            assert_eq!(status, MeshStatus::default());
        }
    }
}
