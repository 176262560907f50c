//! Topics: what is consumed and produced, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Input topics. At least one of the fields that name topics must be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputConf {
    /// Java class of the messages. Defaults to `[B`, which is bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Topic names, such as `persistent://public/default/in`. A name without slashes belongs to `public/default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<String>>,
    /// Regular expression that matches topic names, such as `persistent://public/default/in-.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_pattern: Option<String>,
    /// Class that deserializes messages, by topic. These topics need not be in `topics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_serde_sources: Option<BTreeMap<String, String>>,
    /// Schema type, by topic. These topics need not be in `topics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_schema_sources: Option<BTreeMap<String, String>>,
    /// Consumer settings, by topic. These topics need not be in `topics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_specs: Option<BTreeMap<String, ConsumerConfig>>,
}

/// Consumer settings of one topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerConfig {
    /// Schema type, such as `JSON` or `AVRO`, or the class of a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_type: Option<String>,
    /// Class that deserializes messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serde_classname: Option<String>,
    /// Whether the topic name is a regular expression. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_regex_pattern: Option<bool>,
    /// Properties of the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_properties: Option<BTreeMap<String, String>>,
    /// Properties of the consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_properties: Option<BTreeMap<String, String>>,
    /// Maximum number of messages to prefetch. Defaults to 1000, Pulsar's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_queue_size: Option<i32>,
    /// End-to-end encryption: decryption of messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_config: Option<CryptoConfig>,
}

/// Output topic and producer settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputConf {
    /// Java class of the messages. Defaults to `[B`, which is bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Topic that receives the results, such as `persistent://public/default/out`. If unset, results are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Class that serializes results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_serde_class_name: Option<String>,
    /// Schema type of the results, such as `JSON` or `AVRO`, or the class of a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_schema_type: Option<String>,
    /// Producer settings. In Sources, defaults to 1000 pending messages and one producer per thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_conf: Option<ProducerConfig>,
    /// Properties of the schema and of the consumer, by topic: the JSON text of an item of `input.sourceSpecs`. Only
    /// the item of `topic` is used. Functions only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_schema_sinks: Option<BTreeMap<String, String>>,
}

/// Producer settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProducerConfig {
    /// Maximum number of messages that wait for an acknowledgement, per partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_messages: Option<i32>,
    /// Maximum number of messages that wait for an acknowledgement, over all partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_messages_across_partitions: Option<i32>,
    /// Use one producer per thread. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_thread_local_producers: Option<bool>,
    /// End-to-end encryption: encryption of messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_config: Option<CryptoConfig>,
    /// Batch builder, such as `KEY_BASED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_builder: Option<String>,
    /// Compression of messages. Defaults to `LZ4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_type: Option<CompressionType>,
}

/// Compression of produced messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::plain_enum)]
#[serde(rename_all = "UPPERCASE")]
pub enum CompressionType {
    /// No compression.
    None,
    /// LZ4.
    Lz4,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
}

/// End-to-end encryption.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CryptoConfig {
    /// Class that reads the keys. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_key_reader_class_name: Option<String>,
    /// Configuration of that class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_key_reader_config: Option<BTreeMap<String, String>>,
    /// Names of the keys to encrypt with. Required in a producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_keys: Option<Vec<String>>,
    /// What a producer does when it cannot encrypt: `FAIL` or `SEND`. Defaults to `FAIL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_crypto_failure_action: Option<String>,
    /// What a consumer does when it cannot decrypt: `FAIL`, `DISCARD` or `CONSUME`. Defaults to `FAIL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_crypto_failure_action: Option<String>,
    /// Secrets with the keys; each becomes a volume of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_secrets: Option<Vec<CryptoSecret>>,
}

/// A Secret with a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CryptoSecret {
    /// Name of the Secret.
    pub secret_name: String,
    /// Key in the Secret.
    pub secret_key: String,
    /// Directory to mount the Secret at. If unset, the volume is not mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_volume: Option<String>,
}
