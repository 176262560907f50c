//! Rules for a BackendConfig: they reject what would make the API server reject the pods of every component that it
//! applies to. The schema ([`crate::checked`]) checks values; keys are checked here, because a schema cannot.

use crate::rules::rule::Rule;

/// The key of a label, or of an annotation, whose prefix may have any case.
const KEY: &str = "(?i)^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?\
                   [a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?$";
/// The name of an environment variable.
const VARIABLE: &str = "^[ -<>-~]+$";

/// The keys of a map below `spec`.
fn keys(parent: Option<&str>, field: &str, pattern: &str) -> String {
    let keys =
        |of: &str| format!("[?{of}.?{field}].all(m, dyn(m) == null || m.all(k, k.matches('{pattern}')))");
    match parent {
        None => keys("@"),
        Some(parent) => format!("[?@.?{parent}].all(p, dyn(p) == null || {})", keys("p")),
    }
}

/// The rules of the `spec`.
pub(super) fn rules() -> Vec<Rule> {
    let one_handler = "[?@.?pod].all(p, dyn(p) == null || [?p.?startupProbe].all(s, dyn(s) == null || \
                       [has(s.exec), has(s.httpGet), has(s.tcpSocket), has(s.grpc)].exists_one(h, h)))";
    vec![
        Rule::invalid(
            ".env",
            keys(None, "env", VARIABLE),
            "spec.env has an invalid variable name: use printable ASCII characters without '='",
        ),
        Rule::invalid(
            ".pod.labels",
            keys(Some("pod"), "labels", KEY),
            "spec.pod.labels has an invalid key: use letters, digits, '-', '_' and '.', optionally with a prefix/",
        ),
        Rule::invalid(
            ".pod.annotations",
            keys(Some("pod"), "annotations", KEY),
            "spec.pod.annotations has an invalid key: use letters, digits, '-', '_' and '.', optionally with a prefix/",
        ),
        Rule::invalid(
            ".pod.nodeSelector",
            keys(Some("pod"), "nodeSelector", KEY),
            "spec.pod.nodeSelector has an invalid key: use letters, digits, '-', '_' and '.', optionally with a prefix/",
        ),
        Rule::invalid(
            ".pod.startupProbe",
            one_handler,
            "spec.pod.startupProbe must have exactly one of exec, httpGet, tcpSocket and grpc",
        ),
    ]
}
