//! Converts the derived schemas to those of the definitions.
//!
//! * Fields of Function Mesh keep their descriptions; embedded Kubernetes types lose them. With them, the five definitions would
//!   exceed the size of an object, and `kubectl explain pod.spec` shows them.
//! * Optional fields of Function Mesh may be `null`, which has the same meaning as absence. (The Go operator's webhook removed
//!   such fields. For a field that is not nullable, the API server removes them as well, except in a server-side apply, which it
//!   refuses.) Enumerations and replicas are not nullable: `null` is not a value of an enumeration, and the scale subresource
//!   requires a number or an absent field.
//! * Lists of containers, volumes and the like are merged by key, as in a Pod, so that several managers can use server-side
//!   apply. The keys are those that must be unique in a Pod anyway.
//! * Quantities may be numbers, and are validated.

use crate::limits;
use crate::rules::rule::Rule;
use crate::size;
use crate::status::NOT_OBSERVED;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use schemars::Schema;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Fields of Function Mesh that have a Kubernetes type.
const CORE_FIELDS: &[&str] = &[
    "affinity",
    "autoScalingBehavior",
    "autoScalingMetrics",
    "conditions",
    "env",
    "imagePullSecrets",
    "initContainers",
    "maxAllowed",
    "minAllowed",
    "resources",
    "securityContext",
    "sidecars",
    "startupProbe",
    "tolerations",
    "volumeClaimTemplates",
    "volumeMounts",
    "volumes",
];

/// Numbers that the scale subresource or a default requires.
const NOT_NULLABLE: &[&str] = &["replicas", "minReplicas"];

/// A quantity in Kubernetes notation (`100m`, `1.5Gi`, `1e3`).
const QUANTITY: &str = r"^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$";

/// A quantity that is not negative.
const AMOUNT: &str = r"^\+?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$";

/// The owner of a part of a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Function Mesh.
    FunctionMesh,
    /// A field of Function Mesh with a Kubernetes type.
    Embedded,
    /// A part of such a field.
    Kubernetes,
}

/// Completes the schema of a kind.
pub(crate) fn finish(root: &mut JSONSchemaProps) {
    walk(root, "", Owner::FunctionMesh);
    if let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) {
        // Only controllers write a status, and they omit what they do not know.
        status.nullable = None;
        // A field that is absent in a status is not known yet, or was not known to the Go operator: no defaults, no required
        // fields.
        status.required = None;
        for field in status.properties.iter_mut().flat_map(BTreeMap::values_mut) {
            field.default = None;
            field.nullable = None;
        }
        // An object is in progress until its controller has seen it.
        let reported = status.properties.as_ref().is_some_and(|p| p.contains_key("observedGeneration"));
        status.default = reported.then(|| JSON(json!({"observedGeneration": NOT_OBSERVED})));
    }
}

/// Converts an enumeration whose variants have descriptions to a plain list of values. The derived form would replace the
/// description of the field by that of the type.
pub(crate) fn plain_enum(schema: &mut Schema) {
    let values: Option<Vec<Value>> = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .and_then(|variants| variants.iter().map(|variant| variant.get("const").cloned()).collect());
    if let Some(values) = values {
        schema.remove("oneOf");
        schema.insert("type".to_owned(), "string".into());
        schema.insert("enum".to_owned(), values.into());
    }
}

/// Adds rules to a part of a schema.
pub(crate) fn add_rules(schema: &mut JSONSchemaProps, rules: &[Rule]) {
    if !rules.is_empty() {
        schema.x_kubernetes_validations = Some(rules.iter().map(Rule::to_validation).collect());
    }
}

/// Completes a part of a schema and everything below it. `name` is the name of the field, or of the field whose items or values
/// the part describes.
fn walk(schema: &mut JSONSchemaProps, name: &str, owner: Owner) {
    schema.title = None;
    if owner == Owner::Kubernetes || NOT_NULLABLE.contains(&name) || schema.enum_.is_some() {
        schema.nullable = None;
    }
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    // Comments are wrapped, descriptions are not.
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    if owner == Owner::Kubernetes {
        schema.description = None;
        if name == "metadata" {
            *schema = embedded_metadata();
        }
    }
    if schema.x_kubernetes_int_or_string == Some(true) {
        int_or_string(schema, name);
    }
    if schema.type_.as_deref() == Some("array") {
        list_keys(schema, name, owner);
    }
    if owner == Owner::FunctionMesh {
        limits::set(schema, name);
    }
    if owner == Owner::Embedded {
        limits::set_embedded(schema, name);
    }
    if owner == Owner::Embedded && name == "resources" {
        amounts(schema);
    }
    size::format(schema);
    if owner == Owner::Kubernetes {
        size::embedded(schema, name);
    }
    for (field, inner) in schema.properties.iter_mut().flatten() {
        let inner_owner = match owner {
            Owner::FunctionMesh if CORE_FIELDS.contains(&field.as_str()) => Owner::Embedded,
            Owner::FunctionMesh => Owner::FunctionMesh,
            Owner::Embedded | Owner::Kubernetes => Owner::Kubernetes,
        };
        walk(inner, field, inner_owner);
    }
    let contents_owner = if owner == Owner::FunctionMesh { owner } else { Owner::Kubernetes };
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        walk(items, name, contents_owner);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        walk(values, name, contents_owner);
    }
}

/// The metadata of an embedded object: the fields that the Go operator keeps.
fn embedded_metadata() -> JSONSchemaProps {
    let string = || JSONSchemaProps { type_: Some("string".to_owned()), ..JSONSchemaProps::default() };
    let map = || JSONSchemaProps {
        type_: Some("object".to_owned()),
        additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(string()))),
        ..JSONSchemaProps::default()
    };
    let list = JSONSchemaProps {
        type_: Some("array".to_owned()),
        items: Some(JSONSchemaPropsOrArray::Schema(Box::new(string()))),
        ..JSONSchemaProps::default()
    };
    let fields = [
        ("annotations", map()),
        ("finalizers", list),
        ("labels", map()),
        ("name", string()),
        ("namespace", string()),
    ];
    JSONSchemaProps {
        type_: Some("object".to_owned()),
        properties: Some(fields.map(|(name, schema)| (name.to_owned(), schema)).into()),
        ..JSONSchemaProps::default()
    }
}

/// Ports are numbers or names; all other fields that may be an integer or a string are quantities. The API server adds the two
/// types itself.
fn int_or_string(schema: &mut JSONSchemaProps, name: &str) {
    schema.any_of = None;
    schema.type_ = None;
    if name != "port" {
        schema.pattern.get_or_insert_with(|| QUANTITY.to_owned());
    }
}

/// The resources of a component. `cpu` may be a fraction without quotes, as in a Pod, which the schema "integer or string"
/// refuses: so it has no type, and is validated as a number or a string. Other resources are kept.
fn amounts(resources: &mut JSONSchemaProps) {
    let amount = JSONSchemaProps {
        x_kubernetes_int_or_string: Some(true),
        pattern: Some(AMOUNT.to_owned()),
        minimum: Some(0.0),
        ..JSONSchemaProps::default()
    };
    let cpu = JSONSchemaProps {
        x_kubernetes_preserve_unknown_fields: Some(true),
        // Excludes lists and objects.
        min_items: Some(1),
        max_items: Some(0),
        min_properties: Some(1),
        max_properties: Some(0),
        pattern: Some(AMOUNT.to_owned()),
        minimum: Some(0.0),
        ..JSONSchemaProps::default()
    };
    let list = JSONSchemaProps {
        type_: Some("object".to_owned()),
        properties: Some(
            [
                ("cpu", cpu),
                ("ephemeral-storage", amount.clone()),
                ("memory", amount.clone()),
                ("storage", amount),
            ]
            .map(|(name, schema)| (name.to_owned(), schema))
            .into(),
        ),
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    };
    for name in ["limits", "requests"] {
        resources.properties.get_or_insert_default().insert(name.to_owned(), list.clone());
    }
}

/// Converts a list to one that is merged by key, if a Pod keeps the keys unique. The environment of the component is not
/// converted: a Pod may set a variable twice, and the Go operator accepted that in `pod.env`, though not in containers.
fn list_keys(schema: &mut JSONSchemaProps, name: &str, owner: Owner) {
    let keys: &[&str] = match (name, owner) {
        (_, Owner::FunctionMesh) => return,
        ("initContainers" | "sidecars" | "volumes", Owner::Embedded)
        | ("env" | "claims", Owner::Kubernetes) => &["name"],
        ("volumeMounts", _) => &["mountPath"],
        ("volumeDevices", Owner::Kubernetes) => &["devicePath"],
        ("ports", Owner::Kubernetes) => &["containerPort", "protocol"],
        _ => return,
    };
    schema.x_kubernetes_list_type = Some("map".to_owned());
    schema.x_kubernetes_list_map_keys = Some(keys.iter().map(|&key| key.to_owned()).collect());
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items
        && let Some(protocol) = items.properties.as_mut().and_then(|p| p.get_mut("protocol"))
    {
        // A key requires a value; Kubernetes has the same default.
        protocol.default = Some(JSON("TCP".into()));
    }
}
