//! Kind FunctionMesh.

use crate::function::FunctionSpec;
use crate::sink::SinkSpec;
use crate::source::SourceSpec;
use crate::status::MeshStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Components that belong together. Each becomes an object named `<mesh>-<name of the item>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "FunctionMesh",
    plural = "functionmeshes",
    singular = "functionmesh",
    shortname = "fmesh",
    category = "functionmesh",
    doc = "Functions, Sources and Sinks that belong together.",
    namespaced,
    status = "MeshStatus",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Components", type_ = "integer", json_path = ".status.components"),
    printcolumn(name = "Available", type_ = "integer", json_path = ".status.readyComponents"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct FunctionMeshSpec {
    /// The Sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<SourceSpec>>,
    /// The Sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sinks: Option<Vec<SinkSpec>>,
    /// The Functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<FunctionSpec>>,
}
