//! Topics: what is consumed and produced, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is consumed. At least one of the ways to name a topic has to be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputConf {
    /// Java class of the messages. Defaults to `[B`, which is bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Names of topics, such as `persistent://public/default/in`. A name without slashes is one of
    /// `public/default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<String>>,
    /// Regular expression for the names of topics, such as `persistent://public/default/in-.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_pattern: Option<String>,
    /// Class that deserialises messages, by topic. The topics are consumed without being in `topics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_serde_sources: Option<BTreeMap<String, String>>,
    /// Schema type, by topic. The topics are consumed without being in `topics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_schema_sources: Option<BTreeMap<String, String>>,
    /// Settings of the consumer, by topic. The topics are consumed without being in `topics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_specs: Option<BTreeMap<String, ConsumerConfig>>,
}

/// Settings of the consumer of one topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerConfig {
    /// Schema type, such as `JSON` or `AVRO`, or the class of a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_type: Option<String>,
    /// Class that deserialises messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serde_classname: Option<String>,
    /// Whether the name of the topic is a regular expression. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_regex_pattern: Option<bool>,
    /// Properties of the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_properties: Option<BTreeMap<String, String>>,
    /// Properties of the consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_properties: Option<BTreeMap<String, String>>,
    /// Most messages that are fetched ahead. Defaults to 1000, which is Pulsar's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_queue_size: Option<i32>,
    /// End-to-end encryption: how messages are decrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto_config: Option<CryptoConfig>,
}

/// What is produced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputConf {
    /// Java class of the messages. Defaults to `[B`, which is bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_class_name: Option<String>,
    /// Topic that receives the results, such as `persistent://public/default/out`. Without it nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Class that serialises results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_serde_class_name: Option<String>,
    /// Schema type of the results, such as `JSON` or `AVRO`, or the class of a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink_schema_type: Option<String>,
    /// Settings of the producer. Defaults to 1000 pending messages and a producer for each thread in sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_conf: Option<ProducerConfig>,
    /// Properties of the schema and of the consumer, by topic: the JSON text of an item of `input.sourceSpecs`.
    /// Only that of `topic` counts. Functions only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_schema_sinks: Option<BTreeMap<String, String>>,
}

/// Settings of the producer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProducerConfig {
    /// Most messages that wait for an acknowledgement, per partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_messages: Option<i32>,
    /// Most messages that wait for an acknowledgement, over all partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_messages_across_partitions: Option<i32>,
    /// Use a producer of its own for each thread. Defaults to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_thread_local_producers: Option<bool>,
    /// End-to-end encryption: how messages are encrypted.
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
    /// Java class that reads the keys. Required.
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
    /// Secrets with the keys; each becomes a volume.
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
    /// Directory to mount the Secret at. Without it the Secret is a volume that nothing mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_volume: Option<String>,
}
