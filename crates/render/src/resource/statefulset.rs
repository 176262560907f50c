//! The `StatefulSet`.

use crate::backend_defaults::Defaults;
use crate::environment::Environment;
use crate::pod::probe::Evidence;
use crate::pod::template;
use crate::resource::hash;
use crate::resource::labels::selector_labels;
use crate::resource::metadata::metadata;
use crate::resource::restart;
use crate::workload::Workload;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Renders the `StatefulSet` with its own hash in an annotation.
pub(crate) fn stateful_set(
    workload: &Workload,
    environment: &Environment,
    defaults: &Defaults,
) -> StatefulSet {
    let claims = &workload.volume_claim_templates;
    let mut stateful_set = StatefulSet {
        metadata: metadata(workload, workload.name.to_string()),
        spec: StatefulSetSpec {
            replicas: Some(workload.replicas),
            selector: LabelSelector {
                match_labels: Some(selector_labels(workload)),
                ..LabelSelector::default()
            },
            service_name: Some(workload.name.service()),
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            min_ready_seconds: Some(Evidence::of(workload).min_ready_seconds()),
            template: template::template(workload, environment, defaults),
            volume_claim_templates: (!claims.is_empty()).then(|| claims.clone()),
            persistent_volume_claim_retention_policy: workload.claim_retention.clone(),
            ..StatefulSetSpec::default()
        },
        status: None,
    };
    if let Some(time) = &workload.restarted_at {
        restart::request(&mut stateful_set, time);
    }
    hash::stamp(&mut stateful_set, hash::RENDERER_VERSION);
    stateful_set
}
