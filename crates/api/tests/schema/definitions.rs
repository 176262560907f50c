//! The definitions, and lookups in them.

use functionmesh_api::crds;
use serde_json::Value;
use std::sync::LazyLock;

pub(crate) const COMPONENTS: [&str; 3] = ["Function", "Source", "Sink"];

/// Deriving the schemas takes a second, so all tests share them.
pub(crate) static DEFINITIONS: LazyLock<Vec<Value>> =
    LazyLock::new(|| crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect());

pub(crate) fn definitions() -> &'static [Value] {
    &DEFINITIONS
}

pub(crate) fn definition(kind: &str) -> &'static Value {
    definitions().iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap()
}

pub(crate) fn root(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// The part of a schema at a path of fields, `[]` for the items of a list or the values of a map.
pub(crate) fn at<'a>(crd: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(root(crd), |schema, step| {
        let inner = match step {
            "[]" if schema["type"] == "array" => &schema["items"],
            "[]" => &schema["additionalProperties"],
            field => &schema["properties"][field],
        };
        assert!(inner.is_object(), "{path}: nothing at {step}");
        inner
    })
}

/// Calls back for each part of a schema, with its path.
pub(crate) fn walk(schema: &Value, path: &str, see: &mut impl FnMut(&str, &Value)) {
    see(path, schema);
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.{field}"), see);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            walk(&schema[inner], &format!("{path}.[]"), see);
        }
    }
}
