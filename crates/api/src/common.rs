//! Fields that several kinds share.

use crate::io::InputConf;
use crate::messaging::PulsarMessaging;
use crate::pod::PodPolicy;
use crate::runtime::{GenericRuntime, GoRuntime, JavaRuntime, PythonRuntime};
use k8s_openapi::api::core::v1::{ResourceRequirements, VolumeMount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Fields that Function, Source and Sink share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// Name of the component in Pulsar. Defaults to the name of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fully qualified class to run, such as `org.example.Enrich`. Required with `java` and `python`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// Pulsar tenant. Defaults to `public`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Pulsar namespace, not the Kubernetes namespace. Defaults to `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the Pulsar cluster, used as a label of the metrics. Defaults to `kubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Number of pods; 0 stops the component. With `maxReplicas` this is the initial number, which the autoscaler
    /// changes. If unset, `minReplicas` pods run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Pass the number of instances to each instance. Every change of `replicas` then restarts all pods. Defaults to
    /// false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_precise_parallelism: Option<bool>,
    /// Lower limit for the number of pods set by the autoscaler.
    #[serde(default = "one", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// Image of the init container that downloads the package, if the operator is configured to use one. Defaults to
    /// `streamnative/pulsarctl:2.10.2.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downloader_image: Option<String>,
    /// Image of the Job that removes the subscription. Defaults to the image of the main container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_image: Option<String>,
    /// Upper limit for the number of pods set by the autoscaler; setting it enables the autoscaler. Mutually exclusive
    /// with `pod.vpa`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<i32>,
    /// Topic that receives the component's log. If unset, the log goes to the container's standard output only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_topic: Option<String>,
    /// What sends the log to `logTopic`: the instance itself (`runtime`) or a sidecar container (`sidecar`). Defaults
    /// to `runtime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_topic_agent: Option<LogTopicAgent>,
    /// Image of the sidecar that sends the log to `logTopic`. Defaults to `streamnative/filebeat:v0.6.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filebeat_image: Option<String>,
    /// Resources of the main container. The heap of a Java component follows from the memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Secrets, by the name under which the component's code reads them. Each becomes an environment variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets_map: Option<BTreeMap<String, SecretRef>>,
    /// Additional volume mounts of the main container, the log sidecar and the package downloader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// Delivery guarantee: at least once, at most once, effectively once (duplicates are dropped), or `manual`, where
    /// the code acknowledges messages. Defaults to `atleast_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_guarantee: Option<ProcessingGuarantee>,
    /// Passed on as part of Pulsar's description of the component. Options of the JVM belong in `java.javaOpts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_flags: Option<String>,
    /// Pod settings: scheduling, volumes, additional containers, probes, autoscaling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodPolicy>,
    /// Pulsar cluster that the component connects to. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar: Option<PulsarMessaging>,
    /// Pulsar cluster to download packages from, with its own authentication and TLS settings. Defaults to `pulsar`.
    #[schemars(transform = crate::unused::in_package_service)]
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
    /// Image of the main container. Defaults to the runner image that the operator is configured with for the language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Pull policy of the main container: `Always`, `IfNotPresent` or `Never`. A policy in the operator's configuration
    /// takes precedence. Defaults to `IfNotPresent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Whether the image contains pulsarctl, which is then used instead of pulsar-admin to download packages and remove
    /// subscriptions. Detected by name for well-known images. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_has_pulsarctl: Option<bool>,
    /// Whether the image contains wget, to download packages from web servers. Detected by name for well-known images;
    /// in other images the container uses curl, python3 or wget, whichever it finds at start. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_has_get: Option<bool>,
    /// State store of the component. Not supported in Go programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateful_config: Option<Stateful>,
}

#[allow(clippy::unnecessary_wraps, reason = "the default of an optional field")]
fn one() -> Option<i32> {
    Some(1)
}

/// Fields of the kinds that consume: Function and Sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consumption {
    /// Topics to consume. Required, except in Functions with `sourceConfig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputConf>,
    /// Time after which an unacknowledged message is redelivered, in milliseconds; in Functions also the redelivery
    /// delay after a failure. Not supported with `effectively_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i32>,
    /// Whether messages are acknowledged automatically once the component has processed them. In Java programs, false
    /// requires `processingGuarantee: manual`. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_ack: Option<bool>,
    /// Maximum number of redeliveries of a failed message before it goes to `deadLetterTopic`. Not supported with
    /// `effectively_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message_retry: Option<i32>,
    /// Process messages in the order of the topic, with a single active consumer. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_ordering: Option<bool>,
    /// Process messages with the same key in order. Mutually exclusive with `retainOrdering`. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_key_ordering: Option<bool>,
    /// Topic for messages that failed more than `maxMessageRetry` times. Defaults to
    /// `<tenant>-<namespace>-<name>-DLQ` when `maxMessageRetry` is set and `subscriptionName` is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// Name of the subscription. Defaults to `<tenant>/<namespace>/<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_name: Option<String>,
    /// Remove the subscription from Pulsar when the object is deleted. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_subscription: Option<bool>,
    /// Where a new subscription starts: at the oldest message (`earliest`) or with new messages only (`latest`).
    /// Defaults to `earliest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_position: Option<SubscriptionPosition>,
}

/// What sends the log to the log topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "lowercase")]
pub enum LogTopicAgent {
    /// The instance itself.
    Runtime,
    /// A sidecar container.
    Sidecar,
}

/// Delivery guarantee of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingGuarantee {
    /// Once or more often.
    AtleastOnce,
    /// Once or never.
    AtmostOnce,
    /// Effectively once: messages are deduplicated.
    EffectivelyOnce,
    /// The code of the component acknowledges.
    Manual,
}

/// Where a new subscription starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionPosition {
    /// With new messages only.
    Latest,
    /// At the oldest message.
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

/// State store of the component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stateful {
    /// State store provided by Pulsar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar: Option<PulsarStateStore>,
}

/// State store provided by Pulsar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PulsarStateStore {
    /// Address of the store, such as `bk://host:4181`.
    pub service_url: String,
    /// Class that accesses the store in Java programs. Defaults to the BookKeeper provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java_provider: Option<StateStoreJavaProvider>,
}

/// Java class of a state store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateStoreJavaProvider {
    /// Fully qualified class name.
    pub class_name: String,
    /// Not used; accepted for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<crate::free_form::FreeForm>,
}
