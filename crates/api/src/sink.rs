//! Kind Sink.

use crate::common::{Common, Consumption};
use crate::free_form::FreeForm;
use crate::status::ComponentStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Desired state of the Sink: its connector, topics, Pulsar cluster and pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "Sink",
    plural = "sinks",
    singular = "sink",
    shortname = "snk",
    category = "function-mesh",
    doc = "Sink runs a Pulsar sink connector on Kubernetes: it writes messages from Pulsar to another system.",
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
#[schemars(transform = crate::unused::in_connectors)]
#[serde(rename_all = "camelCase")]
pub struct SinkSpec {
    /// The fields that Function, Source and Sink share.
    #[serde(flatten)]
    pub common: Common,
    /// The fields of kinds that consume.
    #[serde(flatten)]
    pub consumption: Consumption,
    /// Not used; `className` and `image` choose the connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_type: Option<String>,
    /// Configuration of the connector, passed to it unchanged. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_config: Option<FreeForm>,
    /// Redelivery delay of a failed message, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_ack_redelivery_delay_ms: Option<i32>,
}
