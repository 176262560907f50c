//! Fields that several kinds share.

use crate::io::InputConf;
use crate::messaging::PulsarMessaging;
use crate::pod::PodPolicy;
use crate::runtime::{GenericRuntime, GoRuntime, JavaRuntime, PythonRuntime};
use k8s_openapi::api::core::v1::{ResourceRequirements, VolumeMount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fields that Function, Source and Sink have in common (behaviour reference 1.2 and 1.3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// Name of the component in Pulsar. Defaults to the name of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Class to run, with its package. Required with `java` and `python`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Pulsar tenant. Defaults to `public`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Pulsar namespace, not the one of Kubernetes. Defaults to `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the Pulsar cluster, a label of the metrics. Defaults to `kubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Number of pods, unless `maxReplicas` leaves it to the autoscaler. Defaults to `minReplicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Tell each instance how many there are. Every change of `replicas` then restarts all pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_precise_parallelism: Option<bool>,
    /// Fewest pods the autoscaler may leave.
    #[serde(default = "one", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// Image of the init container that downloads the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downloader_image: Option<String>,
    /// Image of the job that removes the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_image: Option<String>,
    /// Most pods the autoscaler may start. Setting it turns the autoscaler on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<i32>,
    /// Topic that receives the log of the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_topic: Option<String>,
    /// Who sends the log to `logTopic`. Defaults to `runtime` for functions, `sidecar` for sources and sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_topic_agent: Option<LogTopicAgent>,
    /// Image of the sidecar that sends the log to `logTopic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filebeat_image: Option<String>,
    /// Resources of the main container. The heap of a Java component follows from the memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Secrets of the component, by the name under which its code asks for them. Each is an environment variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets_map: Option<BTreeMap<String, SecretRef>>,
    /// Further mounts of the main container and of the operator's own sidecar and init container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// How often a message may be processed. Defaults to `atleast_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_guarantee: Option<ProcessingGuarantee>,
    /// Further flags of the program that runs the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_flags: Option<String>,
    /// Settings of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodPolicy>,
    /// The Pulsar cluster to run against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar: Option<PulsarMessaging>,
    /// The Pulsar cluster that packages come from, when it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar_package_service: Option<PulsarMessaging>,
    /// Run a Java program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java: Option<JavaRuntime>,
    /// Run a Python program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonRuntime>,
    /// Run a Go program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub golang: Option<GoRuntime>,
    /// Run a program in another language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generic_runtime: Option<GenericRuntime>,
    /// Image of the main container. Defaults to the runner image that the operator is configured with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Not used: the configuration of the operator decides when images are pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Whether the image has pulsarctl, to download packages and remove subscriptions with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_has_pulsarctl: Option<bool>,
    /// Whether the image has wget, to download packages from web servers with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_has_get: Option<bool>,
    /// Where the component keeps state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateful_config: Option<Stateful>,
}

#[allow(clippy::unnecessary_wraps, reason = "the default of an optional field")]
fn one() -> Option<i32> {
    Some(1)
}

/// The fields of kinds that consume: Function and Sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consumption {
    /// Topics to consume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputConf>,
    /// Milliseconds after which a message that was not acknowledged is delivered again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i32>,
    /// Whether messages are acknowledged for the component. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_ack: Option<bool>,
    /// How often a failed message is delivered again before it goes to `deadLetterTopic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message_retry: Option<i32>,
    /// Process messages in the order of the topic, with one active consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_ordering: Option<bool>,
    /// Process messages of the same key in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_key_ordering: Option<bool>,
    /// Topic for messages that failed more than `maxMessageRetry` times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// Name of the subscription. Defaults to `<tenant>/<namespace>/<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_name: Option<String>,
    /// Remove the subscription when the object is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_subscription: Option<bool>,
    /// Where a new subscription begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_position: Option<SubscriptionPosition>,
}

/// Who sends the log to the log topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "lowercase")]
pub enum LogTopicAgent {
    /// The instance itself.
    Runtime,
    /// A sidecar container.
    Sidecar,
}

/// How often a message may be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingGuarantee {
    /// Once or more often.
    AtleastOnce,
    /// Once or never.
    AtmostOnce,
    /// Once in effect: messages are deduplicated.
    EffectivelyOnce,
    /// The code of the component acknowledges.
    Manual,
}

/// Where a new subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionPosition {
    /// With messages that come from now on.
    Latest,
    /// With the oldest message.
    Earliest,
}

/// A key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Key in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Where the component keeps state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stateful {
    /// A state store that Pulsar offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar: Option<PulsarStateStore>,
}

/// A state store that Pulsar offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PulsarStateStore {
    /// Address, such as `bk://host:4181`.
    pub service_url: String,
    /// Java class of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java_provider: Option<StateStoreJavaProvider>,
}

/// Java class of a state store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateStoreJavaProvider {
    /// Class name.
    pub class_name: String,
    /// Not used; accepted for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<crate::FreeForm>,
}
