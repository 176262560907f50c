//! Kind FunctionMesh.

use crate::function::FunctionSpec;
use crate::sink::SinkSpec;
use crate::source::SourceSpec;
use crate::status::MeshStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Desired components. Each becomes a Function, Source or Sink named `<mesh>-<name>`, where `<name>` is the `name` of
/// the item. A component that is removed from the spec is deleted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "FunctionMesh",
    plural = "functionmeshes",
    singular = "functionmesh",
    shortname = "fmesh",
    category = "function-mesh",
    doc = "FunctionMesh manages a group of Functions, Sources and Sinks as one object.",
    namespaced,
    status = "MeshStatus",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Components ready", type_ = "integer", json_path = ".status.readyComponents"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Components", type_ = "integer", json_path = ".status.components", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct FunctionMeshSpec {
    /// Sources of the mesh. Each item is the spec of a Source and needs a unique name. See `kubectl explain
    /// source.spec` for its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<SourceSpec>>,
    /// Sinks of the mesh. Each item is the spec of a Sink and needs a unique name. See `kubectl explain sink.spec` for
    /// its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sinks: Option<Vec<SinkSpec>>,
    /// Functions of the mesh. Each item is the spec of a Function and needs a unique name. See `kubectl explain
    /// function.spec` for its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<FunctionSpec>>,
}
