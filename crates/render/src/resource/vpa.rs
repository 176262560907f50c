//! The `VerticalPodAutoscaler`.

use crate::resource::metadata::{metadata, scale_target};
use crate::workload::Workload;
use functionmesh_api::pod::{VpaResourcePolicy, VpaUpdatePolicy};
use k8s_openapi::api::autoscaling::v2::CrossVersionObjectReference;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// The rendered part of a `VerticalPodAutoscaler`, a custom resource that exists if the autoscaler is installed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource)]
#[kube(
    group = "autoscaling.k8s.io",
    version = "v1",
    kind = "VerticalPodAutoscaler",
    plural = "verticalpodautoscalers",
    derive = "PartialEq",
    schema = "disabled",
    namespaced
)]
#[serde(rename_all = "camelCase")]
pub struct VerticalPodAutoscalerSpec {
    /// What is scaled: the custom resource, by its scale subresource.
    pub target_ref: CrossVersionObjectReference,
    /// How changes reach the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_policy: Option<VpaUpdatePolicy>,
    /// What may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_policy: Option<VpaResourcePolicy>,
}

/// Renders it if `spec.pod.vpa` is set, even if empty.
pub(crate) fn vertical_autoscaler(workload: &Workload) -> Option<VerticalPodAutoscaler> {
    let policy = workload.pod.vpa.as_ref()?;
    Some(VerticalPodAutoscaler {
        metadata: metadata(workload, workload.name.to_string()),
        spec: VerticalPodAutoscalerSpec {
            target_ref: scale_target(workload),
            update_policy: policy.update_policy.clone(),
            resource_policy: policy.resource_policy.clone(),
        },
    })
}
