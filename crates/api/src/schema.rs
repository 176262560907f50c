//! Turns the schemas that are derived from the types into those that the API server gets.
//!
//! * Descriptions stay on everything that belongs to Function Mesh and go from embedded Kubernetes types: with them
//!   the five definitions would not fit into an object, and `kubectl explain pod.spec` has them.
//! * Optional fields of ours may be `null`, which means the same as leaving them out. (The Go operator's webhook removed
//!   the `null`. Where a field is not nullable, the API server does so too, except in server-side apply, which it
//!   refuses.) Enumerations and replicas may not: the API server finds no `null` among the values of the former, and
//!   the scale subresource has to find a number or nothing in the latter.
//! * Lists of containers, volumes and the like are merged by key, as in a Pod, so that server-side apply by several
//!   managers works. The keys are those that a Pod has to keep unique anyway.
//! * Quantities may be numbers, and are checked.

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

/// Fields of ours that hold a type of Kubernetes.
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

/// Numbers that the scale subresource or a default needs.
const NOT_NULLABLE: &[&str] = &["replicas", "minReplicas"];

/// A number with a unit, as Kubernetes spells it (`100m`, `1.5Gi`, `1e3`).
const QUANTITY: &str = r"^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$";

/// The same, not negative.
const AMOUNT: &str = r"^\+?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$";

/// Whose a part of a schema is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Ours.
    FunctionMesh,
    /// A field of ours with a type of Kubernetes.
    Embedded,
    /// Inside such a field.
    Kubernetes,
}

/// Completes the schema of a kind.
pub(crate) fn finish(root: &mut JSONSchemaProps) {
    walk(root, "", Owner::FunctionMesh);
    if let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) {
        // A status is written by controllers only, which leave out what they do not know.
        status.nullable = None;
        // What is missing in a status is not known yet, or was not known to the Go operator: no defaults, no demands.
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

/// Makes a plain list of values of an enumeration whose variants are described one by one. The derived form would put
/// the description of the type in the place of that of the field.
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

/// Completes a part of a schema and everything below. `name` is that of the field, or of the field whose items or
/// values the part describes.
fn walk(schema: &mut JSONSchemaProps, name: &str, owner: Owner) {
    schema.title = None;
    if owner == Owner::Kubernetes || NOT_NULLABLE.contains(&name) || schema.enum_.is_some() {
        schema.nullable = None;
    }
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    // Comments wrap, descriptions do not.
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

/// The metadata of an object inside an object: what the Go operator keeps of it.
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

/// Ports are numbers or names; everything else that may be an integer or a string is a quantity. The API server adds the two
/// types by itself.
fn int_or_string(schema: &mut JSONSchemaProps, name: &str) {
    schema.any_of = None;
    schema.type_ = None;
    if name != "port" {
        schema.pattern.get_or_insert_with(|| QUANTITY.to_owned());
    }
}

/// The amounts of a component. `cpu` may be a fraction without quotes, as in a Pod, which a schema of "integer or string"
/// refuses: it has no type, and is checked as the number or the text it is. Whatever else a node offers is kept.
fn amounts(resources: &mut JSONSchemaProps) {
    let amount = JSONSchemaProps {
        x_kubernetes_int_or_string: Some(true),
        pattern: Some(AMOUNT.to_owned()),
        minimum: Some(0.0),
        ..JSONSchemaProps::default()
    };
    let cpu = JSONSchemaProps {
        x_kubernetes_preserve_unknown_fields: Some(true),
        // No list and no object satisfies these.
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

/// Makes a list that is merged by key of one whose keys a Pod keeps unique. The environment of the component is not
/// among them: a Pod may set a variable twice, and the Go operator took that in `pod.env`, though not in containers.
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
        // A key needs a value; Kubernetes has the same default.
        protocol.default = Some(JSON("TCP".into()));
    }
}
