//! Fields that several kinds share.

use crate::io::InputConf;
use crate::messaging::PulsarMessaging;
use crate::pod::PodPolicy;
use crate::runtime::{GenericRuntime, GoRuntime, JavaRuntime, PythonRuntime};
use k8s_openapi::api::core::v1::{ResourceRequirements, VolumeMount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fields that Function, Source and Sink have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// Name of the component in Pulsar. Defaults to the name of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Class to run, with its package, such as `org.example.Enrich`. Required with `java` and `python`.
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
    /// Number of pods; 0 stops the component. With `maxReplicas` it is where the autoscaler starts. `minReplicas`
    /// pods run if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Tell each instance how many there are. Every change of `replicas` then restarts all pods. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_precise_parallelism: Option<bool>,
    /// Fewest pods the autoscaler may leave.
    #[serde(default = "one", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// Image of the init container that downloads the package, where the operator is configured to use one.
    /// Defaults to `streamnative/pulsarctl:2.10.2.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downloader_image: Option<String>,
    /// Image of the job that removes the subscription. Defaults to the image of the main container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_image: Option<String>,
    /// Most pods the autoscaler may start. Setting it turns the autoscaler on. Not together with `pod.vpa`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<i32>,
    /// Topic that receives the log of the component. Without it the log goes to the console of the container only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_topic: Option<String>,
    /// Who sends the log to `logTopic`: the instance itself (`runtime`) or a sidecar container (`sidecar`).
    /// Defaults to `runtime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_topic_agent: Option<LogTopicAgent>,
    /// Image of the sidecar that sends the log to `logTopic`. Defaults to `streamnative/filebeat:v0.6.0`.
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
    /// How often a message may be processed: at least once, at most once, once in effect (duplicates are dropped),
    /// or `manual`, where the code acknowledges. Defaults to `atleast_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_guarantee: Option<ProcessingGuarantee>,
    /// Passed on as part of Pulsar's description of the component. Options of the JVM belong in `java.javaOpts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_flags: Option<String>,
    /// Settings of the pods: scheduling, volumes, further containers, probes, autoscaling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodPolicy>,
    /// The Pulsar cluster to run against. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar: Option<PulsarMessaging>,
    /// The Pulsar cluster that packages come from, with its own authentication and TLS settings. Defaults to
    /// `pulsar`.
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
    /// Image of the main container. Defaults to the runner image for the language, which the operator is configured
    /// with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image of the main container is pulled: `Always`, `IfNotPresent` or `Never`. What the operator is
    /// configured with counts more. Defaults to `IfNotPresent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Whether the image has pulsarctl, to download packages and remove subscriptions with; else pulsar-admin is
    /// used. Found out from the name of well-known images. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_has_pulsarctl: Option<bool>,
    /// Whether the image has wget, to download packages from web servers with. Found out from the name of
    /// well-known images; of other images it is tried at the start which of curl, python3 and wget they have. Defaults to
    /// false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_has_get: Option<bool>,
    /// Where the component keeps state. Not for Go programs.
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
    /// Topics to consume. Required, except in functions with `sourceConfig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputConf>,
    /// Milliseconds after which a message that was not acknowledged is delivered again; in functions also the delay
    /// after a failure. Not with `effectively_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i32>,
    /// Whether messages are acknowledged for the component once it has processed them. Java programs need
    /// `processingGuarantee: manual` for false to have an effect. Defaults to true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_ack: Option<bool>,
    /// How often a failed message is delivered again before it goes to `deadLetterTopic`. Not with
    /// `effectively_once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message_retry: Option<i32>,
    /// Process messages in the order of the topic, with one active consumer. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_ordering: Option<bool>,
    /// Process messages of the same key in their order. Not together with `retainOrdering`. Defaults to false.
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
    /// Where a new subscription begins: with the oldest message, or with those that come from now on. Defaults to
    /// `earliest`.
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
    /// The class that talks to the store, for Java programs. Defaults to that of BookKeeper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java_provider: Option<StateStoreJavaProvider>,
}

/// Java class of a state store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateStoreJavaProvider {
    /// Class, with its package.
    pub class_name: String,
    /// Not used; accepted for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<crate::free_form::FreeForm>,
}
