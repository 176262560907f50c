//! Lowering a Source: what other kinds do not have.

use crate::instance::function_details::{
    BATCH_SOURCE_EXECUTOR, IDENTITY_FUNCTION, SourceSpec as SourceDetails,
};
use crate::lower::common::{PulsarName, Specific, text, workload};
use crate::lower::component::Component;
use crate::lower::problems::{Invalid, Problems};
use crate::lower::{free_form, output};
use crate::text::go_json;
use crate::workload::{Leftovers, Workload};
use functionmesh_api::Kind;
use functionmesh_api::common::Common;
use functionmesh_api::io::ProducerConfig;
use functionmesh_api::source::{BatchSourceConfig, Source, SourceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

/// Keys under which the batch source executor finds the discovery configuration and the class to run.
const BATCH_CONFIG_KEY: &str = "__BATCHSOURCECONFIGS__";
const BATCH_CLASS_KEY: &str = "__BATCHSOURCECLASSNAME__";

impl Component for Source {
    const KIND: Kind = Kind::Source;
    type Spec = SourceSpec;

    fn common(spec: &SourceSpec) -> &Common {
        &spec.common
    }

    fn lower(metadata: &ObjectMeta, spec: SourceSpec) -> Result<Workload, Invalid> {
        let mut problems = Problems::default();
        let output = spec.output.clone().unwrap_or_default();
        output::check(&output, &mut problems);
        problems.when(
            spec.source_config.is_none(),
            "spec.sourceConfig",
            "must be set: it is the connector's configuration",
        );
        for (config, path) in [
            (spec.source_config.as_ref(), "spec.sourceConfig"),
            (
                spec.batch_source_config.as_ref().and_then(|batch| batch.discovery_triggerer_config.as_ref()),
                "spec.batchSourceConfig.discoveryTriggererConfig",
            ),
        ] {
            free_form::check(config.map_or(&Map::new(), |config| &config.0), path, &mut problems);
        }
        let name = PulsarName::of(metadata, &spec.common);
        let class_name = text(spec.common.class_name.as_ref());
        let given = spec.source_config.as_ref().map(|config| &config.0);
        let batch = spec.batch_source_config.as_ref();
        let mut sink = output::sink_spec(&output, spec.forward_source_message_property);
        // The Go operator has these defaults for Sources only.
        sink.producer_spec =
            Some(output::producer_spec(&output.producer_conf.clone().unwrap_or(ProducerConfig {
                max_pending_messages: Some(1000),
                max_pending_messages_across_partitions: Some(1000),
                use_thread_local_producers: Some(true),
                ..ProducerConfig::default()
            })));
        let specific = Specific {
            class_name: IDENTITY_FUNCTION.to_owned(),
            user_config: given.map(go_json::object),
            auto_ack: true,
            source: SourceDetails {
                configs: match batch {
                    Some(batch) => Some(go_json::object(&batch_config(given, batch, &class_name))),
                    None => given.map(go_json::object),
                },
                class_name: if batch.is_some() { BATCH_SOURCE_EXECUTOR.to_owned() } else { class_name },
                type_class_name: output::type_class(&output),
                ..SourceDetails::default()
            },
            sink,
            crypto_secrets: output::crypto_secrets(&output),
            leftovers: batch.map(|_| intermediate(&name)),
            ..Specific::default()
        };
        workload(Self::KIND, metadata, spec.common, specific, problems)
    }
}

/// The connector's configuration, extended for the batch source executor.
fn batch_config(
    given: Option<&Map<String, Value>>,
    batch: &BatchSourceConfig,
    class_name: &str,
) -> Map<String, Value> {
    let class = Value::from(batch.discovery_triggerer_class_name.as_str());
    let discovery = batch.discovery_triggerer_config.as_ref().map_or_else(String::new, |config| {
        format!(",\"discoveryTriggererConfig\":{}", go_json::object(config))
    });
    let discovery = format!("{{\"discoveryTriggererClassName\":{class}{discovery}}}");
    let mut config = given.cloned().unwrap_or_default();
    config.insert(BATCH_CONFIG_KEY.to_owned(), discovery.into());
    config.insert(BATCH_CLASS_KEY.to_owned(), class_name.into());
    config
}

/// The intermediate topic of a batch source, which holds the discovered tasks.
fn intermediate(name: &PulsarName) -> Leftovers {
    let PulsarName { tenant, namespace, name } = name;
    Leftovers::Topic {
        subscription: format!("BatchSourceExecutor-{tenant}/{namespace}/{name}"),
        topic: format!("persistent://{tenant}/{namespace}/{name}-intermediate"),
    }
}
