//! Kind Function.

use crate::common::{Common, Consumption};
use crate::free_form::FreeForm;
use crate::io::OutputConf;
use crate::source::BatchSourceConfig;
use crate::status::ComponentStatus;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Desired state of the Function: its code, topics, Pulsar cluster and pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "Function",
    plural = "functions",
    singular = "function",
    shortname = "fn",
    category = "function-mesh",
    doc = "Function runs a Pulsar Function on Kubernetes: it consumes topics, processes messages and produces results.",
    namespaced,
    status = "ComponentStatus",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
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
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Replicas ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct FunctionSpec {
    /// The fields that Function, Source and Sink share.
    #[serde(flatten)]
    pub common: Common,
    /// The fields of kinds that consume.
    #[serde(flatten)]
    pub consumption: Consumption,
    /// Output topic and producer settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputConf>,
    /// User configuration, passed unchanged to the code, which reads it from its context. Java programs read numbers as
    /// doubles: write an integer above 2^53 as a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub func_config: Option<FreeForm>,
    /// Source connector to read from instead of `input`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_config: Option<SourceConnectorSpec>,
    /// Sink connector to write to instead of `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_config: Option<SinkConnectorSpec>,
    /// Copy the properties of each input message to the output. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_source_message_property: Option<bool>,
    /// Maximum number of pending asynchronous results. Java only. Defaults to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_async_requests: Option<i32>,
    /// Skip the backlog and start with the newest message at each start. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_to_latest: Option<bool>,
    /// Process windows of messages instead of single messages: `className` is a window function. Java only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_config: Option<WindowConfig>,
    /// PersistentVolumeClaim templates; each pod gets its own claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_claim_templates: Option<Vec<PersistentVolumeClaim>>,
    /// What happens to the claims when the Function is deleted or scaled down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim_retention_policy: Option<PersistentVolumeClaimRetentionPolicy>,
}

/// A source connector inside a Function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceConnectorSpec {
    /// Name of a built-in connector: an archive in `/pulsar/connectors` of the image. Defaults to `configs.builtin`,
    /// then to `configs.archive` without `builtin://`. Java only; requires Pulsar 3.0. The instance then reports the
    /// metrics of a source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// Not used; accepted for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_source_config: Option<BatchSourceConfig>,
    /// Class of the connector. Defaults to `configs.className`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Not used: replaced by `input.typeClassName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Configuration of the connector, passed to it unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configs: Option<FreeForm>,
}

/// A sink connector inside a Function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkConnectorSpec {
    /// Name of a built-in connector: an archive in `/pulsar/connectors` of the image. Defaults to `configs.builtin`,
    /// then to `configs.archive` without `builtin://`. Java only; requires Pulsar 3.0. The instance then reports the
    /// metrics of a sink, or of a source if both are set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_type: Option<String>,
    /// Class of the connector. Defaults to `configs.className`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Not used: replaced by `output.typeClassName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Configuration of the connector, passed to it unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configs: Option<FreeForm>,
}

/// Windowing. Exactly one of the window lengths must be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowConfig {
    /// Not used: replaced by the Function's `className`.
    #[serde(default)]
    pub actual_window_function_class_name: String,
    /// Length of a window in messages. Either this or `windowLengthDurationMs` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_length_count: Option<i32>,
    /// Length of a window in milliseconds. Either this or `windowLengthCount` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_length_duration_ms: Option<i64>,
    /// Number of messages between the starts of two windows. Defaults to `windowLengthCount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sliding_interval_count: Option<i32>,
    /// Time between the starts of two windows, in milliseconds. Defaults to `windowLengthDurationMs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sliding_interval_duration_ms: Option<i64>,
    /// Topic that receives late messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_data_topic: Option<String>,
    /// Maximum lateness of a message in milliseconds. Requires a timestamp extractor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag_ms: Option<i64>,
    /// Interval between watermarks in milliseconds. Requires a timestamp extractor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_emit_interval_ms: Option<i64>,
    /// Class that extracts the event time of a message. If unset, the processing time is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_extractor_class_name: Option<String>,
    /// When the messages of a window are acknowledged: after the window (`ATLEAST_ONCE`) or on arrival (`ATMOST_ONCE`).
    /// Not supported with `processingGuarantee` `manual` or `effectively_once`. Defaults to `ATLEAST_ONCE`, unless
    /// `processingGuarantee` is `atmost_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_guarantees: Option<WindowProcessingGuarantees>,
}

/// When the messages of a window are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WindowProcessingGuarantees {
    /// Once or more often.
    AtleastOnce,
    /// Once or never.
    AtmostOnce,
}

/// What happens to the storage of pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersistentVolumeClaimRetentionPolicy {
    /// What happens to the claims when the object is deleted: `Retain` or `Delete`. Defaults to `Retain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_deleted: Option<String>,
    /// What happens to the claims of pods that a scale-down removes: `Retain` or `Delete`. Defaults to `Retain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_scaled: Option<String>,
}
