//! Which object a child belongs to (docs/decisions/0004-ownership-of-children.md).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;

/// The owner of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// This object.
    Ours,
    /// A deleted object of the same kind and name: the garbage collector is about to delete the child.
    Predecessor,
    /// Another object, or none.
    Foreign,
}

/// Determines the owner of a child by its uid, because names are reused. A child without owner reference belongs to this object
/// if the operator's field manager applied it, which `managedFields` record. Labels do not count: its name shows for which object
/// it was applied.
pub fn ownership(child: &ObjectMeta, owner: &OwnerReference) -> Ownership {
    match controller(child) {
        Some(r) if r.uid == owner.uid => Ownership::Ours,
        Some(r) if r.kind == owner.kind && r.name == owner.name => Ownership::Predecessor,
        None if child.managed_fields.is_some() => Ownership::Ours,
        _ => Ownership::Foreign,
    }
}

/// The owner reference of the controller.
pub(crate) fn controller(of: &ObjectMeta) -> Option<&OwnerReference> {
    of.owner_references.iter().flatten().find(|r| r.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::metadata::pruned_metadata;
    use serde_json::json;

    fn owner() -> OwnerReference {
        OwnerReference {
            kind: "Function".to_owned(),
            name: "f".to_owned(),
            uid: "u".to_owned(),
            ..OwnerReference::default()
        }
    }

    /// Whether `manager` wrote the object.
    fn child(owners: &serde_json::Value, manager: &str, operation: &str) -> Ownership {
        let metadata = json!({
            "ownerReferences": owners,
            "managedFields": [{"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {}}}],
        });
        let metadata = pruned_metadata(serde_json::from_value(metadata).unwrap(), "ours");
        for entry in metadata.managed_fields.iter().flatten() {
            assert!(
                entry.fields_v1.is_none() && controller(&metadata).is_none(),
                "more is kept than is read"
            );
        }
        ownership(&metadata, &owner())
    }

    #[test]
    fn a_child_without_an_owner_belongs_to_who_applied_it() {
        let none = json!([]);
        assert_eq!(child(&none, "ours", "Apply"), Ownership::Ours);
        assert_eq!(child(&none, "ours", "Update"), Ownership::Foreign);
        assert_eq!(child(&none, "kubectl", "Apply"), Ownership::Foreign);
        let mut reference = json!({"apiVersion": "v1", "kind": "Function", "name": "f", "uid": "u"});
        assert_eq!(child(&json!([reference]), "ours", "Apply"), Ownership::Ours, "no controller");
        reference["controller"] = json!(true);
        assert_eq!(child(&json!([reference]), "kubectl", "Apply"), Ownership::Ours);
        reference["uid"] = json!("old");
        assert_eq!(child(&json!([reference]), "ours", "Apply"), Ownership::Predecessor);
        reference["name"] = json!("g");
        assert_eq!(child(&json!([reference]), "ours", "Apply"), Ownership::Foreign);
    }
}
