use super::*;

fn metadata(entries: &Value) -> ObjectMeta {
    serde_json::from_value(json!({"managedFields": entries})).unwrap()
}

fn entries(value: &Value) -> Vec<ManagedFieldsEntry> {
    metadata(value).managed_fields.unwrap()
}

fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": operation, "time": "2026-01-01T00:00:00Z", "fieldsV1": fields})
}

fn fields(entries: &[ManagedFieldsEntry], manager: &str) -> Option<Value> {
    let found = entries.iter().find(|entry| entry.manager.as_deref() == Some(manager));
    found.and_then(|entry| entry.fields_v1.clone()).map(|fields| fields.0)
}

#[test]
fn a_set_of_fields_keeps_its_form() {
    for tree in [
        json!({}),
        json!({"f:a": {}, "f:b": {".": {}, "f:c": {}}}),
        json!({"f:a": {"k:{\"x\":1}": {"f:y": {}}}}),
    ] {
        assert_eq!(Fields::of(&tree).to_value(), tree);
    }
}

#[test]
fn a_component_says_who_owns_what() {
    let ours = |spec: Value| entry(MESH_CONTROLLER, "Apply", &json!({"f:spec": spec}));
    let go = |spec: Value| {
        entry(BEFORE_FIRST_APPLY, "Update", &json!({"f:metadata": {"f:x": {}}, "f:spec": spec}))
    };
    let of = |entries: &[Value]| Owners::of(&metadata(&json!(entries)));
    assert_eq!(of(&[]), Owners::default());
    let shared = of(&[ours(json!({"f:a": {}, "f:replicas": {}})), go(json!({"f:a": {}, "f:b": {}}))]);
    assert_eq!(shared, Owners { shared: true, mesh_owns_replicas: true, replicas_chosen: true });
    assert!(!of(&[ours(json!({"f:a": {}})), go(json!({"f:b": {}}))]).shared, "nothing in common");
    let below = of(&[ours(json!({"f:pod": {}})), go(json!({"f:pod": {"f:x": {}}}))]);
    assert!(!below.shared, "the struct is ours, a field in it the other's");
    assert!(!of(&[go(json!({"f:a": {}}))]).shared, "nothing was applied yet");
    let edited = entry("kubectl-edit", "Update", &json!({"f:spec": {"f:a": {}}}));
    assert!(!of(&[ours(json!({"f:a": {}})), edited]).shared, "a user's");
}

#[test]
fn a_number_is_chosen_unless_it_came_with_the_object() {
    let chosen = |entries: &[Value]| Owners::of(&metadata(&json!(entries))).replicas_chosen;
    let created = entry(
        "kubectl-client-side-apply",
        "Update",
        &json!({"f:spec": {"f:minReplicas": {}, "f:replicas": {}}}),
    );
    assert!(!chosen(std::slice::from_ref(&created)));
    assert!(chosen(&[entry(
        "kubectl",
        "Apply",
        &json!({"f:spec": {"f:minReplicas": {}, "f:replicas": {}}})
    )]));
    assert!(!chosen(&[entry("kubectl", "Apply", &json!({"f:spec": {"f:minReplicas": {}}}))]));
    let mut scaled = entry("autoscaler", "Update", &json!({"f:spec": {"f:replicas": {}}}));
    assert!(chosen(&[created.clone(), scaled.clone()]), "an edit of that field");
    scaled["subresource"] = json!("scale");
    assert!(chosen(&[created, scaled]));
}

#[test]
fn what_the_go_operator_wrote_is_inherited_once() {
    let spec = json!({"f:spec": {"f:maxReplicas": {}, "f:behavior": {"f:x": {}}}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}});
    let ours = entry("us", "Apply", &json!({"f:spec": {"f:maxReplicas": {}}}));
    let status = json!({"manager": "manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:spec": {}}});
    let edited = entry("kubectl-edit", "Update", &json!({"f:spec": {"f:minReplicas": {}}}));
    let list = json!([ours, entry("manager", "Update", &spec), status, edited]);
    assert!(is_inherited(&metadata(&list), "us"));
    let after = inherit(entries(&list), "us", "autoscaling/v2", now());
    assert!(!is_inherited(&metadata(&json!(after)), "us"), "once");
    assert_eq!(fields(&after, "us"), Some(spec.clone()));
    assert_eq!(after.iter().filter(|entry| entry.manager.as_deref() == Some("us")).count(), 1);
    assert_eq!((after.len(), fields(&after, "kubectl-edit").is_some()), (3, true));
    // Another program of that name wrote later.
    let mut later = entry("manager", "Update", &json!({"f:spec": {"f:y": {}}}));
    later["time"] = json!("2026-01-01T00:00:01Z");
    assert!(!is_inherited(&metadata(&json!([ours, later])), "us"));
    assert!(is_inherited(&metadata(&json!([later])), "us"), "nothing was applied yet");
    // The writer of the metadata is unknown.
    let after = inherit(entries(&json!([entry(BEFORE_FIRST_APPLY, "Update", &spec)])), "us", "v1", now());
    assert_eq!(
        fields(&after, BEFORE_FIRST_APPLY),
        Some(json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}))
    );
    assert_eq!(
        fields(&after, "us"),
        Some(json!({"f:spec": {"f:maxReplicas": {}, "f:behavior": {"f:x": {}}}}))
    );
    assert!(!is_inherited(&metadata(&json!(after)), "us"));
}

#[test]
fn a_component_is_settled() {
    let metadata_of = json!({"f:finalizers": {".": {}, "v:\"x\"": {}}});
    let go = json!({"f:metadata": metadata_of, "f:spec": {".": {}, "f:image": {}, "f:tenant": {}, "f:pod": {".": {}, "f:env": {}, "f:x": {}}}});
    let ours = json!({"f:metadata": {"f:labels": {}}, "f:spec": {".": {}, "f:image": {}, "f:pod": {".": {}, "f:env": {}}, "f:replicas": {}}});
    let list = json!([entry(MESH_CONTROLLER, "Apply", &ours), entry(BEFORE_FIRST_APPLY, "Update", &go)]);
    let after = settle(entries(&list), true);
    assert_eq!(fields(&after, MESH_CONTROLLER), Some(ours.clone()));
    let rest = json!({"f:metadata": metadata_of, "f:spec": {"f:tenant": {}, "f:pod": {"f:x": {}}}});
    assert_eq!(fields(&after, BEFORE_FIRST_APPLY), Some(rest));
    let of = |entries: &[ManagedFieldsEntry]| Owners::of(&metadata(&json!(entries)));
    assert_eq!((of(&after).shared, of(&after).mesh_owns_replicas), (false, true));
    let after = settle(after, false);
    assert!(!of(&after).mesh_owns_replicas && !of(&after).replicas_chosen);
    // An entry without fields is removed.
    let list = json!([
        entry(MESH_CONTROLLER, "Apply", &ours),
        entry("manager", "Update", &json!({"f:spec": {"f:image": {}}}))
    ]);
    assert_eq!(settle(entries(&list), true).len(), 1);
}

fn now() -> Time {
    serde_json::from_value(json!("2026-01-01T00:00:05Z")).unwrap()
}
