//! Validates `spec.pod` of an object and of a `BackendConfig` as the API server validates pod templates. Only what
//! every supported release of Kubernetes rejects is checked; the rest is left to the API server.

use crate::lower::labels::{NO_KEY, NO_VALUE, is_label_key, is_label_value, is_subdomain, label};
use crate::lower::pod_affinity::affinity;
use crate::lower::pod_probe::{liveness, probe};
use crate::lower::problems::{Invalid, Problems};
use functionmesh_api::backend_config::BackendConfigSpec;
use functionmesh_api::pod::PodPolicy;
use k8s_openapi::api::core::v1::{PodSecurityContext, Toleration};

/// Maximum user and group ID.
const MAX_ID: i64 = 2_147_483_647;

/// Checks a `BackendConfig`: the fields that it contributes to pods.
///
/// # Errors
/// All problems, each with the path of its field.
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
    if let Some(given) = &pod.affinity {
        affinity("spec.pod.affinity", given, problems);
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
    if let Some(given) = &pod.liveness {
        liveness("spec.pod.liveness", given, problems);
    }
    if let Some(given) = &pod.startup_probe {
        probe("spec.pod.startupProbe", given, problems);
    }
}

/// Checks the name of an environment variable.
pub(crate) fn variable(field: &str, name: &str, problems: &mut Problems) {
    problems.when(
        name.is_empty() || !name.chars().all(|c| (' '..='~').contains(&c) && c != '='),
        field,
        "is not a valid name of an environment variable: use printable ASCII characters without '='",
    );
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
    // Lt and Gt are supported by newer releases of Kubernetes.
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
