//! What only a Function has.

use crate::component::Component;
use crate::details::RetryDetails;
use crate::invalid::Problems;
use crate::java::JavaExtras;
use crate::lower::{PulsarName, Specific, not_yet, text, workload};
use crate::{Invalid, Role, Workload, consumption, json, production, topic};
use functionmesh_api::common::Common;
use functionmesh_api::function::{Function, FunctionSpec};
use k8s_openapi::api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy as Retention;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

impl Component for Function {
    const ROLE: Role = Role::Function;
    type Spec = FunctionSpec;

    fn lower(metadata: &ObjectMeta, spec: FunctionSpec) -> Result<Workload, Invalid> {
        let mut problems = Problems::default();
        check(&spec, &mut problems);
        let output = spec.output.clone().unwrap_or_default();
        production::check(&output, &mut problems);
        let mut source = consumption::source_spec(&spec.common, &spec.consumption, true, &mut problems);
        // The original derives the delay from the timeout; existing functions count on it.
        source.negative_ack_redelivery_delay_ms.clone_from(&source.timeout_ms);
        source.skip_to_latest = spec.skip_to_latest == Some(true);
        let mut sink = production::sink_spec(&output, spec.forward_source_message_property);
        sink.producer_spec = output.producer_conf.as_ref().map(production::producer_spec);

        let mut crypto_secrets = production::crypto_secrets(&output);
        crypto_secrets.extend(consumption::crypto_secrets(&spec.consumption));
        let specific = Specific {
            class_name: text(spec.common.class_name.as_ref()),
            log_topic: text(spec.common.log_topic.as_ref()),
            user_config: spec.func_config.as_ref().map(|config| json::object(config)),
            auto_ack: spec.consumption.auto_ack.unwrap_or(true),
            source,
            sink,
            retry: retry(metadata, &spec),
            retain_ordering: spec.consumption.retain_ordering == Some(true),
            retain_key_ordering: spec.consumption.retain_key_ordering == Some(true),
            crypto_secrets,
            java: JavaExtras {
                pending_async_requests: Some(spec.max_pending_async_requests.unwrap_or(1000)),
            },
        };
        let mut lowered = workload(Self::ROLE, metadata, spec.common, specific, problems)?;
        lowered.volume_claim_templates = spec.volume_claim_templates.unwrap_or_default();
        lowered.claim_retention = spec
            .persistent_volume_claim_retention_policy
            .map(|policy| Retention { when_deleted: policy.when_deleted, when_scaled: policy.when_scaled });
        Ok(lowered)
    }
}

fn retry(metadata: &ObjectMeta, spec: &FunctionSpec) -> Option<RetryDetails> {
    consumption::retry_details(&spec.consumption, &PulsarName::of(metadata, &spec.common))
}

fn check(spec: &FunctionSpec, problems: &mut Problems) {
    check_runtime(&spec.common, problems);
    let used = [
        ("spec.sourceConfig", spec.source_config.is_some()),
        ("spec.sinkConfig", spec.sink_config.is_some()),
        ("spec.windowConfig", spec.window_config.is_some()),
    ];
    for (field, _) in used.iter().filter(|(_, used)| *used) {
        not_yet(problems, field);
    }
    if let Some(topic) = spec.common.log_topic.as_deref().filter(|t| !t.is_empty() && !topic::is_valid(t)) {
        problems.add("spec.logTopic", format!("{topic:?} is not a topic name"));
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
            format!("{topic:?} is also an input topic, so every message would come back; choose another"),
        );
    }
}

/// Exactly one runtime, and one that this release runs.
fn check_runtime(common: &Common, problems: &mut Problems) {
    let others = [
        ("spec.python", common.python.is_some()),
        ("spec.golang", common.golang.is_some()),
        ("spec.genericRuntime", common.generic_runtime.is_some()),
    ];
    for (field, _) in others.iter().filter(|(_, used)| *used) {
        not_yet(problems, field);
    }
    if common.java.is_none() && others.iter().all(|(_, used)| !used) {
        problems.add("spec.java", "must be set: a function needs a runtime");
    }
}
