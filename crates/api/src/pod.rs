//! Settings of the pods.

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerBehavior, MetricSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Container, EnvVar, LocalObjectReference, PodSecurityContext, Probe, Toleration, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pod settings of a component, or in a BackendConfig of all components.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodPolicy {
    /// Additional labels of the pods. The labels that select the pods cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Labels that a node must have to run the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Scheduling constraints. Unless `disableDefaultAffinity` is set, the pods of a component are also spread over
    /// nodes where possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Node taints that the pods tolerate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Additional annotations of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Security context of the pods. Defaults to user 10000, group and fsGroup 10001 and the seccomp profile of the
    /// container runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<PodSecurityContext>,
    /// Time that a pod has to stop before it is killed, in seconds. Defaults to 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<i64>,
    /// Additional volumes of the pods, mounted by the component's `volumeMounts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<Volume>>,
    /// Secrets to pull images with, in addition to those in the operator's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Containers that run before the package is downloaded and the component starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_containers: Option<Vec<Container>>,
    /// Containers that run beside the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<Vec<Container>>,
    /// Service account of the pods. Defaults to `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Whether the token of the service account is mounted. Defaults to the setting of the service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// Predefined autoscaler rules, which take precedence over `autoScalingMetrics`: `AverageUtilizationCPUPercent` or
    /// `AverageUtilizationMemoryPercent`, followed by 80, 50 or 20. At most one for each resource; percentages refer to
    /// the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builtin_autoscaler: Option<Vec<String>>,
    /// Metrics of the autoscaler. Defaults to a CPU utilization of 80 % of the limit, or of the request if there is no
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_scaling_metrics: Option<Vec<MetricSpec>>,
    /// Scaling behavior of the autoscaler. Has no effect with `builtinAutoscaler`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_scaling_behavior: Option<HorizontalPodAutoscalerBehavior>,
    /// Let a VerticalPodAutoscaler adjust the resources of the pods, in clusters that have it. Mutually exclusive with
    /// `maxReplicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpa: Option<VpaSpec>,
    /// Additional environment variables of the main container and the log sidecar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<EnvVar>>,
    /// Liveness probe of the main container: an HTTP request to its metrics port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// Startup probe of the main container. Defaults to waiting for a connection to a broker, with a restart after ten
    /// minutes without one; generic programs, and sources that connect at their first record only, have no default
    /// probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
    /// Disable the default affinity, which spreads the pods of a component over nodes. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_default_affinity: Option<bool>,
}

/// Liveness probe of the main container: an HTTP request to the metrics port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Liveness {
    /// Period and timeout of the probe, in seconds. If unset, there is no probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<i32>,
    /// Delay before the first probe, in seconds. Defaults to 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_delay_seconds: Option<i32>,
    /// Consecutive successes after which the container is considered alive. Defaults to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<i32>,
    /// Consecutive failures after which the container is restarted. Defaults to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<i32>,
}

/// VerticalPodAutoscaler settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpaSpec {
    /// How new values are applied to the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_policy: Option<VpaUpdatePolicy>,
    /// Which resources may change, and within which bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_policy: Option<VpaResourcePolicy>,
}

/// How new values are applied to the pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpaUpdatePolicy {
    /// `Off` only recommends, `Initial` sets the resources of new pods, `Recreate` also evicts pods, `Auto` leaves the
    /// choice to the autoscaler. Defaults to `Auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_mode: Option<VpaUpdateMode>,
    /// Minimum number of live pods for an eviction.
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
    /// As the autoscaler chooses.
    Auto,
}

/// What may change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpaResourcePolicy {
    /// Policies by container.
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
    /// `Off` leaves the container unchanged. Defaults to `Auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<VpaContainerMode>,
    /// Lower bounds for the resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_allowed: Option<BTreeMap<String, Quantity>>,
    /// Upper bounds for the resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_allowed: Option<BTreeMap<String, Quantity>>,
    /// Resources that the autoscaler changes. Defaults to `cpu` and `memory`.
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
