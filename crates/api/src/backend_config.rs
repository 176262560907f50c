//! Kind BackendConfig.

use crate::pod::PodPolicy;
use crate::status::BackendConfigStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// They hold for the components of one namespace or of the whole cluster, by the name that the operator is configured with.
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
    /// Environment variables of every container of the pods, init containers excepted. A variable that the object
    /// itself sets counts more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Settings of the pods: `labels`, `annotations`, `nodeSelector`, `tolerations`,
    /// `imagePullSecrets`, `affinity`, `securityContext`, `terminationGracePeriodSeconds`, `serviceAccountName`,
    /// `automountServiceAccountToken`, `liveness` and `startupProbe`. Those of an object
    /// count more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = crate::unused::in_backend_config)]
    pub pod: Option<PodPolicy>,
    /// Whether a change of this object reaches running components at once; else each gets it with its own next
    /// change. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_update: Option<bool>,
}
