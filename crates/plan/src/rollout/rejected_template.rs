//! Attributes a refused pod template to its source: the refused field may come from a `BackendConfig`, which then has to be
//! corrected.

use crate::health::reason::Reason;
use crate::outcome::FailedWrite;
use crate::rollout::backend_config::Backend;
use functionmesh_objects::refusal::Refusal;
use functionmesh_render::Defaults;
use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::Value;

/// How a refused `StatefulSet` is reported, with the `BackendConfig`s that contributed to it. `render`
/// renders it with other defaults.
pub fn with_contributors(
    failed: FailedWrite,
    refusal: Option<Refusal>,
    backend: &Backend,
    render: impl Fn(&Defaults) -> StatefulSet,
) -> FailedWrite {
    let FailedWrite { reason, message } = failed;
    let render =
        |defaults: &Defaults| serde_json::to_value(render(defaults).spec.template).unwrap_or_default();
    match refusal {
        Some(Refusal::Invalid) if reason != Reason::RecreateRequired => {
            let paths = paths(&message);
            let whole = render(&backend.defaults);
            let names = backend.contributors(|defaults| {
                let without = render(defaults);
                paths.iter().any(|path| differs(&whole, &without, path))
            });
            if names.is_empty() {
                return FailedWrite { reason, message };
            }
            let message =
                format!("{message}. The refused field comes from {}; correct it there", list(&names));
            FailedWrite { reason: Reason::InvalidBackendConfig, message }
        }
        Some(Refusal::AdmissionDenied) => {
            let names = backend.contributors(render);
            let taking_part = if names.is_empty() {
                String::new()
            } else {
                format!(". {} contributed to its pods", list(&names))
            };
            FailedWrite { reason, message: message + &taking_part }
        }
        _ => FailedWrite { reason, message },
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("BackendConfig {name}")).collect::<Vec<_>>().join(" and ")
}

/// The fields below the pod template as reported by the API server, such as `spec.tolerations[0].operator`.
fn paths(message: &str) -> Vec<String> {
    const TEMPLATE: &str = "spec.template.";
    let found = message.match_indices(TEMPLATE).filter_map(|(at, _)| message.get(at + TEMPLATE.len()..));
    found
        .map(|rest| {
            let path = rest.split([':', ' ']).next().unwrap_or_default();
            // Those of the pod's metadata are reported without the prefix.
            if path.starts_with("spec.") { path.to_owned() } else { format!("metadata.{path}") }
        })
        .collect()
}

/// Whether the value at a path in one template is missing in the other. List items may have another index there.
fn differs(whole: &Value, other: &Value, path: &str) -> bool {
    let (mut here, mut there) = (whole, Some(other));
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        match here {
            Value::Array(items) => {
                let Some(item) = step.parse::<usize>().ok().and_then(|index| items.get(index)) else { break };
                let named = |other: &&Value| *other == item || same_name(other, item);
                there = there.and_then(Value::as_array).and_then(|others| others.iter().find(named));
                here = item;
            }
            Value::Object(fields) => {
                let Some(field) = fields.get(step) else { break };
                there = there.and_then(|there| there.get(step));
                here = field;
            }
            _ => break,
        }
    }
    there != Some(here)
}

/// Whether two items of a list are the same container or variable.
fn same_name(one: &Value, other: &Value) -> bool {
    one.get("name").is_some_and(|name| Some(name) == other.get("name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found_in_messages_of_the_api_server() {
        let message = "StatefulSet f was refused: StatefulSet.apps \"f\" is invalid: [spec.template.labels: Invalid value: \
                       \"a b\": x, spec.template.spec.tolerations[0].operator: Unsupported value: \"y\", spec.replicas: z]";
        assert_eq!(paths(message), ["metadata.labels", "spec.tolerations[0].operator"]);
        assert!(paths("no field").is_empty());
    }

    #[test]
    fn a_field_that_only_one_template_has_differs() {
        let whole = json!({"spec": {
            "tolerations": [{"key": "theirs"}, {"key": "own"}],
            "containers": [{"name": "c", "env": [{"name": "THEIRS", "value": "1"}, {"name": "OWN", "value": "2"}]}],
        }});
        let own = json!({"spec": {
            "tolerations": [{"key": "own"}],
            "containers": [{"name": "c", "env": [{"name": "OWN", "value": "2"}]}],
        }});
        for (path, theirs) in [
            ("spec.tolerations[0].key", true),
            ("spec.tolerations[1].key", false),
            ("spec.containers[0].env[0].name", true),
            ("spec.containers[0].env[1].value", false),
            ("spec.containers[0].name", false),
            ("spec.nodeSelector", true),
        ] {
            assert_eq!(differs(&whole, &own, path), theirs, "{path}");
        }
    }
}
