//! Kind BackendConfig (behaviour reference 1.6).

use crate::pod::PodPolicy;
use crate::status::BackendConfigStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Defaults for the components of a namespace or of the whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "BackendConfig",
    plural = "backendconfigs",
    singular = "backendconfig",
    shortname = "becfg",
    category = "functionmesh",
    doc = "Defaults for the pods of Functions, Sources and Sinks.",
    namespaced,
    status = "BackendConfigStatus",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackendConfigSpec {
    /// Not used; accepted for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Environment variables of every component. Those of the component itself count more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Settings of the pods of every component. Those of the component itself count more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodPolicy>,
    /// Whether changes of this object reach running components at once, or with their next change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_update: Option<bool>,
}
