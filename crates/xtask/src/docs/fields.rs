//! The fields of a kind, from its schema.

use super::markdown::code;
use super::rules::Rule;
use anyhow::{Result, bail};
use serde_json::Value;

/// Fields of Function Mesh that have a Kubernetes type, and its name. `kubectl explain pod.spec` describes most of them.
const EMBEDDED: &[(&str, &str)] = &[
    ("affinity", "Affinity"),
    ("autoScalingBehavior", "HorizontalPodAutoscalerBehavior"),
    ("autoScalingMetrics", "MetricSpec"),
    ("conditions", "Condition"),
    ("env", "EnvVar"),
    ("imagePullSecrets", "LocalObjectReference"),
    ("initContainers", "Container"),
    ("resources", "ResourceRequirements"),
    ("securityContext", "PodSecurityContext"),
    ("sidecars", "Container"),
    ("startupProbe", "Probe"),
    ("tolerations", "Toleration"),
    ("volumeClaimTemplates", "PersistentVolumeClaim"),
    ("volumeMounts", "VolumeMount"),
    ("volumes", "Volume"),
];

/// Begins the sentence about the default in a description.
const DEFAULTS_TO: &str = "Defaults to ";

/// One field.
pub(super) struct Field {
    /// From the root of the object; `[]` stands for the items of a list, `.*` for the values of a map.
    pub(super) path: String,
    pub(super) type_: String,
    /// Empty when there is none.
    pub(super) default: String,
    /// What the API server checks.
    pub(super) validation: Vec<String>,
    /// The description, without what is in the other columns.
    pub(super) note: String,
}

/// A kind whose spec describes the items of a list, so that its fields are not repeated: its name and the fields of its spec.
pub(super) struct Item<'a> {
    pub(super) kind: String,
    pub(super) properties: &'a Value,
}

/// The inputs for the fields of one kind.
pub(super) struct Reader<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) items: &'a [Item<'a>],
}

impl Reader<'_> {
    /// All fields of Function Mesh below a part of a schema, each before its nested fields.
    ///
    /// # Errors
    /// If one has no description, or an unknown Kubernetes type.
    pub(super) fn below(&self, schema: &Value, path: &str) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        let (schema, path) = contents(schema, path);
        let required: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}.{name}");
            let Some(description) = inner.get("description").and_then(Value::as_str) else {
                bail!("{path} has no description; a type of Kubernetes has to be in EMBEDDED");
            };
            let (default, note) = default_and_note(inner, description);
            let mut validation = Vec::new();
            validation.extend(required.contains(&name.as_str()).then(|| "required".to_owned()));
            validation.extend(constraints(inner));
            let rules = self.rules.iter().filter(|rule| rule.is_about(&path));
            validation.extend(rules.map(|rule| rule.message.clone()));
            fields.push(Field {
                type_: self.type_of(inner, name),
                default,
                validation,
                note,
                path: path.clone(),
            });
            // Fields below a field without effect have no effect either.
            let closed =
                EMBEDDED.iter().any(|(field, _)| field == name) || description.starts_with("Not used");
            if !closed && self.item(inner).is_none() {
                fields.extend(self.below(inner, &path)?);
            }
        }
        Ok(fields)
    }

    /// The kind whose spec the items of a list have.
    fn item(&self, schema: &Value) -> Option<&Item<'_>> {
        let names = |properties: &Value| -> Option<Vec<String>> {
            properties.as_object().map(|properties| properties.keys().cloned().collect())
        };
        let found = names(schema.get("items")?.get("properties")?)?;
        self.items.iter().find(|item| names(item.properties).as_ref() == Some(&found))
    }

    fn type_of(&self, schema: &Value, name: &str) -> String {
        if let Some(item) = self.item(schema) {
            return format!("list of [{}]({}.md) specs", item.kind, item.kind.to_lowercase());
        }
        if let Some(items) = schema.get("items") {
            return format!("list of {}", self.type_of(items, name));
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            return format!("map of {}", self.type_of(values, name));
        }
        if schema.get("x-kubernetes-int-or-string").is_some() {
            return "Quantity".to_owned();
        }
        let type_ = schema.get("type").and_then(Value::as_str).unwrap_or("any");
        if schema.get("properties").is_some() {
            let embedded = EMBEDDED.iter().find(|(field, _)| *field == name);
            return embedded.map_or("object", |(_, type_)| type_).to_owned();
        }
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) {
            return "any object".to_owned();
        }
        type_.to_owned()
    }
}

/// The part of a list or map that has fields, with its path.
fn contents<'a>(schema: &'a Value, path: &str) -> (&'a Value, String) {
    for (key, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            return contents(inner, &format!("{path}{mark}"));
        }
    }
    (schema, path.to_owned())
}

fn list<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The constraints that the schema itself states, as text.
fn constraints(schema: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    let values: Vec<String> = list(schema, "enum").map(|value| code(&plain(value))).collect();
    if !values.is_empty() {
        texts.push(format!("one of {}", values.join(", ")));
    }
    for (key, before, after) in [
        ("minimum", "at least ", ""),
        ("maximum", "at most ", ""),
        ("minLength", "at least ", " characters"),
        ("maxLength", "at most ", " characters"),
        ("minItems", "at least ", " items"),
        ("maxItems", "at most ", " items"),
        ("minProperties", "at least ", " entries"),
        ("maxProperties", "at most ", " entries"),
    ] {
        texts.extend(schema.get(key).map(|value| format!("{before}{}{after}", plain(value))));
    }
    if schema.get("x-kubernetes-int-or-string").is_none() {
        texts.extend(schema.get("pattern").map(|pattern| format!("matches {}", code(&plain(pattern)))));
    }
    for (key, each) in [("items", "each item"), ("additionalProperties", "each value")] {
        let inner = schema.get(key).map(constraints).unwrap_or_default();
        texts.extend(inner.iter().map(|word| format!("{each} {word}")));
    }
    texts
}

/// A value as a reader expects it: text without quotes, whole numbers without a fraction.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
        }
        other => other.to_string(),
    }
}

/// The default of the schema or else of the description, and the description without it.
fn default_and_note(schema: &Value, description: &str) -> (String, String) {
    let (said, note) = match description.split_once(DEFAULTS_TO) {
        None => (None, description.to_owned()),
        Some((before, rest)) => {
            let (default, after) = rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), ""));
            (Some(default.to_owned()), format!("{before}{after}").trim().to_owned())
        }
    };
    let constant = |text: &str| ["true", "false"].contains(&text) || text.parse::<i64>().is_ok();
    let said = said.map(|text| if constant(&text) { code(&text) } else { text });
    let set = schema.get("default").map(|value| code(&plain(value)));
    (set.or(said).unwrap_or_default(), note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::rules::rules;
    use serde_json::json;

    fn read(schema: &Value) -> Vec<[String; 5]> {
        let reader = Reader { rules: &rules(&json!({"properties": {"spec": schema}})), items: &[] };
        let fields = reader.below(schema, "spec").unwrap();
        fields.into_iter().map(|f| [f.path, f.type_, f.default, f.validation.join("; "), f.note]).collect()
    }

    fn row(row: [&str; 5]) -> [String; 5] {
        row.map(str::to_owned)
    }

    #[test]
    fn each_field_has_a_row() {
        let schema = json!({
            "required": ["mode"],
            "x-kubernetes-validations": [{"rule": "x", "message": "spec.size must fit spec.mode"}],
            "properties": {
                "mode": {"type": "string", "enum": ["a", "b"], "description": "How. Defaults to `a`. Choose."},
                "old": {"type": "object", "description": "Not used.", "properties": {
                    "inner": {"type": "string", "description": "I."}}},
                "on": {"type": "boolean", "description": "Whether. Defaults to true."},
                "size": {"type": "integer", "minimum": 0.0, "default": 1, "description": "Much. Defaults to 2."},
                "topics": {"type": "object", "description": "By topic.", "additionalProperties": {
                    "type": "object", "properties": {"name": {"type": "string", "description": "N."}}}},
                "volumes": {"type": "array", "description": "V.", "items": {
                    "type": "object", "properties": {"name": {"type": "string"}}}},
                "words": {"type": "array", "maxItems": 2, "description": "W.", "items": {"type": "string", "pattern": "^x"}},
            },
        });
        let rule = "spec.size must fit spec.mode";
        assert_eq!(
            read(&schema),
            [
                row([
                    "spec.mode",
                    "string",
                    "`a`",
                    &format!("required; one of `a`, `b`; {rule}"),
                    "How. Choose."
                ]),
                row(["spec.old", "object", "", "", "Not used."]),
                row(["spec.on", "boolean", "`true`", "", "Whether."]),
                row(["spec.size", "integer", "`1`", &format!("at least 0; {rule}"), "Much."]),
                row(["spec.topics", "map of object", "", "", "By topic."]),
                row(["spec.topics.*.name", "string", "", "", "N."]),
                row(["spec.volumes", "list of Volume", "", "", "V."]),
                row(["spec.words", "list of string", "", "at most 2 items; each item matches `^x`", "W."]),
            ]
        );
    }

    #[test]
    fn an_unknown_type_is_an_error() {
        let schema = json!({"properties": {"new": {"type": "object", "description": "N.", "properties": {
            "inner": {"type": "string"}}}}});
        let error = Reader { rules: &[], items: &[] }.below(&schema, "spec").err().unwrap().to_string();
        assert!(error.starts_with("spec.new.inner has no description"), "{error}");
    }
}
