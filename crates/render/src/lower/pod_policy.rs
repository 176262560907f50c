//! What the API server refuses in a pod template, found before it is asked: for `spec.pod` of an object and of a
//! `BackendConfig`. Only what every supported release of Kubernetes refuses; the rest is left to the API server.

use crate::lower::problems::{Invalid, Problems};
use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_api::pod::{Liveness, PodPolicy};
use k8s_openapi::api::core::v1::{
    Affinity, NodeSelectorTerm, PodAffinityTerm, PodSecurityContext, Probe, Toleration,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Users and groups above are refused.
const MAX_ID: i64 = 2_147_483_647;

/// Checks a `BackendConfig`: the fields that it contributes to pods.
///
/// # Errors
/// Every problem, with its field.
pub fn check_backend_config(spec: &BackendConfigSpec) -> Result<(), Invalid> {
    let mut problems = Problems::default();
    for name in spec.env.iter().flat_map(|env| env.keys()) {
        variable(&format!("spec.env.{name}"), name, &mut problems);
    }
    if let Some(pod) = &spec.pod {
        settings(pod, &mut problems);
    }
    problems.unless_any(())
}

/// Checks the settings of `spec.pod` that objects and `BackendConfig`s share.
pub(crate) fn settings(pod: &PodPolicy, problems: &mut Problems) {
    for (name, map) in [("labels", &pod.labels), ("nodeSelector", &pod.node_selector)] {
        for (key, value) in map.iter().flatten() {
            label(&format!("spec.pod.{name}.{key}"), key, value, problems);
        }
    }
    for key in pod.annotations.iter().flat_map(|map| map.keys()) {
        let wrong = !is_label_key(&key.to_lowercase());
        problems.when(wrong, &format!("spec.pod.annotations.{key}"), NO_KEY);
    }
    for (i, each) in pod.tolerations.iter().flatten().enumerate() {
        toleration(&format!("spec.pod.tolerations[{i}]"), each, problems);
    }
    if let Some(affinity) = &pod.affinity {
        self::affinity("spec.pod.affinity", affinity, problems);
    }
    if let Some(context) = &pod.security_context {
        security("spec.pod.securityContext", context, problems);
    }
    if let Some(account) = pod.service_account_name.as_ref().filter(|name| !name.is_empty()) {
        problems.when(
            !is_subdomain(account),
            "spec.pod.serviceAccountName",
            "must be the name of a ServiceAccount: lower case letters, digits, '-' and '.', with a letter or digit at both ends",
        );
    }
    if let Some(liveness) = &pod.liveness {
        self::liveness("spec.pod.liveness", liveness, problems);
    }
    if let Some(probe) = &pod.startup_probe {
        self::probe("spec.pod.startupProbe", probe, problems);
    }
}

/// Checks the name of an environment variable.
pub(crate) fn variable(field: &str, name: &str, problems: &mut Problems) {
    problems.when(
        name.is_empty() || !name.chars().all(|c| (' '..='~').contains(&c) && c != '='),
        field,
        "is no name of an environment variable: printable ASCII characters without '='",
    );
}

const NO_KEY: &str =
    "is no label key: letters, digits, '-', '_' and '.', at most 63 characters, with prefix/ if you like";
const NO_VALUE: &str =
    "must be at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";

fn label(field: &str, key: &str, value: &str, problems: &mut Problems) {
    if !is_label_key(key) {
        problems.add(field, NO_KEY);
    } else if !is_label_value(value) {
        problems.add(field, NO_VALUE);
    }
}

fn toleration(field: &str, toleration: &Toleration, problems: &mut Problems) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (key, operator, value, effect) = (
        text(&toleration.key),
        text(&toleration.operator),
        text(&toleration.value),
        text(&toleration.effect),
    );
    problems.when(!key.is_empty() && !is_label_key(&key), &format!("{field}.key"), NO_KEY);
    problems.when(
        key.is_empty() && operator != "Exists",
        &format!("{field}.operator"),
        "must be Exists when there is no key",
    );
    // Lt and Gt exist in newer releases of Kubernetes.
    match operator.as_str() {
        "" | "Equal" => problems.when(!is_label_value(&value), &format!("{field}.value"), NO_VALUE),
        "Exists" => {
            problems.when(
                !value.is_empty(),
                &format!("{field}.value"),
                "must be empty when operator is Exists",
            );
        }
        "Lt" | "Gt" => {}
        _ => problems.add(format!("{field}.operator"), "must be Equal or Exists"),
    }
    problems.when(
        !["", "NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect.as_str()),
        &format!("{field}.effect"),
        "must be NoSchedule, PreferNoSchedule or NoExecute",
    );
    problems.when(
        toleration.toleration_seconds.is_some() && effect != "NoExecute",
        &format!("{field}.effect"),
        "must be NoExecute when tolerationSeconds is set",
    );
}

fn affinity(field: &str, affinity: &Affinity, problems: &mut Problems) {
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

/// An expression of a selector: whether it has values is up to its operator.
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

fn security(field: &str, context: &PodSecurityContext, problems: &mut Problems) {
    let groups = context.supplemental_groups.iter().flatten().map(|id| ("supplementalGroups", Some(*id)));
    let ids = [
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
        ("fsGroup", context.fs_group),
    ];
    for (name, id) in ids.into_iter().chain(groups) {
        let wrong = id.is_some_and(|id| !(0..=MAX_ID).contains(&id));
        problems.when(wrong, &format!("{field}.{name}"), "must be from 0 to 2147483647");
    }
    problems.when(
        context.fs_group_change_policy.as_ref().is_some_and(|p| p != "Always" && p != "OnRootMismatch"),
        &format!("{field}.fsGroupChangePolicy"),
        "must be Always or OnRootMismatch",
    );
    if let Some(profile) = &context.seccomp_profile {
        let known = ["RuntimeDefault", "Unconfined", "Localhost"].contains(&profile.type_.as_str());
        let field = format!("{field}.seccompProfile");
        problems.when(!known, &format!("{field}.type"), "must be RuntimeDefault, Unconfined or Localhost");
        problems.when(
            known && (profile.type_ == "Localhost") != profile.localhost_profile.is_some(),
            &format!("{field}.localhostProfile"),
            "must be set when type is Localhost, and only then",
        );
    }
}

fn liveness(field: &str, liveness: &Liveness, problems: &mut Problems) {
    // Without a period there is no probe.
    if liveness.period_seconds.is_none_or(|period| period <= 0) {
        return;
    }
    problems.when(
        liveness.success_threshold.is_some_and(|n| n != 0 && n != 1),
        &format!("{field}.successThreshold"),
        "must be 1, or left out",
    );
    problems.when(
        liveness.failure_threshold.is_some_and(|n| n < 0),
        &format!("{field}.failureThreshold"),
        "must not be negative",
    );
}

fn probe(field: &str, probe: &Probe, problems: &mut Problems) {
    let handlers =
        [probe.exec.is_some(), probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.grpc.is_some()];
    problems.when(
        handlers.iter().filter(|set| **set).count() != 1,
        field,
        "must have exactly one of exec, httpGet, tcpSocket and grpc",
    );
    for (name, seconds) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("failureThreshold", probe.failure_threshold),
    ] {
        problems.when(seconds.is_some_and(|n| n < 0), &format!("{field}.{name}"), "must not be negative");
    }
    problems.when(
        probe.success_threshold.is_some_and(|n| n != 0 && n != 1),
        &format!("{field}.successThreshold"),
        "must be 1, or left out",
    );
    problems.when(
        probe.termination_grace_period_seconds.is_some_and(|n| n <= 0),
        &format!("{field}.terminationGracePeriodSeconds"),
        "must be above 0",
    );
    let exec = probe.exec.as_ref();
    problems.when(
        exec.is_some_and(|exec| exec.command.as_ref().is_none_or(Vec::is_empty)),
        &format!("{field}.exec.command"),
        "must be set",
    );
    let ports = [
        ("httpGet", probe.http_get.as_ref().map(|http| http.port.clone())),
        ("tcpSocket", probe.tcp_socket.as_ref().map(|tcp| tcp.port.clone())),
        ("grpc", probe.grpc.as_ref().map(|grpc| IntOrString::Int(grpc.port))),
    ];
    for (name, port) in ports {
        let wrong = port.is_some_and(|port| match port {
            IntOrString::Int(number) => !(1..=65535).contains(&number),
            IntOrString::String(name) => !is_port_name(&name),
        });
        problems.when(
            wrong,
            &format!("{field}.{name}.port"),
            "must be from 1 to 65535, or the name of a port",
        );
    }
    let scheme = probe.http_get.as_ref().and_then(|http| http.scheme.as_deref()).unwrap_or_default();
    problems.when(
        !["", "HTTP", "HTTPS"].contains(&scheme),
        &format!("{field}.httpGet.scheme"),
        "must be HTTP or HTTPS",
    );
}

/// As the API server has it: at most 15 characters, at least one letter, no two dashes in a row and none at an end.
fn is_port_name(name: &str) -> bool {
    let inner = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let end = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    (1..=15).contains(&name.len()) && inner && !end && name.chars().any(|c| c.is_ascii_lowercase())
}

fn is_subdomain(name: &str) -> bool {
    let label = |part: &str| {
        let inner = part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        inner && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Whether a text is the key of a label or an annotation.
pub(crate) fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_subdomain)
}

/// Whether a text is the value of a label.
pub(crate) fn is_label_value(value: &str) -> bool {
    let end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && end(value.chars().next())
        && end(value.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refused(spec: Value) -> Vec<String> {
        let spec: BackendConfigSpec = serde_json::from_value(spec).unwrap();
        check_backend_config(&spec).err().into_iter().flat_map(|e| e.0).map(|p| p.field).collect()
    }

    #[test]
    fn what_the_api_server_takes_is_valid() {
        let all = json!({
            "env": {"A": "b", "a.b-c": "", "1": "x", "with space": ""},
            "pod": {
                "labels": {"example.com/a": "B_c.d", "e": ""},
                "annotations": {"Example.com/A": "any text: {}", "b": ""},
                "nodeSelector": {"kubernetes.io/os": "linux"},
                "tolerations": [
                    {"operator": "Exists"},
                    {"key": "a", "value": "b", "effect": "NoSchedule"},
                    {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
                    {"key": "a", "operator": "Gt", "value": "5"},
                ],
                "imagePullSecrets": [{"name": "a"}, {}],
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}, {"key": "a", "operator": "Gt", "values": ["1"]}]},
                            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
                        ]},
                        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}],
                    },
                    "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 100, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}}},
                    ]},
                },
                "securityContext": {"runAsUser": 0, "supplementalGroups": [1], "fsGroupChangePolicy": "Always",
                    "seccompProfile": {"type": "Localhost", "localhostProfile": "p"}},
                "terminationGracePeriodSeconds": -1,
                "serviceAccountName": "a.b-c",
                "liveness": {"periodSeconds": 10, "initialDelaySeconds": -1, "successThreshold": 1, "failureThreshold": 0},
                "startupProbe": {"httpGet": {"port": "http-metrics"}, "failureThreshold": 3},
            },
        });
        assert_eq!(refused(all), [""; 0]);
        assert_eq!(
            refused(json!({"pod": {"serviceAccountName": "", "liveness": {"successThreshold": 5}}})),
            [""; 0]
        );
    }

    #[test]
    fn what_the_api_server_refuses_is_named() {
        let cases = [
            (json!({"env": {"A=B": ""}}), "spec.env.A=B"),
            (json!({"env": {"": ""}}), "spec.env."),
            (json!({"env": {"Ä": ""}}), "spec.env.Ä"),
            (json!({"pod": {"labels": {"a": "b c"}}}), "spec.pod.labels.a"),
            (json!({"pod": {"labels": {"-": "b"}}}), "spec.pod.labels.-"),
            (json!({"pod": {"annotations": {"a b": ""}}}), "spec.pod.annotations.a b"),
            (json!({"pod": {"nodeSelector": {"a": "b c"}}}), "spec.pod.nodeSelector.a"),
            (
                json!({"pod": {"tolerations": [{"key": "a", "operator": "exists"}]}}),
                "spec.pod.tolerations[0].operator",
            ),
            (json!({"pod": {"tolerations": [{}]}}), "spec.pod.tolerations[0].operator"),
            (
                json!({"pod": {"tolerations": [{"key": "a b", "operator": "Exists"}]}}),
                "spec.pod.tolerations[0].key",
            ),
            (
                json!({"pod": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}}),
                "spec.pod.tolerations[0].value",
            ),
            (
                json!({"pod": {"tolerations": [{"key": "a", "value": "b c"}]}}),
                "spec.pod.tolerations[0].value",
            ),
            (
                json!({"pod": {"tolerations": [{"key": "a", "effect": "Never"}]}}),
                "spec.pod.tolerations[0].effect",
            ),
            (
                json!({"pod": {"tolerations": [{"key": "a", "tolerationSeconds": 1}]}}),
                "spec.pod.tolerations[0].effect",
            ),
            (
                json!({"pod": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}}}),
                "spec.pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
            ),
            (
                json!({"pod": {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ""}]}}}}),
                "spec.pod.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
            ),
            (json!({"pod": {"securityContext": {"runAsUser": -1}}}), "spec.pod.securityContext.runAsUser"),
            (
                json!({"pod": {"securityContext": {"seccompProfile": {"type": "Localhost"}}}}),
                "spec.pod.securityContext.seccompProfile.localhostProfile",
            ),
            (json!({"pod": {"serviceAccountName": "A_b"}}), "spec.pod.serviceAccountName"),
            (
                json!({"pod": {"liveness": {"periodSeconds": 1, "successThreshold": 2}}}),
                "spec.pod.liveness.successThreshold",
            ),
            (json!({"pod": {"startupProbe": {"periodSeconds": 1}}}), "spec.pod.startupProbe"),
            (
                json!({"pod": {"startupProbe": {"tcpSocket": {"port": 0}}}}),
                "spec.pod.startupProbe.tcpSocket.port",
            ),
            (
                json!({"pod": {"startupProbe": {"httpGet": {"port": 1, "scheme": "http"}}}}),
                "spec.pod.startupProbe.httpGet.scheme",
            ),
        ];
        for (spec, field) in cases {
            assert_eq!(refused(spec), [field]);
        }
    }
}
