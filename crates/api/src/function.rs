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

/// The code of the function, its topics, the Pulsar cluster and the pods it runs in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "Function",
    plural = "functions",
    singular = "function",
    shortname = "fn",
    category = "functionmesh",
    doc = "A Pulsar Function: consumes, computes, produces.",
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
    /// Topic that receives the results, and how they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputConf>,
    /// Configuration of your code, which reads it from its context; given to it as it is. Java
    /// programs read its numbers as doubles: write an integer above 2^53 as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub func_config: Option<FreeForm>,
    /// A source connector to read from instead of `input`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_config: Option<SourceConnectorSpec>,
    /// A sink connector to write to instead of `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_config: Option<SinkConnectorSpec>,
    /// Copy the properties of each input message to the output. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_source_message_property: Option<bool>,
    /// Most asynchronous results that may be pending. Java only. Defaults to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_async_requests: Option<i32>,
    /// Skip the backlog and begin with the newest message at each start. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_to_latest: Option<bool>,
    /// Process windows of messages instead of single ones: `className` is a window function. Java only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_config: Option<WindowConfig>,
    /// Templates of claims for storage; each pod gets claims of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_claim_templates: Option<Vec<PersistentVolumeClaim>>,
    /// What becomes of the claims when the function is deleted or scaled down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim_retention_policy: Option<PersistentVolumeClaimRetentionPolicy>,
}

/// A source connector inside a Function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceConnectorSpec {
    /// Name of a connector that the image brings in `/pulsar/connectors`. Defaults to `configs.builtin`, then to
    /// `configs.archive` without `builtin://`. Java only, from Pulsar 3.0 on. Metrics are then those of a source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// Not used; accepted for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_source_config: Option<BatchSourceConfig>,
    /// Class of the connector. Defaults to `configs.className`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Not used: `input.typeClassName` takes its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Configuration of the connector, given to it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configs: Option<FreeForm>,
}

/// A sink connector inside a Function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkConnectorSpec {
    /// Name of a connector that the image brings in `/pulsar/connectors`. Defaults to `configs.builtin`, then to
    /// `configs.archive` without `builtin://`. Java only, from Pulsar 3.0 on. Metrics are then those of a sink, or of a source
    /// where both are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_type: Option<String>,
    /// Class of the connector. Defaults to `configs.className`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Not used: `output.typeClassName` takes its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Configuration of the connector, given to it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configs: Option<FreeForm>,
}

/// Windows of messages. Exactly one of the window lengths has to be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowConfig {
    /// Not used: `className` of the function takes its place.
    #[serde(default)]
    pub actual_window_function_class_name: String,
    /// Length of a window in messages. Either this or `windowLengthDurationMs` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_length_count: Option<i32>,
    /// Length of a window in milliseconds. Either this or `windowLengthCount` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_length_duration_ms: Option<i64>,
    /// Messages between the starts of two windows. Defaults to `windowLengthCount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sliding_interval_count: Option<i32>,
    /// Milliseconds between the starts of two windows. Defaults to `windowLengthDurationMs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sliding_interval_duration_ms: Option<i64>,
    /// Topic for messages that come too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_data_topic: Option<String>,
    /// Milliseconds a message may be late, with a timestamp extractor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag_ms: Option<i64>,
    /// Milliseconds between two watermarks, with a timestamp extractor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_emit_interval_ms: Option<i64>,
    /// Class that finds the time of a message in it. Without it the time of processing counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_extractor_class_name: Option<String>,
    /// How often a window may be processed: its messages are acknowledged after it (`ATLEAST_ONCE`) or as they come. Not
    /// with the `processingGuarantee` `manual` or `effectively_once`. Defaults to `ATLEAST_ONCE`, unless that is `atmost_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_guarantees: Option<WindowProcessingGuarantees>,
}

/// How often a window may be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WindowProcessingGuarantees {
    /// Once or more often.
    AtleastOnce,
    /// Once or never.
    AtmostOnce,
}

/// What becomes of the storage of pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersistentVolumeClaimRetentionPolicy {
    /// What becomes of the claims when the object is deleted: `Retain` or `Delete`. Defaults to `Retain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_deleted: Option<String>,
    /// What becomes of the claims of pods that are scaled away: `Retain` or `Delete`. Defaults to `Retain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_scaled: Option<String>,
}
