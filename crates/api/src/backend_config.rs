//! Kind BackendConfig.

use crate::pod::PodPolicy;
use crate::status::BackendConfigStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Defaults, applied to all components in the namespace, or in the cluster for the BackendConfig that the operator is
/// configured with as the global one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "BackendConfig",
    plural = "backendconfigs",
    singular = "backendconfig",
    shortname = "becfg",
    category = "function-mesh",
    doc = "BackendConfig sets defaults for the pods of Functions, Sources and Sinks.",
    namespaced,
    status = "BackendConfigStatus",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackendConfigSpec {
    /// Not used; accepted for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Environment variables of every container of the pods except init containers. Variables of the object take
    /// precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Pod settings: `labels`, `annotations`, `nodeSelector`, `tolerations`, `imagePullSecrets`, `affinity`,
    /// `securityContext`, `terminationGracePeriodSeconds`, `serviceAccountName`, `automountServiceAccountToken`,
    /// `liveness` and `startupProbe`. Settings of the object take precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = crate::unused::in_backend_config)]
    pub pod: Option<PodPolicy>,
    /// Whether a change of this object is rolled out to running components immediately; otherwise it is included in
    /// each component's next rollout. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_update: Option<bool>,
}
