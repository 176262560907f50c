//! Fields that have an effect in one place of the API and none in another, as their type is shared: there, their
//! description says so.

use schemars::Schema;
use serde_json::{Map, Value};

/// `spec.pod` of a BackendConfig: the fields that are no defaults for anything (behaviour reference 4.5).
pub(crate) fn in_backend_config(schema: &mut Schema) {
    let ignored = [
        "autoScalingBehavior",
        "autoScalingMetrics",
        "builtinAutoscaler",
        "disableDefaultAffinity",
        "env",
        "initContainers",
        "sidecars",
        "volumes",
        "vpa",
    ];
    mark(schema, &ignored, "Not used in a BackendConfig.");
}

/// `spec.golang.log`: everything but the level, and a `logConfig`, with which the level is not set (behaviour reference
/// 2.5 and 8.6 #54).
pub(crate) fn in_go_log(schema: &mut Schema) {
    let ignored = ["format", "javaLog4JConfigFileType", "rotatePolicy"];
    mark(schema, &ignored, "Not used by Go programs.");
    describe(schema, "logConfig", "With it, `level` is left to the program. Nothing is mounted.");
}

/// Puts a text in the place of the descriptions of fields.
fn mark(schema: &mut Schema, fields: &[&str], text: &str) {
    for field in fields {
        describe(schema, field, text);
    }
}

fn describe(schema: &mut Schema, field: &str, text: &str) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    let property: Option<&mut Map<_, _>> =
        properties.and_then(|properties| properties.get_mut(field)).and_then(Value::as_object_mut);
    if let Some(property) = property {
        property.insert("description".to_owned(), text.into());
    }
}
