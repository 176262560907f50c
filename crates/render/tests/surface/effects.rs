//! Each declared field has an effect on what is rendered, or its description says "Not used".

use crate::bases;
use crate::case::{Case, Kind};
use crate::schema::{self, Shape, shape};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A field of Function Mesh whose content is not examined further, as the names of the fields on its path; `*` is any key or
/// item.
type Path = Vec<String>;

/// Whether fields are not used, by path.
fn leaves(schema: &Value, path: &mut Path, not_used: bool, out: &mut BTreeMap<Path, bool>) {
    let inner = |path: &mut Path, step: &str, schema: &Value, out: &mut BTreeMap<Path, bool>| {
        let not_used =
            not_used || schema["description"].as_str().is_some_and(|text| text.starts_with("Not used"));
        path.push(step.to_owned());
        leaves(schema, path, not_used, out);
        path.pop();
    };
    match shape(schema) {
        // The fields of a Kubernetes type have no descriptions: it is passed on as a whole.
        Shape::Fields(fields) if fields.values().all(|field| field["description"].is_string()) => {
            fields.iter().for_each(|(name, field)| inner(path, name, field, out));
        }
        Shape::List(items) | Shape::Map(items) if matches!(shape(items), Shape::Fields(fields) if fields.values().all(|f| f["description"].is_string())) =>
        {
            inner(path, "*", items, out);
        }
        _ => drop(out.insert(path.clone(), not_used)),
    }
}

fn leaves_of(kind: &str) -> BTreeMap<Path, bool> {
    let mut out = BTreeMap::new();
    leaves(schema::spec(kind), &mut Vec::new(), false, &mut out);
    out
}

/// The schema at a path.
fn schema_at<'a>(schema: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(schema, |schema, step| match shape(schema) {
        Shape::Fields(fields) => &fields[step],
        Shape::Map(inner) | Shape::List(inner) => inner,
        _ => schema,
    })
}

/// Gives the values at `path` to `change`, where the object around them is there.
fn at(value: &mut Value, path: &[String], change: &mut dyn FnMut(&mut Map<String, Value>, &str)) {
    match (path, value) {
        ([last], Value::Object(map)) => change(map, last),
        ([step, rest @ ..], Value::Object(map)) if step == "*" => {
            map.values_mut().for_each(|inner| at(inner, rest, change));
        }
        ([_, rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|item| at(item, rest, change)),
        ([step, rest @ ..], Value::Object(map)) => {
            if let Some(inner) = map.get_mut(step) {
                at(inner, rest, change);
            }
        }
        _ => {}
    }
}

/// Other values than `value`, one of which should make a difference. `None` leaves the field out.
fn others(schema: &Value, value: Option<&Value>) -> Vec<Option<Value>> {
    let mut all: Vec<Option<Value>> = vec![None];
    let text = value.and_then(Value::as_str).unwrap_or_default();
    match shape(schema) {
        Shape::Enumeration(values) => all.extend(values.iter().cloned().map(Some)),
        Shape::Scalar("boolean") => all.extend([Some(json!(true)), Some(json!(false))]),
        Shape::Scalar(_) if schema["type"] == "integer" => {
            let number = value.and_then(Value::as_i64).unwrap_or(2);
            all.extend([number + 1, number + 7, 0].map(|n| Some(json!(n))));
        }
        Shape::Scalar(_) => {
            let texts =
                ["other", "Delete", "Retain", "Always", "AverageUtilizationCPUPercent50", "SEND", "DISCARD"];
            all.extend(texts.map(|text| Some(json!(text))));
            all.push(Some(json!(format!("{text}x"))));
        }
        Shape::List(inner) => {
            if let Some(Value::Array(items)) = value {
                for i in 0..items.len() {
                    for other in others(inner, items.get(i)) {
                        let mut items = items.clone();
                        match other {
                            Some(other) => items[i] = other,
                            None => drop(items.remove(i)),
                        }
                        all.push(Some(items.into()));
                    }
                }
            }
            all.extend(others_alone(inner).map(|item| Some(json!([item]))));
        }
        Shape::Map(inner) => {
            let map = value.and_then(Value::as_object).cloned().unwrap_or_default();
            for other in others_alone(inner) {
                let mut map = map.clone();
                map.insert("persistent://acme/orders/more".to_owned(), other.clone());
                all.push(Some(map.clone().into()));
                map.remove("persistent://acme/orders/more");
                map.insert("more".to_owned(), other);
                all.push(Some(map.into()));
            }
        }
        Shape::FreeForm => all.push(Some(json!({"more": "text"}))),
        Shape::IntOrString { .. } | Shape::Fields(_) => {}
    }
    all
}

/// Values for a place that has none.
fn others_alone(schema: &Value) -> impl Iterator<Item = Value> {
    others(schema, None).into_iter().flatten()
}

/// Whether some other value of a field makes some base render to something else.
fn has_effect(kind: Kind, path: &Path, schema: &Value, root: &dyn Fn(&mut Case) -> Vec<&mut Value>) -> bool {
    let field = schema_at(schema, path);
    for base in bases::all().filter(|base| base.kind == kind) {
        for init_containers in [false, true] {
            let mut base = base.clone();
            base.init_containers = init_containers;
            let Ok(before) = base.outcome().unwrap() else { continue };
            let before = before.text();
            let mut known = None;
            let mut there = false;
            for value in root(&mut base.clone()) {
                at(value, path, &mut |map, last| {
                    there = true;
                    known = known.take().or_else(|| map.get(last).cloned());
                });
            }
            if !there {
                continue;
            }
            for other in others(field, known.as_ref()) {
                let mut changed = base.clone();
                for value in root(&mut changed) {
                    at(value, path, &mut |map, last| {
                        match &other {
                            Some(other) => map.insert(last.to_owned(), other.clone()),
                            None => map.remove(last),
                        };
                    });
                }
                // Some changes leave no valid object.
                if let Ok(Ok(after)) = changed.outcome()
                    && after.text() != before
                {
                    return true;
                }
            }
        }
    }
    false
}

/// Fields that have no effect on what is rendered although their descriptions do not say "Not used": they belong to a
/// type that is used elsewhere, or have an effect elsewhere. A path stands for all below it.
const WITHOUT_EFFECT: &[&str] = &[
    // It decides when a change reaches components, not how they are rendered.
    "BackendConfig.autoUpdate",
];

fn compare(schema_of: &str, kind: Kind, root: &dyn Fn(&mut Case) -> Vec<&mut Value>) {
    let schema = schema::spec(schema_of);
    let mut wrong = Vec::new();
    for (path, not_used) in leaves_of(schema_of) {
        let name = format!("{schema_of}.{}", path.join("."));
        let has_effect = has_effect(kind, &path, schema, root);
        let below = |known: &&&str| {
            name.strip_prefix(**known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let listed = WITHOUT_EFFECT.iter().find(below);
        let documented = not_used || listed.is_some();
        if has_effect == documented {
            wrong.push(format!("{name}: {}", if has_effect { "has an effect" } else { "has no effect" }));
        }
    }
    let mut listed = WITHOUT_EFFECT.iter().filter(|path| path.starts_with(&format!("{schema_of}.")));
    let known = |path: &&str| {
        leaves_of(schema_of).keys().any(|leaf| format!("{schema_of}.{}", leaf.join(".")).starts_with(path))
    };
    assert_eq!(listed.find(|path| !known(path)), None, "no such field");
    assert!(wrong.is_empty(), "descriptions are wrong:\n{}", wrong.join("\n"));
}

fn compare_spec(kind: Kind) {
    compare(kind.name(), kind, &|case| vec![&mut case.spec]);
}

#[test]
fn fields_of_a_function() {
    compare_spec(Kind::Function);
}

#[test]
fn fields_of_a_source() {
    compare_spec(Kind::Source);
}

#[test]
fn fields_of_a_sink() {
    compare_spec(Kind::Sink);
}

#[test]
fn fields_of_a_backend_config() {
    compare("BackendConfig", Kind::Function, &|case| case.backend_configs.iter_mut().collect());
}
