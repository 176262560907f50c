//! Rules for what the API server rejects in every pod.

use crate::rules::rule::{Rule, given, if_given};

/// Labels that select the pods, and the prefix of the operator's labels.
const SELECTING: &str = "['app', 'component', 'name', 'namespace', 'app.kubernetes.io/name', \
                         'app.kubernetes.io/instance', 'compute.functionmesh.io/app', \
                         'compute.functionmesh.io/component', 'compute.functionmesh.io/name', \
                         'compute.functionmesh.io/namespace']";

/// The handlers of a probe, one of which is required.
const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];

/// Labels and probes of the pods of every component.
pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::invalid(
            ".pod.labels",
            if_given("pod.labels", &format!("{SELECTING}.all(k, !(k in @.pod.labels))")),
            "spec.pod.labels must not have a label by which the pods are selected, such as app, component, name or \
             namespace; use another key",
        ),
        Rule::required(
            ".pod.startupProbe",
            if_given("pod.startupProbe", &handled("@.pod.startupProbe")),
            "spec.pod.startupProbe must have one of exec, httpGet, tcpSocket and grpc",
        ),
        containers("pod.initContainers", ".pod.initContainers"),
        containers("pod.sidecars", ".pod.sidecars"),
        Rule::invalid(
            ".pod.liveness",
            format!("!{} || @.pod.liveness.successThreshold <= 1", given("pod.liveness.successThreshold")),
            "spec.pod.liveness.successThreshold must be 1, because Kubernetes requires it for liveness probes; remove it",
        ),
    ]
}

/// The probes of additional containers.
fn containers(path: &str, field: &'static str) -> Rule {
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"]
        .map(|probe| format!("(!has(c.{probe}) || {})", handled(&format!("c.{probe}"))));
    Rule::required(
        field,
        if_given(path, &format!("@.{path}.all(c, {})", probes.join(" && "))),
        "the probes of spec.pod.initContainers and spec.pod.sidecars must each have one of exec, httpGet, tcpSocket \
         and grpc",
    )
}

fn handled(probe: &str) -> String {
    format!("({})", HANDLERS.map(|handler| format!("has({probe}.{handler})")).join(" || "))
}
