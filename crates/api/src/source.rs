//! Kind Source.

use crate::common::Common;
use crate::free_form::FreeForm;
use crate::io::OutputConf;
use crate::status::ComponentStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Desired state of the Source: its connector, topic, Pulsar cluster and pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "Source",
    plural = "sources",
    singular = "source",
    shortname = "src",
    category = "function-mesh",
    doc = "Source runs a Pulsar source connector on Kubernetes: it brings data from another system into Pulsar.",
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
pub struct SourceSpec {
    /// The fields that Function, Source and Sink share.
    #[serde(flatten)]
    pub common: Common,
    /// Output topic and producer settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputConf>,
    /// Not used; `className` and `image` choose the connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// Run the connector as a batch source: discover tasks, then process them one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_source_config: Option<BatchSourceConfig>,
    /// Configuration of the connector, passed to it unchanged. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_config: Option<FreeForm>,
    /// Copy the properties of each record to the message. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_source_message_property: Option<bool>,
}

/// A source that discovers tasks and processes them one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchSourceConfig {
    /// Class that triggers the discovery of tasks.
    pub discovery_triggerer_class_name: String,
    /// Configuration of that class, passed to it unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_triggerer_config: Option<FreeForm>,
}
