//! The rules of a kind, in the Common Expression Language, that concern more than the form of one field.

use serde_json::Value;

/// One rule.
pub(super) struct Rule {
    /// The part of the object that it reads.
    scope: String,
    /// The field that the API server reports, if it names one.
    field: Option<String>,
    /// The message of the API server.
    pub(super) message: String,
}

/// All rules of a schema, in the order of the schema.
pub(super) fn rules(schema: &Value) -> Vec<Rule> {
    let mut found = Vec::new();
    collect(schema, "", &mut found);
    found
}

fn collect(schema: &Value, scope: &str, found: &mut Vec<Rule>) {
    let text = |rule: &Value, key: &str| rule.get(key).and_then(Value::as_str).map(str::to_owned);
    for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
        let field = text(rule, "fieldPath").map(|path| format!("{scope}{path}"));
        let message = text(rule, "message").or_else(|| text(rule, "rule"));
        found.push(Rule {
            scope: scope.to_owned(),
            field: field.map(|path| path.trim_start_matches('.').to_owned()),
            message: message.unwrap_or_default(),
        });
    }
    for (field, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if scope.is_empty() { field.clone() } else { format!("{scope}.{field}") };
        collect(inner, &path, found);
    }
    for (inner, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = schema.get(inner).filter(|inner| inner.is_object()) {
            collect(inner, &format!("{scope}{mark}"), found);
        }
    }
}

impl Rule {
    /// Whether it concerns a field: the API server reports it there, it reads nothing else, or its message names the field.
    pub(super) fn is_about(&self, path: &str) -> bool {
        let parts = ["", "spec", "status"];
        self.field.as_deref() == Some(path)
            || (self.field.is_none() && self.scope == path && !parts.contains(&path))
            || (!parts.contains(&path) && mentions(&self.message, path))
    }
}

/// Whether a text contains a path as a whole.
fn mentions(text: &str, path: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let mut after = text.get(at + path.len()..).unwrap_or_default().chars();
        let ends = match after.next() {
            None => true,
            // The end of a sentence, or another field below.
            Some('.') => !after.next().is_some_and(word),
            Some(c) => !word(c),
        };
        ends && !before.is_some_and(|c| word(c) || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_belongs_to_the_fields_it_names() {
        let schema = json!({"properties": {"spec": {
            "x-kubernetes-validations": [
                {"rule": "a", "message": "spec.max must not be below spec.min.", "fieldPath": ".max"},
                {"rule": "b", "message": "spec must be something"},
            ],
            "properties": {"list": {"items": {"x-kubernetes-validations": [{"rule": "self.c"}]}}},
        }}});
        let rules = rules(&schema);
        let about = |path: &str| -> Vec<&str> {
            rules.iter().filter(|rule| rule.is_about(path)).map(|rule| rule.message.as_str()).collect()
        };
        let first = ["spec.max must not be below spec.min."];
        assert_eq!((about("spec.max"), about("spec.min")), (first.to_vec(), first.to_vec()));
        assert!(about("spec").is_empty() && about("spec.m").is_empty() && about("max").is_empty());
        assert_eq!(about("spec.list[]"), ["self.c"]);
        assert_eq!(rules.len(), 3);
    }
}
