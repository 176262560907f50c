//! CustomResourceDefinitions of a cluster, compared with those of this release.

use functionmesh_api::constants::{GROUP, VERSION};
use functionmesh_api::crd;
use serde_json::Value;

/// The resources, in the order of [`functionmesh_api::crds`], which takes longer to make.
const PLURALS: [&str; 5] = ["functions", "sources", "sinks", "functionmeshes", "backendconfigs"];

/// Names of the definitions.
pub(crate) fn names() -> Vec<String> {
    PLURALS.iter().map(|plural| format!("{plural}.{GROUP}")).collect()
}

/// Fields of this release that an installed definition lacks; none when it does not serve the version. Those below a missing
/// field are not listed.
pub(crate) fn missing_fields(installed: &Value) -> Option<Vec<String>> {
    let kind = installed.pointer("/spec/names/kind").and_then(Value::as_str)?;
    let wanted = serde_json::to_value(crd(kind)?).ok()?;
    Some(missing(schema(&wanted)?, schema(installed)?))
}

fn schema(definition: &Value) -> Option<&Value> {
    let versions = definition.pointer("/spec/versions")?.as_array()?;
    versions.iter().find(|version| version["name"] == VERSION)?.pointer("/schema/openAPIV3Schema")
}

fn missing(wanted: &Value, installed: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", wanted, installed, &mut found);
    found
}

fn walk(path: &str, wanted: &Value, installed: &Value, found: &mut Vec<String>) {
    // What keeps any field lacks none at this level; below, a schema drops what it does not have.
    let keeps_all = installed.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    for (name, schema) in wanted.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match installed.get("properties").and_then(|properties| properties.get(name)) {
            Some(other) => walk(&path, schema, other, found),
            None if keeps_all => {}
            None => found.push(path),
        }
    }
    for (field, suffix) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let (Some(wanted), Some(installed)) = (wanted.get(field), installed.get(field)) {
            walk(&format!("{path}{suffix}"), wanted, installed, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_names_are_those_of_the_definitions() {
        let made: Vec<String> =
            functionmesh_api::crds().into_iter().filter_map(|crd| crd.metadata.name).collect();
        assert_eq!(names(), made);
    }

    #[test]
    fn the_topmost_missing_fields_are_named() {
        let wanted = json!({"properties": {"spec": {"properties": {
            "new": {"properties": {"a": {}}}, "list": {"items": {"properties": {"b": {}, "c": {}}}}, "free": {"properties": {"d": {}}}}}}});
        let installed = json!({"x-kubernetes-preserve-unknown-fields": true, "properties": {"spec": {"properties": {
            "list": {"items": {"properties": {"b": {}}}}, "free": {"x-kubernetes-preserve-unknown-fields": true}}}}});
        assert_eq!(missing(&wanted, &installed), ["spec.list[].c", "spec.new"]);
        assert!(missing(&wanted, &wanted).is_empty());
    }
}
