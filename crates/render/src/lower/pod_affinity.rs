//! Node and pod affinity, as the API server checks it.

use crate::lower::labels::{NO_KEY, is_label_key, label};
use crate::lower::problems::Problems;
use k8s_openapi::api::core::v1::{Affinity, NodeSelectorTerm, PodAffinityTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Checks an affinity.
pub(crate) fn affinity(field: &str, affinity: &Affinity, problems: &mut Problems) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    if let Some(node) = &affinity.node_affinity {
        let field = format!("{field}.nodeAffinity");
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            let field = format!("{field}.{REQUIRED}.nodeSelectorTerms");
            problems.when(required.node_selector_terms.is_empty(), &field, "must have at least one term");
            for (i, term) in required.node_selector_terms.iter().enumerate() {
                node_term(&format!("{field}[{i}]"), term, problems);
            }
        }
        let preferred = node.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        for (i, term) in preferred.enumerate() {
            weight(&format!("{field}.{PREFERRED}[{i}].weight"), term.weight, problems);
            node_term(&format!("{field}.{PREFERRED}[{i}].preference"), &term.preference, problems);
        }
    }
    let pods = affinity.pod_affinity.as_ref().map(|a| {
        (
            "podAffinity",
            &a.required_during_scheduling_ignored_during_execution,
            &a.preferred_during_scheduling_ignored_during_execution,
        )
    });
    let anti = affinity.pod_anti_affinity.as_ref().map(|a| {
        (
            "podAntiAffinity",
            &a.required_during_scheduling_ignored_during_execution,
            &a.preferred_during_scheduling_ignored_during_execution,
        )
    });
    for (name, required, preferred) in [pods, anti].into_iter().flatten() {
        let field = format!("{field}.{name}");
        for (i, term) in required.iter().flatten().enumerate() {
            pod_term(&format!("{field}.{REQUIRED}[{i}]"), term, problems);
        }
        for (i, term) in preferred.iter().flatten().enumerate() {
            let field = format!("{field}.{PREFERRED}[{i}]");
            weight(&format!("{field}.weight"), term.weight, problems);
            pod_term(&format!("{field}.podAffinityTerm"), &term.pod_affinity_term, problems);
        }
    }
}

fn weight(field: &str, weight: i32, problems: &mut Problems) {
    problems.when(!(1..=100).contains(&weight), field, "must be from 1 to 100");
}

fn node_term(field: &str, term: &NodeSelectorTerm, problems: &mut Problems) {
    for (i, each) in term.match_expressions.iter().flatten().enumerate() {
        let field = format!("{field}.matchExpressions[{i}]");
        problems.when(!is_label_key(&each.key), &format!("{field}.key"), NO_KEY);
        if ["Gt", "Lt"].contains(&each.operator.as_str()) {
            let single = each.values.as_ref().is_some_and(|values| values.len() == 1);
            problems.when(
                !single,
                &format!("{field}.values"),
                "must be a single value when operator is Gt or Lt",
            );
        } else {
            expression(&field, &each.operator, each.values.as_deref(), problems);
        }
    }
}

/// Checks an expression of a selector, whose operator decides whether it has values.
fn expression(field: &str, operator: &str, values: Option<&[String]>, problems: &mut Problems) {
    let empty = values.is_none_or(<[String]>::is_empty);
    match operator {
        "In" | "NotIn" => {
            problems.when(empty, &format!("{field}.values"), "must be set when operator is In or NotIn");
        }
        "Exists" | "DoesNotExist" => {
            problems.when(
                !empty,
                &format!("{field}.values"),
                "must not be set when operator is Exists or DoesNotExist",
            );
        }
        _ => problems.add(format!("{field}.operator"), "must be In, NotIn, Exists or DoesNotExist"),
    }
}

fn pod_term(field: &str, term: &PodAffinityTerm, problems: &mut Problems) {
    problems.when(
        !is_label_key(&term.topology_key),
        &format!("{field}.topologyKey"),
        "must be the key of a label of nodes, such as kubernetes.io/hostname",
    );
    for (name, selector) in
        [("labelSelector", &term.label_selector), ("namespaceSelector", &term.namespace_selector)]
    {
        if let Some(selector) = selector {
            self::selector(&format!("{field}.{name}"), selector, problems);
        }
    }
}

fn selector(field: &str, selector: &LabelSelector, problems: &mut Problems) {
    for (key, value) in selector.match_labels.iter().flatten() {
        label(&format!("{field}.matchLabels.{key}"), key, value, problems);
    }
    for (i, each) in selector.match_expressions.iter().flatten().enumerate() {
        let field = format!("{field}.matchExpressions[{i}]");
        problems.when(!is_label_key(&each.key), &format!("{field}.key"), NO_KEY);
        expression(&field, &each.operator, each.values.as_deref(), problems);
    }
}
