//! Labels and annotations.

use crate::workload::Workload;
use functionmesh_api::Kind;
use functionmesh_api::constants;
use std::collections::BTreeMap;

/// Labels of every rendered object, and the selector of its pods: ten for a Function, eight for a Source or Sink. The
/// selector of a `StatefulSet` is immutable, so these labels must never change.
pub fn selector_labels(workload: &Workload) -> BTreeMap<String, String> {
    let name = workload.name.as_str();
    let mut labels: BTreeMap<String, String> = [
        ("app.kubernetes.io/name", name),
        ("app.kubernetes.io/instance", name),
        (constants::LABEL_COMPONENT, workload.kind.singular()),
        (constants::LABEL_NAME, &workload.owner.name),
        (constants::LABEL_NAMESPACE, &workload.namespace),
        ("component", workload.kind.singular()),
        ("name", &workload.owner.name),
        ("namespace", &workload.namespace),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    if workload.kind == Kind::Function {
        labels.insert(constants::LABEL_APP.to_owned(), constants::APP.to_owned());
        labels.insert("app".to_owned(), constants::APP.to_owned());
    }
    labels
}

/// Whether this label selects the pods of a component.
pub(crate) fn is_selector_label(label: &str) -> bool {
    ["app", "component", "name", "namespace", "app.kubernetes.io/name", "app.kubernetes.io/instance"]
        .contains(&label)
        || label.strip_prefix(constants::GROUP).is_some_and(|rest| rest.starts_with('/'))
}
