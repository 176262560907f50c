//! Settings of the pods.

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerBehavior, MetricSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Container, EnvVar, LocalObjectReference, PodSecurityContext, Probe, Toleration, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings of the pods of a component, or of all components in a BackendConfig.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodPolicy {
    /// Further labels of the pods. Those that select the pods cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Labels of the nodes to run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Where pods are scheduled. Unless `disableDefaultAffinity` is set, pods of one component also keep to
    /// different nodes where possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Taints of nodes to tolerate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Further annotations of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Security settings of the pod. Defaults to user 10000, group and fsGroup 10001 and the seccomp profile of the
    /// container runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<PodSecurityContext>,
    /// Seconds a pod has to stop before it is killed. Defaults to 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<i64>,
    /// Further volumes of the pod. `volumeMounts` of the component mounts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<Volume>>,
    /// Secrets to pull images with, besides those that the operator is configured with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Containers that run before the component starts, and before its package is downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_containers: Option<Vec<Container>>,
    /// Containers that run beside the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<Vec<Container>>,
    /// Service account of the pods. Defaults to `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Whether the token of the service account is mounted. Defaults to what the service account says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// Ready-made rules of the autoscaler, which count before `autoScalingMetrics`: `AverageUtilizationCPUPercent`
    /// or `AverageUtilizationMemoryPercent` with 80, 50 or 20 at the end. One of each at most; percentages of the
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builtin_autoscaler: Option<Vec<String>>,
    /// Metrics of the autoscaler. Defaults to a CPU utilization of 80 % of the limit, or of the request where there
    /// is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_scaling_metrics: Option<Vec<MetricSpec>>,
    /// How fast the autoscaler acts. Without effect beside `builtinAutoscaler`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_scaling_behavior: Option<HorizontalPodAutoscalerBehavior>,
    /// Let a VerticalPodAutoscaler adjust the resources of the pods, in clusters that have it. Not together with
    /// `maxReplicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpa: Option<VpaSpec>,
    /// Further environment variables of the component and of the sidecar that sends its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<EnvVar>>,
    /// When the container of the component counts as dead and is started again: it is asked by HTTP on its metrics
    /// port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// When the container of the component counts as started. Defaults to a connection to a broker, and a restart after ten
    /// minutes without one; not for generic programs and for sources that connect at their first record only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
    /// Leave out the default affinity, which spreads the pods of a component over nodes. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_default_affinity: Option<bool>,
}

/// When the container of the component counts as dead: asked by HTTP on the metrics port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Liveness {
    /// Seconds between two probes, and to wait for an answer. Without it there is no probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<i32>,
    /// Seconds before the first probe. Defaults to 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_delay_seconds: Option<i32>,
    /// Successes in a row that count as alive. Defaults to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<i32>,
    /// Failures in a row that count as dead. Defaults to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<i32>,
}

/// A VerticalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpaSpec {
    /// How new values reach the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_policy: Option<VpaUpdatePolicy>,
    /// Which resources may change, and how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_policy: Option<VpaResourcePolicy>,
}

/// How changes reach the pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpaUpdatePolicy {
    /// `Off` only recommends, `Initial` sets the resources of new pods, `Recreate` also evicts pods, `Auto` does
    /// what the autoscaler thinks best. Defaults to `Auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_mode: Option<VpaUpdateMode>,
    /// Fewest pods that have to be alive before one is evicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i32>,
}

/// When pods are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
pub enum VpaUpdateMode {
    /// Never: recommendations only.
    Off,
    /// At creation only.
    Initial,
    /// By evicting pods.
    Recreate,
    /// As the autoscaler thinks best.
    Auto,
}

/// What may change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpaResourcePolicy {
    /// Rules by container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_policies: Option<Vec<VpaContainerPolicy>>,
}

/// What may change in one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpaContainerPolicy {
    /// Name of the container, or `*` for all others. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// `Off` leaves the container as it is. Defaults to `Auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<VpaContainerMode>,
    /// Least resources to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_allowed: Option<BTreeMap<String, Quantity>>,
    /// Most resources to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_allowed: Option<BTreeMap<String, Quantity>>,
    /// Resources that are changed. Defaults to `cpu` and `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controlled_resources: Option<Vec<String>>,
    /// Whether limits are changed along with the requests. Defaults to `RequestsAndLimits`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controlled_values: Option<VpaControlledValues>,
}

/// Whether a container is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
pub enum VpaContainerMode {
    /// It is.
    Auto,
    /// It is not.
    Off,
}

/// Which values are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
pub enum VpaControlledValues {
    /// Both.
    RequestsAndLimits,
    /// Requests.
    RequestsOnly,
}
