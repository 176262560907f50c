//! Offline rendering, with the crates of the controllers.

use functionmesh_api::constants::API_VERSION;
use functionmesh_api::{Function, Sink, Source};
use functionmesh_render::{Component, Desired, Environment, render as render_workload};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

/// Uid of objects that have none: they were never stored.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Everything that one object becomes, or what is wrong with it: `<kind>/<name>: <field>: <problem>`.
pub fn render(object: &Value, environment: &Environment) -> Result<Vec<Value>, Vec<String>> {
    match object.get("kind").and_then(Value::as_str) {
        Some("Function") => component::<Function>(object, environment),
        Some("Source") => component::<Source>(object, environment),
        Some("Sink") => component::<Sink>(object, environment),
        Some("FunctionMesh") => mesh(object, environment),
        // Part of the input, and no object of its own comes from it.
        Some("BackendConfig") => Err(vec![problem(object, "kind", "is not supported by this release")]),
        Some(kind) => Err(vec![problem(object, "kind", &format!("{kind} is none of Function Mesh"))]),
        None => Err(vec![problem(object, "kind", "must be set")]),
    }
}

fn component<K: Component>(object: &Value, environment: &Environment) -> Result<Vec<Value>, Vec<String>> {
    let member = |key: &str| object.get(key).cloned().unwrap_or_else(|| json!({}));
    let mut metadata: ObjectMeta = serde_json::from_value(member("metadata"))
        .map_err(|error| vec![problem(object, "metadata", &error.to_string())])?;
    metadata.namespace.get_or_insert_with(|| "default".to_owned());
    metadata.uid.get_or_insert_with(|| NO_UID.to_owned());
    let spec = serde_json::from_value(member("spec"))
        .map_err(|error| vec![problem(object, "spec", &error.to_string())])?;
    let workload = K::lower(&metadata, spec).map_err(|invalid| {
        invalid.0.into_iter().map(|p| problem(object, &p.field, &p.problem)).collect::<Vec<_>>()
    })?;
    let Desired { service, stateful_set, horizontal_autoscaler: _, vertical_autoscaler: _ } =
        render_workload(&workload, environment, &functionmesh_render::Defaults::default());
    [serde_json::to_value(&service), serde_json::to_value(&stateful_set)]
        .into_iter()
        .map(|rendered| rendered.map_err(|error| vec![problem(object, "spec", &error.to_string())]))
        .collect()
}

/// The components of a mesh, each followed by what it becomes.
fn mesh(object: &Value, environment: &Environment) -> Result<Vec<Value>, Vec<String>> {
    let (mut rendered, mut problems) = (Vec::new(), Vec::new());
    let text = |pointer: &str, default: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or(default).to_owned()
    };
    let name = text("/metadata/name", "");
    for (list, kind) in [("functions", "Function"), ("sources", "Source"), ("sinks", "Sink")] {
        let items = object.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        for (i, item) in items.into_iter().flatten().enumerate() {
            let Some(item_name) = item.get("name").and_then(Value::as_str).filter(|n| !n.is_empty()) else {
                problems.push(problem(object, &format!("spec.{list}[{i}].name"), "must be set"));
                continue;
            };
            let child = json!({
                "apiVersion": API_VERSION,
                "kind": kind,
                "metadata": {
                    "name": format!("{name}-{item_name}"),
                    "namespace": text("/metadata/namespace", "default"),
                    "ownerReferences": [{
                        "apiVersion": API_VERSION, "kind": "FunctionMesh", "name": name,
                        "uid": text("/metadata/uid", NO_UID), "controller": true, "blockOwnerDeletion": true,
                    }],
                },
                "spec": item,
            });
            match render(&child, environment) {
                Ok(children) => {
                    rendered.push(child);
                    rendered.extend(children);
                }
                Err(found) => problems.extend(found),
            }
        }
    }
    if problems.is_empty() { Ok(rendered) } else { Err(problems) }
}

fn problem(object: &Value, field: &str, problem: &str) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    format!("{}/{}: {field}: {problem}", text("/kind").to_lowercase(), text("/metadata/name"))
}
