//! How the objects of the Go operator are recognised.

use functionmesh_objects::managed_fields::GO_OPERATOR;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

/// Label of the cleanup Jobs of the Go operator: the uid of the object. They have no owner reference.
pub(crate) const LABEL_OWNER: &str = "owner";

/// Value of the hash and the renderer on an adopted `StatefulSet` of the Go operator.
pub(crate) const MADE_BY_GO_OPERATOR: &str = "original";

/// Whether the Go operator, which writes whole objects by PUT, owns a field of the pod template that it wrote after the last
/// apply of this operator. Taking the object over transfers its fields, so that this is true once for each switch.
pub(crate) fn changed_by_go_operator(entries: &[ManagedFieldsEntry], manager: &str) -> bool {
    let time = |by: &str, operation: &str| {
        let found = entries.iter().filter(|entry| {
            entry.manager.as_deref() == Some(by)
                && entry.operation.as_deref() == Some(operation)
                && entry.subresource.as_deref().unwrap_or_default().is_empty()
        });
        found.filter(|entry| holds_template(entry)).map(|entry| entry.time.as_ref()).max()
    };
    // Timestamps have a resolution of one second. Equal times count as a later write of the Go operator: a wrong guess costs an
    // approval; the opposite guess could restart pods.
    time(GO_OPERATOR, "Update").is_some_and(|theirs| time(manager, "Apply").is_none_or(|ours| theirs >= ours))
}

fn holds_template(entry: &ManagedFieldsEntry) -> bool {
    entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:spec/f:template").is_some())
}

#[cfg(test)]
mod tests {
    use crate::observed::statefulset::StatefulSetView;
    use crate::observed::view::View;
    use serde_json::json;

    #[test]
    fn the_go_operator_wrote_last_when_it_holds_a_field_of_the_template_since_later() {
        let changed = |entries: serde_json::Value| {
            let mut set: StatefulSetView =
                serde_json::from_value(json!({"metadata": {"managedFields": entries}})).unwrap();
            set.prune("ours");
            set.changed_by_go_operator
        };
        let entry = |manager: &str, operation: &str, time: Option<&str>| {
            json!({"manager": manager, "operation": operation, "time": time,
                "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}})
        };
        let (early, late) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-01T00:00:01Z"));
        let go = |time| entry("manager", "Update", time);
        let ours = |time| entry("ours", "Apply", time);
        assert!(changed(json!([go(early)])), "never ours");
        assert!(changed(json!([ours(None), go(early)])), "taken over, then changed");
        assert!(changed(json!([ours(early), go(late)])));
        assert!(!changed(json!([ours(late), go(early)])), "applied since");
        assert!(!changed(json!([ours(early)])) && !changed(json!([])));
        assert!(!changed(json!([ours(early), entry("kubectl-edit", "Update", late)])), "a person");
        assert!(!changed(json!([ours(early), entry("manager", "Apply", late)])), "it does not apply");
        let replicas = json!({"manager": "manager", "operation": "Update", "time": late,
            "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        assert!(!changed(json!([ours(early), replicas])), "scaling leaves the template alone");
        let mut status = go(late);
        status["subresource"] = json!("status");
        assert!(!changed(json!([ours(early), status])));
    }
}
