//! The consuming side that Function and Sink share: topics, subscription, retries.

use crate::instance::function_details::{
    ConsumerSpec, CryptoSpec, ReceiverQueueSize, RetryDetails, SourceSpec,
};
use crate::lower::common::{PulsarName, text};
use crate::lower::problems::Problems;
use crate::lower::topic;
use crate::text::go_json;
use crate::workload::{CryptoSecret, Leftovers};
use functionmesh_api::common::{Common, Consumption, ProcessingGuarantee, SubscriptionPosition};
use functionmesh_api::io::{ConsumerConfig, CryptoConfig, InputConf};
use std::collections::{BTreeMap, BTreeSet};

/// The `source` message of a component that consumes. `owns_input` is false for a Function with a source connector,
/// whose input may be empty.
pub(crate) fn source_spec(
    common: &Common,
    consumption: &Consumption,
    owns_input: bool,
    problems: &mut Problems,
) -> SourceSpec {
    let input = consumption.input.clone().unwrap_or_default();
    check(common, consumption, problems);
    let input_specs = input_specs(&input);
    if owns_input {
        check_topics(&input, &input_specs, problems);
    }
    let effectively_once = common.processing_guarantee == Some(ProcessingGuarantee::EffectivelyOnce);
    SourceSpec {
        type_class_name: input.type_class_name.filter(|c| !c.is_empty()).unwrap_or_else(|| "[B".to_owned()),
        subscription_type: if consumption.retain_ordering == Some(true) || effectively_once {
            Some("FAILOVER")
        } else if consumption.retain_key_ordering == Some(true) {
            Some("KEY_SHARED")
        } else {
            None
        },
        input_specs,
        timeout_ms: milliseconds(consumption.timeout),
        subscription_name: text(consumption.subscription_name.as_ref()),
        cleanup_subscription: consumption.cleanup_subscription == Some(true),
        // Unset means earliest; existing Functions rely on it.
        subscription_position: match consumption.subscription_position {
            Some(SubscriptionPosition::Latest) => None,
            Some(SubscriptionPosition::Earliest) | None => Some("EARLIEST"),
        },
        ..SourceSpec::default()
    }
}

/// A 64-bit number as protojson writes it; zero is omitted.
pub(crate) fn milliseconds(value: Option<i32>) -> Option<String> {
    value.filter(|ms| *ms != 0).map(|ms| ms.to_string())
}

/// Retries and dead letters. Retries without a dead-letter topic use the default one.
pub(crate) fn retry_details(consumption: &Consumption, name: &PulsarName) -> Option<RetryDetails> {
    let retries = consumption.max_message_retry.unwrap_or_default();
    let mut dead_letter_topic = text(consumption.dead_letter_topic.as_ref());
    let subscription = consumption.subscription_name.as_deref().unwrap_or_default();
    if dead_letter_topic.is_empty() && retries > 0 && (subscription.is_empty() || subscription.contains('\\'))
    {
        dead_letter_topic = format!("{}-{}-{}-DLQ", name.tenant, name.namespace, name.name);
    }
    (retries > 0 || !dead_letter_topic.is_empty())
        .then_some(RetryDetails { max_message_retries: retries.max(0), dead_letter_topic })
}

/// The secrets of all inputs, by topic and then in the order of declaration.
pub(crate) fn crypto_secrets(consumption: &Consumption) -> Vec<CryptoSecret> {
    let specs = consumption.input.as_ref().and_then(|i| i.source_specs.as_ref());
    specs
        .into_iter()
        .flat_map(BTreeMap::values)
        .flat_map(|spec| secrets_of(spec.crypto_config.as_ref()))
        .collect()
}

/// The secrets that one crypto configuration names.
pub(crate) fn secrets_of(crypto: Option<&CryptoConfig>) -> Vec<CryptoSecret> {
    let secrets = crypto.and_then(|c| c.crypto_secrets.as_ref());
    secrets
        .into_iter()
        .flatten()
        .map(|s| CryptoSecret {
            secret: s.secret_name.clone(),
            key: s.secret_key.clone(),
            mount_path: s.as_volume.clone().filter(|path| !path.is_empty()),
        })
        .collect()
}

/// The subscription to remove when the component is deleted, if `cleanupSubscription` is set. The topics of a pattern
/// are not known, so its whole Pulsar namespace is searched for the subscription.
pub(crate) fn leftovers(
    consumption: &Consumption,
    specs: &BTreeMap<String, ConsumerSpec>,
    name: &PulsarName,
) -> Option<Leftovers> {
    if consumption.cleanup_subscription != Some(true) || specs.is_empty() {
        return None;
    }
    let given = consumption.subscription_name.clone().filter(|subscription| !subscription.is_empty());
    let subscription = given.unwrap_or_else(|| format!("{}/{}/{}", name.tenant, name.namespace, name.name));
    let (patterns, topics): (Vec<_>, Vec<_>) = specs.iter().partition(|(_, spec)| spec.is_regex_pattern);
    let namespaces: BTreeSet<String> =
        patterns.into_iter().map(|(topic, _)| topic::namespace(topic)).collect();
    let topics = topics.into_iter().map(|(topic, _)| topic.clone());
    Some(Leftovers::Subscription {
        name: subscription,
        topics: topics.filter(|topic| !namespaces.contains(&topic::namespace(topic))).collect(),
        namespaces: namespaces.into_iter().collect(),
    })
}

/// Merges all fields that name inputs; later ones override earlier ones for the same topic.
fn input_specs(input: &InputConf) -> BTreeMap<String, ConsumerSpec> {
    let mut specs = BTreeMap::new();
    for topic in input.topics.iter().flatten() {
        specs.insert(topic.clone(), ConsumerSpec::default());
    }
    if let Some(pattern) = input.topic_pattern.as_ref().filter(|p| !p.is_empty()) {
        specs.insert(
            topic::pattern(pattern),
            ConsumerSpec { is_regex_pattern: true, ..ConsumerSpec::default() },
        );
    }
    for (topic, class) in input.custom_serde_sources.iter().flatten() {
        specs.insert(
            topic.clone(),
            ConsumerSpec { serde_class_name: class.clone(), ..ConsumerSpec::default() },
        );
    }
    for (topic, schema) in input.custom_schema_sources.iter().flatten() {
        specs.insert(topic.clone(), ConsumerSpec { schema_type: schema.clone(), ..ConsumerSpec::default() });
    }
    for (topic, config) in input.source_specs.iter().flatten() {
        let spec = consumer_spec(config);
        let topic = if spec.is_regex_pattern { topic::pattern(topic) } else { topic.clone() };
        specs.insert(topic, spec);
    }
    specs
}

/// One consumer configuration as the instance reads it.
pub(crate) fn consumer_spec(config: &ConsumerConfig) -> ConsumerSpec {
    ConsumerSpec {
        schema_type: text(config.schema_type.as_ref()),
        serde_class_name: text(config.serde_classname.as_ref()),
        is_regex_pattern: config.is_regex_pattern == Some(true),
        receiver_queue_size: config.receiver_queue_size.map(|value| ReceiverQueueSize { value }),
        schema_properties: config.schema_properties.clone().unwrap_or_default(),
        consumer_properties: config.consumer_properties.clone().unwrap_or_default(),
        crypto_spec: config.crypto_config.as_ref().map(crypto_spec),
    }
}

/// Encryption settings as the instance reads them.
pub(crate) fn crypto_spec(config: &CryptoConfig) -> CryptoSpec {
    CryptoSpec {
        crypto_key_reader_class_name: text(config.crypto_key_reader_class_name.as_ref()),
        crypto_key_reader_config: config.crypto_key_reader_config.as_ref().map(|map| {
            let map = map.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
            go_json::object(&map)
        }),
        producer_encryption_key_names: config.encryption_keys.clone().unwrap_or_default(),
        producer_crypto_failure_action: failure_action(config.producer_crypto_failure_action.as_deref()),
        consumer_crypto_failure_action: failure_action(config.consumer_crypto_failure_action.as_deref()),
    }
}

/// The enum name; unknown values become `FAIL` as in the Go operator, which is zero and therefore omitted.
fn failure_action(action: Option<&str>) -> Option<&'static str> {
    ["DISCARD", "CONSUME", "SEND"].into_iter().find(|known| action == Some(known))
}

fn check(common: &Common, consumption: &Consumption, problems: &mut Problems) {
    let effectively_once = common.processing_guarantee == Some(ProcessingGuarantee::EffectivelyOnce);
    let retries = consumption.max_message_retry.unwrap_or_default();
    let dead_letters = consumption.dead_letter_topic.as_deref().filter(|t| !t.is_empty());
    problems.when(
        effectively_once && consumption.timeout.is_some_and(|t| t != 0),
        "spec.timeout",
        "must not be set with processingGuarantee effectively_once",
    );
    problems.when(
        effectively_once && retries > 0,
        "spec.maxMessageRetry",
        "must not be set with processingGuarantee effectively_once",
    );
    problems.when(
        dead_letters.is_some() && retries <= 0,
        "spec.maxMessageRetry",
        "must be above 0 when deadLetterTopic is set, otherwise no message is sent there",
    );
    if let Some(topic) = dead_letters.filter(|t| !topic::is_valid(t)) {
        problems.add("spec.deadLetterTopic", format!("{topic:?} is not a topic name"));
    }
}

fn check_topics(input: &InputConf, specs: &BTreeMap<String, ConsumerSpec>, problems: &mut Problems) {
    problems.when(
        specs.is_empty(),
        "spec.input",
        "must name at least one topic (topics, topicPattern, customSerdeSources, customSchemaSources or sourceSpecs)",
    );
    for topic in specs.keys().filter(|t| !topic::is_valid(t)) {
        problems.add("spec.input", format!("{topic:?} is not a topic name"));
    }
    for (topic, config) in input.source_specs.iter().flatten() {
        let field = format!("spec.input.sourceSpecs[{topic}]");
        let queue = config.receiver_queue_size.unwrap_or_default();
        problems.when(queue < 0, &format!("{field}.receiverQueueSize"), "must not be negative");
        let reader = config.crypto_config.as_ref().map(|c| text(c.crypto_key_reader_class_name.as_ref()));
        problems.when(
            reader.is_some_and(|class| class.is_empty()),
            &format!("{field}.cryptoConfig.cryptoKeyReaderClassName"),
            "must be set",
        );
    }
}
