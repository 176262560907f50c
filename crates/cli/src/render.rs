//! Offline rendering, with the crates of the controllers.

use functionmesh_api::constants::API_VERSION;
use functionmesh_api::{BackendConfigSpec, Function, Sink, Source};
use functionmesh_render::args::RenderArgs;
use functionmesh_render::{
    Component, Defaults, Desired, Environment, Workload, check_backend_config, cleanup, decode,
    refused_at_creation, render as render_workload,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Uid of objects that have none: they were never stored.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// The kinds that a mesh consists of, in the order in which they are printed.
const COMPONENTS: [(&str, &str); 3] = [("functions", "Function"), ("sources", "Source"), ("sinks", "Sink")];

/// What rendering depends on besides the input.
pub struct Renderer<'a> {
    /// The operator's configuration.
    pub environment: Environment,
    /// Its flags.
    pub operator: &'a RenderArgs,
    /// Whether the Jobs that run at deletion are printed.
    pub include_cleanup: bool,
}

/// The `BackendConfig`s of the input by namespace and name.
type Configs = BTreeMap<(String, String), BackendConfigSpec>;

impl Renderer<'_> {
    /// Everything that the input becomes, or all that is wrong with it: `<kind>/<name>: <field>: <problem>`.
    pub fn all(&self, documents: &[Value]) -> Result<Vec<Value>, Vec<String>> {
        let (mut objects, mut problems) = (Vec::new(), Vec::new());
        let configs = configs(documents, &mut problems);
        problems.extend(self.ambiguous(&configs));
        for document in documents {
            match self.one(document, &configs) {
                Ok(rendered) => objects.extend(rendered),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(objects) } else { Err(problems) }
    }

    fn one(&self, object: &Value, configs: &Configs) -> Result<Vec<Value>, Vec<String>> {
        match object.get("kind").and_then(Value::as_str) {
            Some("Function") => self.component::<Function>(object, configs),
            Some("Source") => self.component::<Source>(object, configs),
            Some("Sink") => self.component::<Sink>(object, configs),
            Some("FunctionMesh") => self.mesh(object, configs),
            // Part of the input, and no object of its own comes from it.
            Some("BackendConfig") => Ok(Vec::new()),
            Some(kind) => Err(vec![problem(object, "kind", &format!("{kind} is none of Function Mesh"))]),
            None => Err(vec![problem(object, "kind", "must be set")]),
        }
    }

    fn component<K: Component>(&self, object: &Value, configs: &Configs) -> Result<Vec<Value>, Vec<String>> {
        let workload = lower::<K>(object)?;
        let defaults = self.defaults(&workload.namespace, configs);
        // Taken apart without `..`: a new kind of child does not compile until it is printed.
        let Desired { service, stateful_set, horizontal_autoscaler, vertical_autoscaler } =
            render_workload(&workload, &self.environment, &defaults);
        let job = self.include_cleanup.then(|| cleanup(&workload, &self.environment, &defaults)).flatten();
        let printed = [
            Some(value(&service)),
            Some(value(&stateful_set)),
            horizontal_autoscaler.as_ref().map(value),
            vertical_autoscaler.as_ref().map(value),
            job.as_ref().map(value),
        ];
        printed
            .into_iter()
            .flatten()
            .map(|rendered| rendered.map_err(|error| vec![problem(object, "spec", &error.to_string())]))
            .collect()
    }

    /// Offline there is no namespace of the release: the global `BackendConfig` is known by its name, if there is only one.
    fn ambiguous(&self, configs: &Configs) -> Option<String> {
        let (None, name) = self.operator.global()? else { return None };
        let namespaces: Vec<&str> = configs
            .keys()
            .filter(|(_, other)| other == name)
            .map(|(namespace, _)| namespace.as_str())
            .collect();
        (namespaces.len() > 1).then(|| {
            format!(
                "BackendConfig/{name}: in the namespaces {}; name the one for all namespaces with \
                 --global-backend-config-namespace",
                namespaces.join(" and ")
            )
        })
    }

    /// What the `BackendConfig`s of the input say for a namespace.
    fn defaults(&self, namespace: &str, configs: &Configs) -> Defaults {
        let find = |namespace: &str, name: &str| configs.get(&(namespace.to_owned(), name.to_owned()));
        let global = self.operator.global().and_then(|(namespace, name)| match namespace {
            Some(namespace) => find(namespace, name),
            None => configs.iter().find(|((_, other), _)| other == name).map(|(_, config)| config),
        });
        let namespaced = self.operator.namespaced().and_then(|name| find(namespace, name));
        Defaults::merge(global, namespaced)
    }

    /// The components of a mesh, each followed by what it becomes.
    fn mesh(&self, object: &Value, configs: &Configs) -> Result<Vec<Value>, Vec<String>> {
        let (mut rendered, mut problems) = (Vec::new(), Vec::new());
        let name = text(object, "/metadata/name", "");
        for (list, kind) in COMPONENTS {
            let items = object.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
            let mut seen = BTreeSet::new();
            for (i, item) in items.into_iter().flatten().enumerate() {
                let field = format!("spec.{list}[{i}]");
                let item_name = item.get("name").and_then(Value::as_str).unwrap_or_default();
                if item_name.is_empty() {
                    problems.push(problem(object, &format!("{field}.name"), "must be set"));
                    continue;
                }
                if !seen.insert(item_name) {
                    let text = format!("{item_name:?} is the name of another item already; choose another");
                    problems.push(problem(object, &format!("{field}.name"), &text));
                    continue;
                }
                let child = child(object, &name, kind, item_name, item);
                match self.one(&child, configs) {
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
}

/// Decodes and checks an object as the API server and the controller do when it is created.
fn lower<K: Component>(object: &Value) -> Result<Workload, Vec<String>> {
    let member = |key: &str| object.get(key).cloned().unwrap_or_else(|| json!({}));
    let mut metadata: ObjectMeta = serde_json::from_value(member("metadata"))
        .map_err(|error| vec![problem(object, "metadata", &error.to_string())])?;
    metadata.namespace.get_or_insert_with(|| "default".to_owned());
    metadata.uid.get_or_insert_with(|| NO_UID.to_owned());
    let told = |problems: Vec<functionmesh_render::Problem>| -> Vec<String> {
        problems.into_iter().map(|p| problem(object, &p.field, &p.problem)).collect()
    };
    let spec = decode::<K::Spec>(&member("spec")).map_err(|invalid| told(invalid.0))?;
    let mut problems = refused_at_creation(K::common(&spec));
    match K::lower(&metadata, spec) {
        Ok(workload) if problems.is_empty() => Ok(workload),
        Ok(_) => Err(told(problems)),
        Err(invalid) => {
            problems.extend(invalid.0);
            Err(told(problems))
        }
    }
}

/// The object that the mesh-controller makes of an item.
fn child(mesh: &Value, mesh_name: &str, kind: &str, name: &str, item: &Value) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": format!("{mesh_name}-{name}"),
            "namespace": text(mesh, "/metadata/namespace", "default"),
            "ownerReferences": [{
                "apiVersion": API_VERSION, "kind": "FunctionMesh", "name": mesh_name,
                "uid": text(mesh, "/metadata/uid", NO_UID), "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": item,
    })
}

fn configs(documents: &[Value], problems: &mut Vec<String>) -> Configs {
    let mut configs = Configs::new();
    for document in documents.iter().filter(|d| d.get("kind").is_some_and(|kind| kind == "BackendConfig")) {
        let key = (text(document, "/metadata/namespace", "default"), text(document, "/metadata/name", ""));
        let spec = document.get("spec").cloned().unwrap_or_else(|| json!({}));
        let checked =
            decode::<BackendConfigSpec>(&spec).and_then(|spec| check_backend_config(&spec).map(|()| spec));
        match checked {
            Ok(spec) => {
                configs.insert(key, spec);
            }
            Err(invalid) => {
                problems.extend(invalid.0.iter().map(|p| problem(document, &p.field, &p.problem)));
            }
        }
    }
    configs
}

/// An object as JSON, with its kind.
fn value<T: Serialize>(object: &T) -> serde_json::Result<Value> {
    serde_json::to_value(object)
}

fn text(object: &Value, pointer: &str, default: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or(default).to_owned()
}

fn problem(object: &Value, field: &str, problem: &str) -> String {
    format!(
        "{}/{}: {field}: {problem}",
        text(object, "/kind", "?").to_lowercase(),
        text(object, "/metadata/name", "?")
    )
}
