//! The producing side that Function and Source share.

use crate::instance::function_details::{ConsumerSpec, ProducerSpec, SinkSpec};
use crate::lower::common::text;
use crate::lower::input::{consumer_spec, crypto_spec, secrets_of};
use crate::lower::problems::Problems;
use crate::lower::topic;
use crate::workload::CryptoSecret;
use functionmesh_api::io::{CompressionType, ConsumerConfig, OutputConf, ProducerConfig};

/// The `sink` message of a component that produces, without the producer settings.
pub(crate) fn sink_spec(output: &OutputConf, forward: Option<bool>) -> SinkSpec {
    SinkSpec {
        type_class_name: type_class(output),
        topic: text(output.topic.as_ref()),
        serde_class_name: text(output.sink_serde_class_name.as_ref()),
        schema_type: text(output.sink_schema_type.as_ref()),
        forward_source_message_property: forward.unwrap_or(true),
        ..SinkSpec::default()
    }
}

/// Class of the produced messages, bytes by default.
pub(crate) fn type_class(output: &OutputConf) -> String {
    output.type_class_name.clone().filter(|c| !c.is_empty()).unwrap_or_else(|| "[B".to_owned())
}

/// `customSchemaSinks` maps the output topic to a consumer configuration in JSON; invalid JSON is ignored, as in the Go
/// operator. Functions only.
pub(crate) fn schema_of_output(output: &OutputConf) -> ConsumerSpec {
    let found = output.topic.as_ref().and_then(|topic| output.custom_schema_sinks.as_ref()?.get(topic));
    found
        .and_then(|json| serde_json::from_str::<ConsumerConfig>(json).ok())
        .map(|config| consumer_spec(&config))
        .unwrap_or_default()
}

/// Producer settings as the instance reads them.
pub(crate) fn producer_spec(config: &ProducerConfig) -> ProducerSpec {
    ProducerSpec {
        max_pending_messages: config.max_pending_messages.unwrap_or_default(),
        max_pending_messages_across_partitions: config
            .max_pending_messages_across_partitions
            .unwrap_or_default(),
        use_thread_local_producers: config.use_thread_local_producers == Some(true),
        crypto_spec: config.crypto_config.as_ref().map(crypto_spec),
        batch_builder: text(config.batch_builder.as_ref()),
        compression_type: match config.compression_type {
            None | Some(CompressionType::Lz4) => None,
            Some(CompressionType::None) => Some("NONE"),
            Some(CompressionType::Zlib) => Some("ZLIB"),
            Some(CompressionType::Zstd) => Some("ZSTD"),
            Some(CompressionType::Snappy) => Some("SNAPPY"),
        },
    }
}

/// The secrets of the producer.
pub(crate) fn crypto_secrets(output: &OutputConf) -> Vec<CryptoSecret> {
    secrets_of(output.producer_conf.as_ref().and_then(|p| p.crypto_config.as_ref()))
}

/// Rules for the output topic.
pub(crate) fn check(output: &OutputConf, problems: &mut Problems) {
    let Some(topic) = output.topic.as_ref().filter(|t| !t.is_empty()) else { return };
    if !topic::is_valid(topic) {
        problems.add("spec.output.topic", format!("{topic:?} is not a topic name"));
    }
    let Some(crypto) = output.producer_conf.as_ref().and_then(|p| p.crypto_config.as_ref()) else { return };
    let field = "spec.output.producerConf.cryptoConfig";
    problems.when(
        crypto.crypto_key_reader_class_name.as_ref().is_none_or(String::is_empty),
        &format!("{field}.cryptoKeyReaderClassName"),
        "must be set",
    );
    problems.when(
        crypto.encryption_keys.as_ref().is_none_or(Vec::is_empty),
        &format!("{field}.encryptionKeys"),
        "must name at least one key",
    );
}
