//! What the generated schemas need besides: rules for the API server to check, and slimness.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// A rule in the Common Expression Language, checked on create and on update.
struct Rule {
    rule: &'static str,
    message: &'static str,
}

/// What one kind needs.
pub(crate) struct Needs {
    /// Keep unknown fields at the root of the object, as the original did.
    preserve_unknown: bool,
    /// Rules for the whole object.
    object_rules: &'static [Rule],
    /// Rules for the `spec`.
    spec_rules: &'static [Rule],
}

const NAME_LENGTH: Rule = Rule {
    rule: "size(self.metadata.name) <= 43",
    message: "metadata.name must be at most 43 characters; choose a shorter name",
};
const PULSAR_CONFIG: Rule = Rule {
    rule: "has(self.pulsar) && has(self.pulsar.pulsarConfig) && size(self.pulsar.pulsarConfig) > 0",
    message: "pulsar.pulsarConfig must name the ConfigMap with the addresses of the Pulsar cluster",
};
const JAVA_ONLY: Rule = Rule { rule: "has(self.java)", message: "java must be set: connectors run as Java programs" };
const JAVA_JAR: Rule = Rule {
    rule: "!has(self.java) || size(self.java.jar) > 0",
    message: "java.jar must be the path of the package in the container",
};
const JAVA_CLASS: Rule = Rule {
    rule: "!has(self.java) || (has(self.className) && size(self.className) > 0)",
    message: "className must name the class that runs",
};
const ONE_RUNTIME: Rule = Rule {
    rule: "[has(self.java), has(self.python), has(self.golang), has(self.genericRuntime)].filter(x, x).size() >= 1 \
           && [has(self.java), has(self.python), has(self.golang)].filter(x, x).size() <= 1",
    message: "exactly one of java, python, golang and genericRuntime must be set",
};
const AUTOSCALER_RANGE: Rule = Rule {
    rule: "!has(self.maxReplicas) || !has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
    message: "maxReplicas must not be below minReplicas",
};

/// For Functions.
pub(crate) const FUNCTION: Needs = Needs {
    preserve_unknown: true,
    object_rules: &[NAME_LENGTH],
    spec_rules: &[PULSAR_CONFIG, ONE_RUNTIME, JAVA_JAR, JAVA_CLASS, AUTOSCALER_RANGE],
};
/// For Sources.
pub(crate) const SOURCE: Needs = Needs {
    preserve_unknown: true,
    object_rules: &[NAME_LENGTH],
    spec_rules: &[PULSAR_CONFIG, JAVA_ONLY, JAVA_JAR, JAVA_CLASS, AUTOSCALER_RANGE],
};
/// For Sinks.
pub(crate) const SINK: Needs = SOURCE;
/// For meshes: the rules of the items are checked where the components are created.
pub(crate) const MESH: Needs = Needs { preserve_unknown: false, object_rules: &[], spec_rules: &[] };
/// For BackendConfigs.
pub(crate) const BACKEND_CONFIG: Needs = Needs { preserve_unknown: true, object_rules: &[], spec_rules: &[] };

/// Fields whose content is Kubernetes' own: typed, but described elsewhere. With the descriptions the five
/// definitions would not fit into an object.
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

/// Completes a generated definition.
pub(crate) fn finished(definition: CustomResourceDefinition, needs: &Needs) -> CustomResourceDefinition {
    let Ok(mut value) = serde_json::to_value(&definition) else { return definition };
    if let Some(root) = value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        if needs.preserve_unknown {
            root["x-kubernetes-preserve-unknown-fields"] = json!(true);
        }
        add_rules(root, needs.object_rules);
        if let Some(spec) = root.pointer_mut("/properties/spec") {
            add_rules(spec, needs.spec_rules);
            slim(spec);
        }
        if let Some(status) = root.pointer_mut("/properties/status") {
            slim(status);
        }
    }
    serde_json::from_value(value).unwrap_or(definition)
}

fn add_rules(schema: &mut Value, rules: &[Rule]) {
    if !rules.is_empty() {
        let rules: Vec<Value> = rules.iter().map(|r| json!({"rule": r.rule, "message": r.message})).collect();
        schema["x-kubernetes-validations"] = Value::Array(rules);
    }
}

/// Walks our own part of a schema and strips the descriptions of everything embedded.
fn slim(schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties {
            if CORE_FIELDS.contains(&name.as_str()) {
                let own = property.get("description").cloned();
                strip(property);
                if let Some(own) = own {
                    property["description"] = own;
                }
            } else {
                slim(property);
            }
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(schema) = schema.get_mut(inner) {
            slim(schema);
        }
    }
}

/// Removes every description below. A property may itself be named `description`, so schemas are told from the maps
/// of their properties.
fn strip(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("description");
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(strip);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(schema) = object.get_mut(inner) {
            strip(schema);
        }
    }
}
