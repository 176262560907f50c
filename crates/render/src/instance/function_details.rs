//! `function_details`: Pulsar's own description of a function, as the instance reads it on its command line.
//!
//! The structs follow the protobuf messages in declaration order, because that is the order of the keys. Fields with a zero
//! value are left out, 64-bit integers are strings, and the messages `source`, `sink` and `resources` are always there, as
//! protojson writes them.

use serde::Serialize;
use std::collections::BTreeMap;

/// Function class of Sources and Sinks, which passes messages on unchanged.
pub(crate) const IDENTITY_FUNCTION: &str = "org.apache.pulsar.functions.api.utils.IdentityFunction";
/// Runs a window function; the user's class is named in the window configuration.
pub(crate) const WINDOW_FUNCTION_EXECUTOR: &str =
    "org.apache.pulsar.functions.windowing.WindowFunctionExecutor";
/// Runs a batch source; the user's class is named in its configuration.
pub(crate) const BATCH_SOURCE_EXECUTOR: &str = "org.apache.pulsar.functions.source.batch.BatchSourceExecutor";

/// Protobuf message `FunctionDetails`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionDetails {
    /// Pulsar tenant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// Pulsar namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Pulsar name of the function.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Class the instance runs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class_name: String,
    /// Topic the instance itself copies its log to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log_topic: String,
    /// `None` is at least once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_guarantees: Option<&'static str>,
    /// JSON text of the user's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_config: Option<String>,
    /// JSON text of the secrets by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets_map: Option<String>,
    /// `None` is Java, which the generic runtime counts as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<&'static str>,
    /// Whether the framework acknowledges messages.
    #[serde(skip_serializing_if = "is_false")]
    pub auto_ack: bool,
    /// Number of instances; 1 unless `showPreciseParallelism` is set.
    #[serde(skip_serializing_if = "is_zero")]
    pub parallelism: i32,
    /// Where messages come from.
    pub source: SourceSpec,
    /// Where messages go to.
    pub sink: SinkSpec,
    /// Requested resources.
    pub resources: Resources,
    /// Retries and dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_details: Option<RetryDetails>,
    /// Additional flags of the runtime, informational.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub runtime_flags: String,
    /// `FUNCTION`, `SOURCE` or `SINK`.
    pub component_type: &'static str,
    /// Process in the order of the topic.
    #[serde(skip_serializing_if = "is_false")]
    pub retain_ordering: bool,
    /// Process in the order of each key.
    #[serde(skip_serializing_if = "is_false")]
    pub retain_key_ordering: bool,
}

impl FunctionDetails {
    /// The details as one line of JSON, always the same for the same value.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys: encoding them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Protobuf message `SourceSpec`: the side that consumes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceSpec {
    /// Class of the connector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class_name: String,
    /// JSON text of the connector's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configs: Option<String>,
    /// Class of the messages.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub type_class_name: String,
    /// `None` is a shared subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_type: Option<&'static str>,
    /// Consumer settings by topic or pattern.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub input_specs: BTreeMap<String, ConsumerSpec>,
    /// Acknowledgement timeout in milliseconds, a 64-bit number as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<String>,
    /// Name of a built-in connector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub builtin: String,
    /// Subscription, empty for the default `tenant/namespace/name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subscription_name: String,
    /// Whether the subscription is removed with the function.
    #[serde(skip_serializing_if = "is_false")]
    pub cleanup_subscription: bool,
    /// `None` is the latest message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_position: Option<&'static str>,
    /// Milliseconds, a 64-bit number as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_ack_redelivery_delay_ms: Option<String>,
    /// Skip the backlog at the start.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_to_latest: bool,
}

/// Protobuf message `SinkSpec`: the side that produces.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkSpec {
    /// Class of the connector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class_name: String,
    /// JSON text of the connector's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configs: Option<String>,
    /// Class of the messages.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub type_class_name: String,
    /// Output topic.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Producer settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_spec: Option<ProducerSpec>,
    /// Class that serialises, spelled as in the protobuf message.
    #[serde(rename = "serDeClassName", skip_serializing_if = "String::is_empty")]
    pub serde_class_name: String,
    /// Name of a built-in connector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub builtin: String,
    /// Schema of the output.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema_type: String,
    /// Copy the properties of the input message.
    #[serde(skip_serializing_if = "is_false")]
    pub forward_source_message_property: bool,
    /// Properties of the schema.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub schema_properties: BTreeMap<String, String>,
    /// Properties of a consumer of the output topic.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consumer_properties: BTreeMap<String, String>,
}

/// Protobuf message `ConsumerSpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerSpec {
    /// Schema of the topic.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema_type: String,
    /// Class that deserialises.
    #[serde(rename = "serdeClassName", skip_serializing_if = "String::is_empty")]
    pub serde_class_name: String,
    /// Whether the key is a pattern.
    #[serde(skip_serializing_if = "is_false")]
    pub is_regex_pattern: bool,
    /// Length of the receiver queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_queue_size: Option<ReceiverQueueSize>,
    /// Properties of the schema.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub schema_properties: BTreeMap<String, String>,
    /// Properties of the consumer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consumer_properties: BTreeMap<String, String>,
    /// End-to-end encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_spec: Option<CryptoSpec>,
}

/// A separate message, so that a queue of zero differs from an unset one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReceiverQueueSize {
    /// Messages.
    #[serde(skip_serializing_if = "is_zero")]
    pub value: i32,
}

/// Protobuf message `ProducerSpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerSpec {
    /// Messages waiting for an acknowledgement.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_pending_messages: i32,
    /// The same over all partitions.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_pending_messages_across_partitions: i32,
    /// One producer per thread.
    #[serde(skip_serializing_if = "is_false")]
    pub use_thread_local_producers: bool,
    /// End-to-end encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_spec: Option<CryptoSpec>,
    /// Batch builder, such as `KEY_BASED`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub batch_builder: String,
    /// `None` is LZ4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_type: Option<&'static str>,
}

/// Protobuf message `CryptoSpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CryptoSpec {
    /// Class that reads the keys.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub crypto_key_reader_class_name: String,
    /// JSON text of its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_key_reader_config: Option<String>,
    /// Names of the keys to encrypt with.
    #[serde(rename = "producerEncryptionKeyName", skip_serializing_if = "Vec::is_empty")]
    pub producer_encryption_key_names: Vec<String>,
    /// `None` is to fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_crypto_failure_action: Option<&'static str>,
    /// `None` is to fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_crypto_failure_action: Option<&'static str>,
}

/// Protobuf message `Resources`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Resources {
    /// Cores, with the floating-point error of the Go operator.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shortest")]
    pub cpu: Option<f64>,
    /// Bytes, a 64-bit number as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ram: Option<String>,
    /// Bytes, a 64-bit number as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
}

/// Protobuf message `RetryDetails`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryDetails {
    /// Deliveries after the first.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_message_retries: i32,
    /// Where messages go after that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dead_letter_topic: String,
}

/// Whole numbers without a fraction, as protojson prints them (`1`, not `1.0`).
#[allow(
    clippy::ref_option,
    clippy::cast_possible_truncation,
    reason = "serde's signature; whole numbers only"
)]
fn shortest<S: serde::Serializer>(cores: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match cores {
        Some(n) if n.fract() == 0.0 && n.abs() < 1e15 => to.serialize_i64(*n as i64),
        Some(n) => to.serialize_f64(*n),
        None => to.serialize_none(),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(b: &bool) -> bool {
    !*b
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &i32) -> bool {
    *n == 0
}
