//! Lowering a Sink: what other kinds do not have.

use crate::instance::function_details::{IDENTITY_FUNCTION, SinkSpec as SinkDetails};
use crate::lower::common::{PulsarName, Specific, text, workload};
use crate::lower::component::Component;
use crate::lower::problems::{Invalid, Problems};
use crate::lower::{free_form, input};
use crate::text::go_json;
use crate::workload::Workload;
use functionmesh_api::Kind;
use functionmesh_api::common::Common;
use functionmesh_api::sink::{Sink, SinkSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

impl Component for Sink {
    const KIND: Kind = Kind::Sink;
    type Spec = SinkSpec;

    fn common(spec: &SinkSpec) -> &Common {
        &spec.common
    }

    fn lower(metadata: &ObjectMeta, spec: SinkSpec) -> Result<Workload, Invalid> {
        let mut problems = Problems::default();
        problems.when(
            spec.sink_config.is_none(),
            "spec.sinkConfig",
            "must be set: it is the connector's configuration",
        );
        if let Some(config) = &spec.sink_config {
            free_form::check(config, "spec.sinkConfig", &mut problems);
        }
        let name = PulsarName::of(metadata, &spec.common);
        let mut source = input::source_spec(&spec.common, &spec.consumption, true, &mut problems);
        source.negative_ack_redelivery_delay_ms = input::milliseconds(spec.negative_ack_redelivery_delay_ms);
        let specific = Specific {
            class_name: IDENTITY_FUNCTION.to_owned(),
            auto_ack: spec.consumption.auto_ack.unwrap_or(true),
            sink: SinkDetails {
                class_name: text(spec.common.class_name.as_ref()),
                configs: spec.sink_config.as_ref().map(|config| go_json::object(config)),
                type_class_name: source.type_class_name.clone(),
                ..SinkDetails::default()
            },
            leftovers: input::leftovers(&spec.consumption, &source.input_specs, &name),
            source,
            retry: input::retry_details(&spec.consumption, &name),
            retain_ordering: spec.consumption.retain_ordering == Some(true),
            retain_key_ordering: spec.consumption.retain_key_ordering == Some(true),
            crypto_secrets: input::crypto_secrets(&spec.consumption),
            ..Specific::default()
        };
        workload(Self::KIND, metadata, spec.common, specific, problems)
    }
}
