//! Default anti-affinity.

use k8s_openapi::api::core::v1::{Affinity, PodAffinityTerm, WeightedPodAffinityTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// The user's affinity, extended by a preference for running the pods of a component on different nodes.
pub(crate) fn spread(affinity: Option<&Affinity>, pod_labels: &BTreeMap<String, String>) -> Affinity {
    let mut affinity = affinity.cloned().unwrap_or_default();
    affinity
        .pod_anti_affinity
        .get_or_insert_default()
        .preferred_during_scheduling_ignored_during_execution
        .get_or_insert_default()
        .push(WeightedPodAffinityTerm {
            weight: 100,
            pod_affinity_term: PodAffinityTerm {
                topology_key: "kubernetes.io/hostname".to_owned(),
                label_selector: Some(LabelSelector {
                    match_labels: Some(pod_labels.clone()),
                    ..LabelSelector::default()
                }),
                ..PodAffinityTerm::default()
            },
        });
    affinity
}
