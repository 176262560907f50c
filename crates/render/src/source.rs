//! What only a Source has.

use crate::component::Component;
use crate::details::{IDENTITY_FUNCTION, SourceSpec as SourceDetails};
use crate::invalid::Problems;
use crate::lower::{Specific, not_yet, text, workload};
use crate::{Invalid, Role, Workload, json, production};
use functionmesh_api::io::ProducerConfig;
use functionmesh_api::source::{Source, SourceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

impl Component for Source {
    const ROLE: Role = Role::Source;
    type Spec = SourceSpec;

    fn lower(metadata: &ObjectMeta, spec: SourceSpec) -> Result<Workload, Invalid> {
        let mut problems = Problems::default();
        let output = spec.output.clone().unwrap_or_default();
        production::check(&output, &mut problems);
        problems.when(
            spec.source_config.is_none(),
            "spec.sourceConfig",
            "must be set: it is the connector's configuration",
        );
        problems.when(
            spec.common.java.is_none(),
            "spec.java",
            "must be set: a source runs as a Java program",
        );
        if spec.batch_source_config.is_some() {
            not_yet(&mut problems, "spec.batchSourceConfig");
        }
        if spec.common.log_topic.as_ref().is_some_and(|t| !t.is_empty()) {
            not_yet(&mut problems, "spec.logTopic");
        }
        let configs = spec.source_config.as_ref().map(|config| json::object(config));
        let mut sink = production::sink_spec(&output, spec.forward_source_message_property);
        // Defaults of behaviour reference 5.1, for sources only.
        sink.producer_spec =
            Some(production::producer_spec(&output.producer_conf.clone().unwrap_or(ProducerConfig {
                max_pending_messages: Some(1000),
                max_pending_messages_across_partitions: Some(1000),
                use_thread_local_producers: Some(true),
                ..ProducerConfig::default()
            })));
        let specific = Specific {
            class_name: IDENTITY_FUNCTION.to_owned(),
            user_config: configs.clone(),
            auto_ack: true,
            source: SourceDetails {
                class_name: text(spec.common.class_name.as_ref()),
                configs,
                type_class_name: production::type_class(&output),
                ..SourceDetails::default()
            },
            sink,
            crypto_secrets: production::crypto_secrets(&output),
            ..Specific::default()
        };
        workload(Self::ROLE, metadata, spec.common, specific, problems)
    }
}
