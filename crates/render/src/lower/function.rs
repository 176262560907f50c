//! Lowering a Function: what Sources and Sinks do not have.

use crate::instance::function_details::{SinkSpec, SourceSpec, WINDOW_FUNCTION_EXECUTOR};
use crate::instance::runtime::{GoExtras, JavaExtras};
use crate::lower::common::{PulsarName, Specific, text, workload};
use crate::lower::component::Component;
use crate::lower::connector::connector;
use crate::lower::problems::{Invalid, Problems};
use crate::lower::{free_form, input, output, topic, window};
use crate::text::go_json;
use crate::workload::Workload;
use functionmesh_api::Kind;
use functionmesh_api::common::{Common, Consumption, ProcessingGuarantee};
use functionmesh_api::function::{Function, FunctionSpec};
use k8s_openapi::api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy as Retention;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Map;

impl Component for Function {
    const KIND: Kind = Kind::Function;
    type Spec = FunctionSpec;

    fn common(spec: &FunctionSpec) -> &Common {
        &spec.common
    }

    fn lower(metadata: &ObjectMeta, spec: FunctionSpec) -> Result<Workload, Invalid> {
        let mut problems = Problems::default();
        check(&spec, &mut problems);
        let name = PulsarName::of(metadata, &spec.common);
        let source = source(&spec, &mut problems);
        let sink = sink(&spec, &mut problems);
        let output = spec.output.clone().unwrap_or_default();
        let mut crypto_secrets = output::crypto_secrets(&output);
        crypto_secrets.extend(input::crypto_secrets(&spec.consumption));
        let retry = input::retry_details(&spec.consumption, &name);
        let class_name = text(spec.common.class_name.as_ref());
        let specific = Specific {
            class_name: match spec.window_config {
                Some(_) => WINDOW_FUNCTION_EXECUTOR.to_owned(),
                None => class_name.clone(),
            },
            user_config: user_config(&spec, &class_name),
            auto_ack: spec.consumption.auto_ack.unwrap_or(true),
            guarantee: acknowledges_itself(&spec).then_some(ProcessingGuarantee::Manual),
            go: go(&spec, &source, retry.as_ref().map(|r| r.dead_letter_topic.clone())),
            leftovers: input::leftovers(&spec.consumption, &source.input_specs, &name),
            source,
            sink,
            retry,
            retain_ordering: spec.consumption.retain_ordering == Some(true),
            retain_key_ordering: spec.consumption.retain_key_ordering == Some(true),
            crypto_secrets,
            java: JavaExtras {
                pending_async_requests: Some(spec.max_pending_async_requests.unwrap_or(1000)),
            },
        };
        let mut lowered = workload(Self::KIND, metadata, spec.common, specific, problems)?;
        lowered.volume_claim_templates = spec.volume_claim_templates.unwrap_or_default();
        lowered.claim_retention = spec
            .persistent_volume_claim_retention_policy
            .map(|policy| Retention { when_deleted: policy.when_deleted, when_scaled: policy.when_scaled });
        Ok(lowered)
    }
}

/// The side that consumes: topics, a connector, or both.
fn source(spec: &FunctionSpec, problems: &mut Problems) -> SourceSpec {
    let owns_input = spec.source_config.is_none();
    let mut source = input::source_spec(&spec.common, &spec.consumption, owns_input, problems);
    // The Go operator derives the delay from the timeout; existing Functions rely on it.
    source.negative_ack_redelivery_delay_ms.clone_from(&source.timeout_ms);
    source.skip_to_latest = spec.skip_to_latest == Some(true);
    if let Some(config) = &spec.source_config {
        let found =
            connector(config.source_type.as_ref(), config.class_name.as_ref(), config.configs.as_ref(), None);
        (source.class_name, source.builtin, source.configs) =
            (found.class_name, found.builtin, found.configs);
    }
    source
}

/// The side that produces: a topic, a connector, or both.
fn sink(spec: &FunctionSpec, problems: &mut Problems) -> SinkSpec {
    let output = spec.output.clone().unwrap_or_default();
    let mut sink = output::sink_spec(&output, spec.forward_source_message_property);
    let schema = output::schema_of_output(&output);
    (sink.schema_properties, sink.consumer_properties) =
        (schema.schema_properties, schema.consumer_properties);
    sink.producer_spec = output.producer_conf.as_ref().map(output::producer_spec);
    match &spec.sink_config {
        None => output::check(&output, problems),
        Some(config) => {
            let found = connector(
                config.sink_type.as_ref(),
                config.class_name.as_ref(),
                config.configs.as_ref(),
                Some("sinkType"),
            );
            (sink.class_name, sink.builtin, sink.configs) = (found.class_name, found.builtin, found.configs);
        }
    }
    sink
}

/// The user's configuration, with the window where there is one.
fn user_config(spec: &FunctionSpec, class_name: &str) -> Option<String> {
    let config = spec.func_config.as_ref().map(|config| &config.0);
    match &spec.window_config {
        Some(window) => {
            let guarantee = window::guarantee(window, spec.common.processing_guarantee);
            let window = window::json(window, class_name, guarantee);
            Some(go_json::object_with(config.unwrap_or(&Map::new()), window::USER_CONFIG_KEY, &window))
        }
        None => config.map(go_json::object),
    }
}

/// Whether the instance must leave acknowledgement to the code although `processingGuarantee` is not `manual`: to the
/// window executor, as Pulsar's function worker does, because only the executor knows when a window is complete; and to
/// a Go program with `autoAck: false`, because its instance otherwise does not start.
fn acknowledges_itself(spec: &FunctionSpec) -> bool {
    let guarantee = spec.common.processing_guarantee;
    let window = spec.window_config.as_ref().filter(|_| spec.common.java.is_some());
    let go = spec.common.golang.is_some() && spec.consumption.auto_ack == Some(false);
    go && is_default(guarantee) || window.is_some_and(|window| window::acts(window, guarantee))
}

/// Whether it is the default, which the Go operator's webhook stored in every object.
fn is_default(guarantee: Option<ProcessingGuarantee>) -> bool {
    matches!(guarantee, None | Some(ProcessingGuarantee::AtleastOnce))
}

/// The part of a Go program's configuration that is not in `function_details`.
fn go(spec: &FunctionSpec, source: &SourceSpec, dead_letter_topic: Option<String>) -> GoExtras {
    let input = spec.consumption.input.as_ref();
    let listed = input.and_then(|input| input.topics.as_ref()?.first());
    let pattern = input.and_then(|input| input.topic_pattern.as_ref()).filter(|p| !p.is_empty());
    let pattern = pattern.map(|pattern| topic::pattern(pattern));
    let topic =
        listed.or(pattern.as_ref()).or_else(|| source.input_specs.keys().next()).cloned().unwrap_or_default();
    // One topic without settings is given by its name alone.
    let simple = source.input_specs.len() <= 1
        && source.input_specs.values().all(|spec| {
            let mut plain = spec.clone();
            plain.is_regex_pattern = false;
            plain == crate::instance::function_details::ConsumerSpec::default()
        });
    GoExtras {
        input_specs: if simple { std::collections::BTreeMap::new() } else { source.input_specs.clone() },
        topic,
        is_pattern: pattern.is_some(),
        timeout_ms: spec.consumption.timeout.unwrap_or_default(),
        max_message_retries: spec.consumption.max_message_retry.unwrap_or_default(),
        dead_letter_topic: dead_letter_topic.unwrap_or_default(),
    }
}

fn check(spec: &FunctionSpec, problems: &mut Problems) {
    for (config, path) in [
        (spec.func_config.as_ref(), "spec.funcConfig"),
        (spec.source_config.as_ref().and_then(|source| source.configs.as_ref()), "spec.sourceConfig.configs"),
        (spec.sink_config.as_ref().and_then(|sink| sink.configs.as_ref()), "spec.sinkConfig.configs"),
    ] {
        free_form::check(config.map_or(&Map::new(), |config| &config.0), path, problems);
    }
    check_ordering(&spec.common, &spec.consumption, problems);
    if let Some(window) = &spec.window_config {
        window::check(window, problems);
    }
    if let Some(topic) = spec.common.log_topic.as_deref().filter(|t| !t.is_empty() && !topic::is_valid(t)) {
        problems.add("spec.logTopic", format!("{topic:?} is not a topic name"));
    }
    if spec.sink_config.is_some() {
        return;
    }
    let output = spec.output.as_ref().and_then(|o| o.topic.as_ref()).filter(|t| !t.is_empty());
    let input = spec.consumption.input.as_ref();
    let is_input = |topic: &String| {
        input.is_some_and(|i| {
            i.topics.as_ref().is_some_and(|t| t.contains(topic))
                || i.source_specs.as_ref().is_some_and(|s| s.contains_key(topic))
                || i.custom_serde_sources.as_ref().is_some_and(|s| s.contains_key(topic))
                || i.custom_schema_sources.as_ref().is_some_and(|s| s.contains_key(topic))
        })
    };
    if let Some(topic) = output.filter(|t| is_input(t)) {
        problems.add(
            "spec.output.topic",
            format!("{topic:?} is also an input topic, so the function would consume its own results; choose another"),
        );
    }
}

/// Ordering rules, which apply to Functions only.
fn check_ordering(common: &Common, consumption: &Consumption, problems: &mut Problems) {
    let key_ordered = consumption.retain_key_ordering == Some(true);
    problems.when(
        key_ordered && consumption.retain_ordering == Some(true),
        "spec.retainKeyOrdering",
        "must not be set together with retainOrdering; choose one",
    );
    problems.when(
        key_ordered && common.processing_guarantee == Some(ProcessingGuarantee::EffectivelyOnce),
        "spec.retainKeyOrdering",
        "must not be set with processingGuarantee effectively_once",
    );
}
