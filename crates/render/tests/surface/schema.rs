//! The schemas of the `CustomResourceDefinition`s.

use serde_json::Value;
use std::sync::LazyLock;

/// Deriving the schemas takes a second, so all tests share them.
static SPECS: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let spec = |crd| {
        let crd = serde_json::to_value(crd).unwrap();
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        (kind, root["properties"]["spec"].clone())
    };
    functionmesh_api::crds().iter().map(spec).collect()
});

/// The schema of the `spec` of a kind.
pub(crate) fn spec(kind: &str) -> &'static Value {
    &SPECS.iter().find(|(name, _)| name == kind).unwrap().1
}

/// The content that a part of a schema describes.
pub(crate) enum Shape<'a> {
    /// One of these values.
    Enumeration(&'a [Value]),
    /// An integer or a string: a port or, with a pattern, a quantity.
    IntOrString { quantity: bool },
    /// An object with any content.
    FreeForm,
    /// An object with these fields.
    Fields(&'a serde_json::Map<String, Value>),
    /// A map from strings.
    Map(&'a Value),
    /// A list.
    List(&'a Value),
    /// A single value of this type.
    Scalar(&'a str),
}

/// Reads a part of a schema.
pub(crate) fn shape(schema: &Value) -> Shape<'_> {
    if let Some(values) = schema["enum"].as_array() {
        return Shape::Enumeration(values);
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return Shape::IntOrString { quantity: schema["pattern"].is_string() };
    }
    if schema["properties"].is_object() {
        return Shape::Fields(schema["properties"].as_object().unwrap());
    }
    // CPU quantities have no type, so that they may be fractions; the controller reports values of other types.
    if schema["type"].is_null() && schema["pattern"].is_string() {
        return Shape::IntOrString { quantity: true };
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return Shape::FreeForm;
    }
    if schema["additionalProperties"].is_object() {
        return Shape::Map(&schema["additionalProperties"]);
    }
    match schema["type"].as_str() {
        Some("array") => Shape::List(&schema["items"]),
        Some("object") | None => Shape::FreeForm,
        Some(scalar) => Shape::Scalar(scalar),
    }
}

/// Whether an object that a schema describes has to have a field.
pub(crate) fn requires(schema: &Value, field: &str) -> bool {
    schema["required"].as_array().is_some_and(|required| required.iter().any(|name| name == field))
}

/// The keys by which the items of a list differ, empty for a plain list.
pub(crate) fn list_keys(schema: &Value) -> Vec<&str> {
    schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn every_part_of_the_schemas_has_a_known_shape() {
    fn walk(schema: &Value, path: &str, formats: &mut std::collections::BTreeSet<String>) {
        let known = ["int32", "int64", "date-time", "byte", "double", "float"];
        if let Some(format) = schema["format"].as_str() {
            assert!(known.contains(&format), "{path}: {format}");
            formats.insert(format.to_owned());
        }
        match shape(schema) {
            Shape::Fields(fields) => {
                fields.iter().for_each(|(name, inner)| walk(inner, &format!("{path}.{name}"), formats));
            }
            Shape::Map(inner) | Shape::List(inner) => walk(inner, &format!("{path}[]"), formats),
            Shape::Scalar(scalar) => {
                assert!(["string", "integer", "number", "boolean"].contains(&scalar), "{path}: {scalar}");
            }
            Shape::Enumeration(_) | Shape::IntOrString { .. } | Shape::FreeForm => {}
        }
    }
    let mut formats = std::collections::BTreeSet::new();
    for kind in ["Function", "Source", "Sink", "FunctionMesh", "BackendConfig"] {
        walk(spec(kind), kind, &mut formats);
    }
    assert!(formats.contains("int32"), "{formats:?}");
}
