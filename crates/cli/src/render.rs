//! Renders offline, with the same code as the controllers.

use crate::schema::{Findings, Schemas, Validation};
use functionmesh_api::constants::API_VERSION;
use functionmesh_api::settings;
use functionmesh_api::{BackendConfigSpec, Function, Kind, Sink, Source};
use functionmesh_render::RenderArgs;
use functionmesh_render::{
    Component, Defaults, Desired, Environment, Workload, check_backend_config, cleanup, decode,
    refused_at_creation, render as render_workload,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// UID of objects that have none because they were never stored.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Options of rendering.
pub(crate) struct Renderer<'a> {
    /// The operator's configuration.
    pub environment: Environment,
    /// Its flags.
    pub operator: &'a RenderArgs,
    /// Whether to print the cleanup Jobs.
    pub include_cleanup: bool,
    /// Namespace for objects that do not set one.
    pub namespace: String,
    /// How to treat unknown fields.
    pub validate: Validation,
    /// Whether to print objects of other kinds.
    pub show_others: bool,
}

/// The result of rendering.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    /// The objects.
    pub objects: Vec<Value>,
    /// Notes for the user, which are no errors.
    pub notes: Vec<String>,
    /// All problems: `<kind>/<name>: <field>: <problem>`.
    pub problems: Vec<String>,
}

/// The `BackendConfig`s of the input by namespace and name.
type Configs = BTreeMap<(String, String), BackendConfigSpec>;

impl Renderer<'_> {
    /// Renders all documents, or reports all problems.
    pub(crate) fn all(&self, documents: Vec<Value>) -> Rendered {
        let (mut rendered, mut schemas) = (Rendered::default(), Schemas::default());
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        let documents: Vec<(bool, Value)> = documents
            .into_iter()
            .filter_map(|document| match origin(&document) {
                Ok(true) => {
                    let object = self.in_namespace(document);
                    self.validated(&object, &mut schemas, &mut rendered).then_some((true, object))
                }
                Ok(false) => {
                    let kind = text(&document, "/kind", "?");
                    *others.entry(kind).or_default() += 1;
                    Some((false, document))
                }
                Err(problem) => {
                    rendered.problems.push(problem);
                    None
                }
            })
            .collect();
        let ours = documents.iter().filter(|(ours, _)| *ours).map(|(_, document)| document);
        let configs = configs(ours, &mut rendered.problems);
        rendered.problems.extend(self.ambiguous(&configs));
        for (ours, document) in documents {
            if !ours {
                rendered.objects.extend(self.show_others.then_some(document));
                continue;
            }
            rendered.notes.extend(warnings(&document));
            match self.one(&document, &configs) {
                Ok(objects) => rendered.objects.extend(objects),
                Err(problems) => rendered.problems.extend(problems),
            }
        }
        if !others.is_empty() && !self.show_others {
            let kinds: Vec<String> = others.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
            rendered.notes.push(format!("ignored, not kinds of Function Mesh: {}", kinds.join(", ")));
        }
        rendered
    }

    /// Sets the namespace of an object that has none.
    fn in_namespace(&self, mut object: Value) -> Value {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.entry("namespace").or_insert_with(|| json!(self.namespace));
        }
        object
    }

    /// Compares an object with the schema of its kind. Returns whether it can be rendered.
    fn validated(&self, object: &Value, schemas: &mut Schemas, rendered: &mut Rendered) -> bool {
        let Findings { unknown, invalid } = schemas.check(&text(object, "/kind", ""), object);
        let unknown = unknown.iter().map(|field| format!("{}: unknown field \"{field}\"", name(object)));
        let mut is_right = invalid.is_empty();
        match self.validate {
            Validation::Strict => {
                let before = rendered.problems.len();
                rendered.problems.extend(unknown);
                is_right &= rendered.problems.len() == before;
            }
            Validation::Warn => rendered.notes.extend(unknown.map(|line| format!("Warning: {line}"))),
            Validation::Ignore => {}
        }
        rendered.problems.extend(invalid.iter().map(|problem| format!("{}: {problem}", name(object))));
        is_right
    }

    fn one(&self, object: &Value, configs: &Configs) -> Result<Vec<Value>, Vec<String>> {
        match object.get("kind").and_then(Value::as_str) {
            Some("Function") => self.component::<Function>(object, configs),
            Some("Source") => self.component::<Source>(object, configs),
            Some("Sink") => self.component::<Sink>(object, configs),
            Some("FunctionMesh") => self.mesh(object, configs),
            // A BackendConfig is an input and renders to no object.
            _ => Ok(Vec::new()),
        }
    }

    fn component<K: Component>(&self, object: &Value, configs: &Configs) -> Result<Vec<Value>, Vec<String>> {
        let workload = lower::<K>(object)?;
        let defaults = self.defaults(&workload.namespace, configs);
        // Destructured without `..`, so that a new kind of child does not compile until it is printed.
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

    /// The defaults from the `BackendConfig`s of the input for a namespace.
    fn defaults(&self, namespace: &str, configs: &Configs) -> Defaults {
        let find = |namespace: &str, name: &str| configs.get(&(namespace.to_owned(), name.to_owned()));
        let global = self.operator.global().and_then(|(namespace, name)| match namespace {
            Some(namespace) => find(namespace, name),
            None => configs.iter().find(|((_, other), _)| other == name).map(|(_, config)| config),
        });
        let namespaced = self.operator.namespaced().and_then(|name| find(namespace, name));
        Defaults::merge(global, namespaced)
    }

    /// Renders the components of a mesh, each followed by its children.
    fn mesh(&self, object: &Value, configs: &Configs) -> Result<Vec<Value>, Vec<String>> {
        let (mut rendered, mut problems) = (Vec::new(), Vec::new());
        let name = text(object, "/metadata/name", "");
        for (list, kind) in Kind::ALL.map(|kind| (kind.plural(), kind.name())) {
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

/// What `kubectl apply` warns about in an object, or in the items of a mesh: settings that have no effect or are limited.
fn warnings(object: &Value) -> Vec<String> {
    let in_spec = |kind: Kind, spec: &Value, path: &str| -> Vec<String> {
        let warned = settings::warned(kind, spec);
        warned.iter().map(|text| format!("Warning: {}: {path}{text}", name(object))).collect()
    };
    let whose = text(object, "/kind", "");
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == whose) {
        return object.get("spec").map(|spec| in_spec(kind, spec, "")).unwrap_or_default();
    }
    let items = Kind::ALL.into_iter().flat_map(|kind| {
        let items = object.pointer(&format!("/spec/{}", kind.plural())).and_then(Value::as_array);
        items.into_iter().flatten().enumerate().map(move |(i, item)| (kind, i, item))
    });
    items.flat_map(|(kind, i, item)| in_spec(kind, item, &format!("spec.{}[{i}]: ", kind.plural()))).collect()
}

/// Decodes and checks an object as the API server and the controller do when it is created.
fn lower<K: Component>(object: &Value) -> Result<Workload, Vec<String>> {
    let member = |key: &str| object.get(key).cloned().unwrap_or_else(|| json!({}));
    let mut metadata: ObjectMeta = serde_json::from_value(member("metadata"))
        .map_err(|error| vec![problem(object, "metadata", &error.to_string())])?;
    metadata.uid.get_or_insert_with(|| NO_UID.to_owned());
    let messages = |problems: Vec<functionmesh_render::Problem>| -> Vec<String> {
        problems.into_iter().map(|p| problem(object, &p.field, &p.problem)).collect()
    };
    let spec = decode::<K::Spec>(&member("spec")).map_err(|invalid| messages(invalid.0))?;
    let mut problems = messages(refused_at_creation(K::common(&spec)));
    let unsafe_settings = settings::refused(K::KIND, &member("spec"));
    problems.extend(unsafe_settings.iter().map(|text| located(object, text)));
    match K::lower(&metadata, spec) {
        Ok(workload) if problems.is_empty() => Ok(workload),
        Ok(_) => Err(problems),
        Err(invalid) => {
            problems.extend(messages(invalid.0));
            Err(problems)
        }
    }
}

/// The object that the mesh-controller creates for an item.
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

/// Whether an object is of one of our kinds, in the version that there is.
pub(crate) fn is_ours(object: &Value) -> bool {
    origin(object) == Ok(true)
}

/// An object of ours in its namespace, or the components of a mesh; nothing of what is not ours.
pub(crate) fn with_components(mut object: Value, namespace: &str) -> Vec<Value> {
    if !is_ours(&object) {
        return Vec::new();
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
    }
    if text(&object, "/kind", "") != "FunctionMesh" {
        return vec![object];
    }
    let name = text(&object, "/metadata/name", "");
    let items = Kind::ALL.into_iter().flat_map(|kind| {
        let items = object.pointer(&format!("/spec/{}", kind.plural())).and_then(Value::as_array);
        items.into_iter().flatten().map(move |item| (kind.name(), item))
    });
    items.map(|(kind, item)| child(&object, &name, kind, &text(item, "/name", ""), item)).collect()
}

/// What the instance gets to know of its topics; none for what is no Function, Source or Sink.
pub(crate) fn function_details(object: &Value) -> Result<Option<Value>, Vec<String>> {
    let workload = match object.get("kind").and_then(Value::as_str) {
        Some("Function") => lower::<Function>(object)?,
        Some("Source") => lower::<Source>(object)?,
        Some("Sink") => lower::<Sink>(object)?,
        _ => return Ok(None),
    };
    value(&workload.details).map(Some).map_err(|error| vec![problem(object, "spec", &error.to_string())])
}

/// Whether an object is of a kind of Function Mesh.
fn origin(object: &Value) -> Result<bool, String> {
    let field = |field: &str| object.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(kind) = field("kind") else { return Err(problem(object, "kind", "must be set")) };
    let Some(version) = field("apiVersion") else { return Err(problem(object, "apiVersion", "must be set")) };
    if version != API_VERSION && version.split('/').next() != API_VERSION.split('/').next() {
        return Ok(false);
    }
    let known = ["Function", "Source", "Sink", "FunctionMesh", "BackendConfig"];
    if version == API_VERSION && known.contains(&kind) {
        return Ok(true);
    }
    Err(format!("{}: no matches for kind \"{kind}\" in version \"{version}\"", name(object)))
}

fn configs<'a>(documents: impl Iterator<Item = &'a Value>, problems: &mut Vec<String>) -> Configs {
    let mut configs = Configs::new();
    for document in documents.filter(|d| d.get("kind").is_some_and(|kind| kind == "BackendConfig")) {
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
    located(object, &format!("{field}: {problem}"))
}

/// A text that names the field, with the object.
fn located(object: &Value, what: &str) -> String {
    format!("{}: {what}", name(object))
}

/// Kind and name.
fn name(object: &Value) -> String {
    format!("{}/{}", text(object, "/kind", "?").to_lowercase(), text(object, "/metadata/name", "?"))
}
