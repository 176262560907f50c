//! Validates objects against the schema of their kind, with the messages of the API server: unknown fields and types,
//! which decoding does not report. The rules between fields are checked when the object is lowered.

use clap::ValueEnum;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// How to treat unknown fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Validation {
    /// Refused.
    Strict,
    /// Dropped, with a line on standard error.
    Warn,
    /// Dropped.
    Ignore,
}

/// Fields of `metadata` (`ObjectMeta` of apimachinery).
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The schemas of the kinds, generated on first use.
#[derive(Default)]
pub(crate) struct Schemas(BTreeMap<String, Option<JSONSchemaProps>>);

/// What is wrong with an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Fields that no schema has: `kubectl apply` refuses them, with `--validate=ignore` they are dropped.
    pub unknown: Vec<String>,
    /// Values of another type than the schema says, or missing: always refused. Each begins with its field.
    pub invalid: Vec<String>,
}

impl Schemas {
    /// Compares an object with the schema of its kind, as it is installed in a cluster.
    pub(crate) fn check(&mut self, kind: &str, object: &Value) -> Findings {
        let mut findings = Findings::default();
        let schema = self.0.entry(kind.to_owned()).or_insert_with(|| schema_of(kind));
        let Some(schema) = schema else { return findings };
        let metadata = object.get("metadata").and_then(Value::as_object);
        let names = metadata.into_iter().flat_map(|metadata| metadata.keys());
        let unknown = names.filter(|name| !METADATA.contains(&name.as_str()));
        findings.unknown.extend(unknown.map(|name| format!("metadata.{name}")));
        for (name, schema) in schema.properties.iter().flatten() {
            if let Some(value) = object.get(name) {
                findings.value(name, schema, value);
            }
        }
        findings
    }
}

impl Findings {
    fn value(&mut self, field: &str, schema: &JSONSchemaProps, value: &Value) {
        if value.is_null() && (schema.nullable == Some(true) || schema.default.is_none()) {
            // Without `nullable` the API server drops it; a required field is found missing by its parent.
            return;
        }
        if !has_type(schema, value) {
            let (wanted, found) = (schema.type_.as_deref().unwrap_or("integer or string"), type_of(value));
            let text = format!(
                "{field}: Invalid value: \"{found}\": {field} in body must be of type {wanted}: \"{found}\""
            );
            self.invalid.push(text);
            return;
        }
        match value {
            Value::Object(fields) => self.object(field, schema, fields),
            Value::Array(items) => {
                if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                    for (i, item) in items.iter().enumerate() {
                        self.value(&format!("{field}[{i}]"), schema, item);
                    }
                }
            }
            _ => {}
        }
        if let Some(allowed) = &schema.enum_
            && !allowed.iter().any(|allowed| allowed.0 == *value)
        {
            let allowed: Vec<String> = allowed.iter().map(|allowed| allowed.0.to_string()).collect();
            self.invalid.push(format!(
                "{field}: Unsupported value: {value}: supported values: {}",
                allowed.join(", ")
            ));
        }
    }

    fn object(&mut self, field: &str, schema: &JSONSchemaProps, fields: &serde_json::Map<String, Value>) {
        let missing =
            schema.required.iter().flatten().filter(|name| fields.get(*name).is_none_or(Value::is_null));
        self.invalid.extend(missing.map(|name| format!("{field}.{name}: Required value")));
        let is_free = schema.x_kubernetes_preserve_unknown_fields == Some(true);
        for (name, value) in fields {
            let path = format!("{field}.{name}");
            match schema.properties.as_ref().and_then(|properties| properties.get(name)) {
                Some(schema) => self.value(&path, schema, value),
                None => match &schema.additional_properties {
                    Some(JSONSchemaPropsOrBool::Schema(schema)) => self.value(&path, schema, value),
                    Some(JSONSchemaPropsOrBool::Bool(true)) => {}
                    _ if is_free => {}
                    _ => self.unknown.push(path),
                },
            }
        }
    }
}

fn schema_of(kind: &str) -> Option<JSONSchemaProps> {
    let version = functionmesh_api::crd(kind)?.spec.versions.into_iter().next()?;
    version.schema?.open_api_v3_schema
}

fn has_type(schema: &JSONSchemaProps, value: &Value) -> bool {
    if schema.x_kubernetes_int_or_string == Some(true) {
        return value.is_i64() || value.is_u64() || value.is_string();
    }
    match schema.type_.as_deref() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        _ => true,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_names_and_wrong_shapes_are_found() {
        let mut schemas = Schemas::default();
        let mesh = json!({
            "metadata": {"name": "m", "lables": {}},
            "spec": {"sinks": {"name": "es"}, "function": [], "functions": [{"name": "a", "replicas": "1",
                "funcConfig": {"any": {"thing": 1}}, "MaxPending": 5}]},
        });
        let findings = schemas.check("FunctionMesh", &mesh);
        assert_eq!(findings.unknown, ["metadata.lables", "spec.function", "spec.functions[0].MaxPending"]);
        let expected = [
            "spec.functions[0].replicas: Invalid value: \"string\": spec.functions[0].replicas in body must be of \
             type integer: \"string\"",
            "spec.sinks: Invalid value: \"object\": spec.sinks in body must be of type array: \"object\"",
        ];
        assert_eq!(findings.invalid, expected);
    }
}
