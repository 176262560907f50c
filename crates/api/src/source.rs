//! Kind Source.

use crate::common::Common;
use crate::free_form::FreeForm;
use crate::io::OutputConf;
use crate::status::ComponentStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The code of the connector, its topic, the Pulsar cluster and the pods it runs in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "compute.functionmesh.io",
    version = "v1alpha1",
    kind = "Source",
    plural = "sources",
    singular = "source",
    shortname = "src",
    category = "functionmesh",
    doc = "A Pulsar source connector: brings messages into Pulsar.",
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
    /// Topic that receives the records, and how they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputConf>,
    /// Not used; `className` and `image` choose the connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// Run the connector as a batch source: discover work, then read it piece by piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_source_config: Option<BatchSourceConfig>,
    /// Configuration of the connector, given to it as it is. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_config: Option<FreeForm>,
    /// Copy the properties of each record to the message. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_source_message_property: Option<bool>,
}

/// A source that discovers work and reads it in batches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchSourceConfig {
    /// Class that starts the discovery of work.
    pub discovery_triggerer_class_name: String,
    /// Configuration of that class, given to it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_triggerer_config: Option<FreeForm>,
}
