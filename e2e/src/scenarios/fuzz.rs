//! Mutations of one property at a time, generated from the schema of a kind.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Maximum depth. Below are the pod types of Kubernetes, which are passed on as they are.
const DEPTH: usize = 9;

/// One property with another value.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// Names from `spec` on; `[]` is the first item of a list.
    pub path: String,
    /// The whole `spec` with it.
    pub spec: Value,
}

/// All mutations of a `spec` that a schema gives rise to, grouped by property.
pub fn mutations(schema: &Value, spec: &Value) -> Vec<Mutation> {
    let mut found = Vec::new();
    walk(schema, "spec", DEPTH, &mut |path, value| {
        found.push(Mutation { path: path.to_owned(), spec: merged(spec.clone(), value) });
    });
    // Removal of each property that is set.
    for name in spec.as_object().into_iter().flat_map(Map::keys) {
        let mut less = spec.clone();
        if let Some(less) = less.as_object_mut() {
            less.remove(name);
        }
        found.push(Mutation { path: format!("spec.{name} (removed)"), spec: less });
    }
    found.retain(|mutation| mutation.spec != *spec);
    found
}

/// A selection of `number` mutations, spread over all properties: the first value of each, then the second, and so on.
pub fn spread(mutations: Vec<Mutation>, number: usize) -> Vec<Mutation> {
    let mut rounds: Vec<Vec<Mutation>> = Vec::new();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for mutation in mutations {
        let time = times.entry(mutation.path.clone()).or_default();
        if rounds.len() <= *time {
            rounds.push(Vec::new());
        }
        if let Some(list) = rounds.get_mut(*time) {
            list.push(mutation);
        }
        *time += 1;
    }
    let mut chosen: Vec<Mutation> = Vec::new();
    for list in rounds {
        let left = number.saturating_sub(chosen.len());
        // When not all of a round fit, an even selection of it.
        let total = list.len();
        let take = total.min(left);
        let mut given = 0;
        chosen.extend(list.into_iter().enumerate().filter_map(|(index, mutation)| {
            let due = (index + 1) * take / total;
            (due > given).then(|| {
                given = due;
                mutation
            })
        }));
    }
    chosen
}

/// Calls back with each value that a schema allows, as a complete value of the schema where the walk began.
fn walk(schema: &Value, path: &str, depth: usize, give: &mut dyn FnMut(&str, Value)) {
    let field = |name: &str| schema.get(name);
    if depth == 0 {
        return;
    }
    if field("x-kubernetes-int-or-string").is_some() {
        for value in [json!(1), json!("50%"), json!(-1), json!("abc"), json!("1Gi")] {
            give(path, value);
        }
        return;
    }
    if let Some(values) = field("enum").and_then(Value::as_array) {
        for value in values {
            give(path, value.clone());
        }
        give(path, json!("none of these"));
        return;
    }
    match field("type").and_then(Value::as_str) {
        Some("object") => object(schema, path, depth, give),
        Some("array") => {
            give(path, json!([]));
            if let Some(items) = field("items") {
                walk(items, &format!("{path}[]"), depth - 1, &mut |path, item| give(path, json!([item])));
                let twice = smallest(items);
                give(path, json!([twice, twice]));
            }
        }
        Some("string") => {
            for text in strings() {
                give(path, json!(text));
            }
        }
        Some("integer") => {
            for value in [json!(1), json!(0), json!(-1), json!(i32::MAX), json!(i32::MIN), json!(1_i64 << 40)]
            {
                give(path, value);
            }
        }
        Some("number") => {
            for value in [0.5, -1.0, 1e300] {
                give(path, json!(value));
            }
        }
        Some("boolean") => {
            for value in [true, false] {
                give(path, json!(value));
            }
        }
        _ => {
            for value in [json!({"a": {"b": [1, "x", true]}}), json!({}), json!("text"), json!(3), json!([1])]
            {
                give(path, value);
            }
        }
    }
}

fn object(schema: &Value, path: &str, depth: usize, give: &mut dyn FnMut(&str, Value)) {
    if let Some(values) = schema.get("additionalProperties").filter(|v| v.is_object()) {
        for key in ["k", "a.b/c", "", "with space"] {
            let value = smallest(values);
            give(path, json!({key: value}));
        }
        walk(values, &format!("{path}.k"), depth - 1, &mut |path, value| give(path, json!({"k": value})));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    if properties.is_none() && schema.get("additionalProperties").is_none() {
        for value in [json!({"a": {"b": [1, "x", true]}}), json!({"x": null, "y": "$(id) '\"`\\"}), json!({})]
        {
            give(path, value);
        }
    }
    for (name, property) in properties.into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), depth - 1, &mut |path, value| {
            let whole = merged(smallest(schema), json!({name: value}));
            give(path, whole);
        });
    }
}

/// The smallest value of a schema: only required properties.
fn smallest(schema: &Value) -> Value {
    let field = |name: &str| schema.get(name);
    if let Some(first) = field("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    match field("type").and_then(Value::as_str) {
        Some("object") => {
            let required = field("required").and_then(Value::as_array).into_iter().flatten();
            let properties = field("properties");
            required
                .filter_map(Value::as_str)
                .filter_map(|name| Some((name.to_owned(), smallest(properties?.get(name)?))))
                .collect::<Map<_, _>>()
                .into()
        }
        Some("array") => json!([]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        _ => json!("x"),
    }
}

fn strings() -> Vec<String> {
    let some =
        ["x", "", "a.b-c_d", "é ☃", "'\"`$(id)${HOME}\\;&&|\n\t#", "-1", "true", "{\"a\":1}", "a/b:c@d"];
    some.map(str::to_owned).into_iter().chain(["y".repeat(300)]).collect()
}

/// One value over another; lists as a whole.
fn merged(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (name, value) in over {
                let below = under.remove(&name).unwrap_or_default();
                under.insert(name, merged(below, value));
            }
            Value::Object(under)
        }
        (_, over) => over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "image": {"type": "string"},
            "policy": {"type": "string", "enum": ["A", "B"]},
            "replicas": {"type": "integer"},
            "pod": {"type": "object", "properties": {
                "list": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string"}, "size": {"x-kubernetes-int-or-string": true}}}},
            }},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }})
    }

    #[test]
    fn one_property_at_a_time_is_another() {
        let spec = json!({"image": "i", "pod": {"other": 1}});
        let all = mutations(&schema(), &spec);
        let of =
            |path: &str| all.iter().filter(|m| m.path == path).map(|m| m.spec.clone()).collect::<Vec<_>>();
        let item = json!({"name": "x", "size": "50%"});
        assert!(
            of("spec.pod.list[].size").contains(&json!({"image": "i", "pod": {"other": 1, "list": [item]}}))
        );
        assert!(of("spec.policy").contains(&json!({"image": "i", "pod": {"other": 1}, "policy": "B"})));
        assert_eq!(of("spec.image (removed)"), [json!({"pod": {"other": 1}})]);
        assert_eq!(of("spec.replicas").len(), 6);
        assert!(!all.iter().any(|m| m.spec == spec));
        for path in ["spec.map", "spec.map.k", "spec.free", "spec.pod.list", "spec.pod.list[].name"] {
            assert!(!of(path).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_few_are_of_all_properties() {
        let all = mutations(&schema(), &json!({"image": "i"}));
        let paths = |list: &[Mutation]| {
            list.iter().map(|m| m.path.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        let some = spread(all.clone(), 10);
        assert_eq!((some.len(), paths(&some).len()), (10, paths(&all).len().min(10)));
        assert_eq!(spread(all.clone(), 100_000).len(), all.len());
        assert_eq!(spread(all, 3).len(), 3);
    }
}
