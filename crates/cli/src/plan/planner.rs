//! Reads what a plan needs, and decides about one object after the other.

use super::backend::Configs;
use super::edits::edits;
use super::entry::{Entry, Fate};
use super::operator::Operators;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::target::{Target, component_kinds, components_of};
use crate::input::Input;
use crate::render::{is_ours, with_components};
use crate::terminal::progress;
use anyhow::Result;
use functionmesh_api::constants::LABEL_MESH;
use functionmesh_api::{Function, Kind, Sink, Source, mesh_items, mesh_label};
use functionmesh_plan::forecast::{Forecast, ForecastInputs, Origin, forecast};
use functionmesh_plan::health::reason::Reason;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The components that a BackendConfig applies to.
pub(super) enum Concerned {
    /// Those of all namespaces.
    All,
    /// Those of one.
    Namespace(String),
}

/// Everything that is read once.
pub(super) struct Planner<'a> {
    pub(super) input: &'a Input,
    pub(super) target: &'a Target,
    pub(super) cluster: &'a Connection,
    pub(super) operators: Operators,
    pub(super) configs: Configs,
    /// StatefulSets by namespace and name, where all were read at once.
    pub(super) sets: Option<BTreeMap<(String, String), Value>>,
    pub(super) entries: Vec<Entry>,
    /// Children of the components of a namespace, for deletions.
    pub(super) children: BTreeMap<String, Vec<Value>>,
    /// Whether the caller lacks the permission to try StatefulSets; said once.
    pub(super) is_untried: bool,
}

impl Planner<'_> {
    /// Objects as they are stored.
    pub(super) fn everything(&mut self, scope: &[&str]) -> Result<()> {
        let kinds = component_kinds();
        let words = [&[kinds.as_str(), "--show-managed-fields"], scope].concat();
        let objects = self.cluster.objects(&words)?;
        let label = format!("--selector={}", functionmesh_api::constants::LABEL_COMPONENT);
        let words = [&["statefulsets.apps", "--show-managed-fields", &label], scope].concat();
        let sets = self.cluster.objects(&words)?;
        let key = |set: &Value| {
            let item = Item::of(set.clone());
            (item.namespace, item.name)
        };
        self.sets = Some(sets.into_iter().map(|set| (key(&set), set)).collect());
        for object in objects {
            self.component(&object, &[])?;
        }
        Ok(())
    }

    pub(super) fn files(&mut self) -> Result<()> {
        let (ours, others): (Vec<Value>, Vec<Value>) = self.input.objects()?.into_iter().partition(is_ours);
        if !others.is_empty() {
            eprintln!("Not planned: {} of other kinds", crate::terminal::plural(others.len(), "object"));
        }
        let (configs, ours): (Vec<Value>, Vec<Value>) = ours
            .into_iter()
            .partition(|object| object.get("kind").is_some_and(|kind| kind == "BackendConfig"));
        let mut changed = Vec::new();
        for config in configs {
            changed.extend(self.config(&config));
        }
        for object in ours {
            progress(&format!("{} objects planned", self.entries.len()));
            match self.stored(&object, &self.target.scope.namespace_words()) {
                Ok(stored) if Item::of(stored.clone()).is_mesh() => self.mesh(&stored)?,
                Ok(stored) => self.changed(&stored)?,
                Err(error) => self.refused(&object, &error),
            }
        }
        for scope in changed {
            self.concerned(&scope)?;
        }
        Ok(())
    }

    /// The components that a changed BackendConfig concerns, but for those that are planned already.
    pub(super) fn concerned(&mut self, scope: &Concerned) -> Result<()> {
        let words = match scope {
            Concerned::All => vec!["--all-namespaces"],
            Concerned::Namespace(namespace) => vec!["--namespace", namespace.as_str()],
        };
        let seen: Vec<(String, String, String)> =
            self.entries.iter().map(|e| (e.kind.clone(), e.namespace.clone(), e.name.clone())).collect();
        let before = self.entries.len();
        self.everything(&words)?;
        self.sets = None;
        let mut at = 0;
        self.entries.retain(|e| {
            at += 1;
            at <= before || !seen.contains(&(e.kind.clone(), e.namespace.clone(), e.name.clone()))
        });
        Ok(())
    }

    /// A BackendConfig of the input; whose components it concerns, if any.
    fn config(&mut self, object: &Value) -> Option<Concerned> {
        match self.stored(object, &self.target.scope.namespace_words()) {
            Ok(stored) => {
                let item = Item::of(stored.clone());
                let concerned = self.concerns(&item);
                self.configs.insert(&item.namespace, &item.name, Some(stored));
                self.add(&item, Fate::Config);
                concerned
            }
            Err(error) => {
                self.refused(object, &error);
                None
            }
        }
    }

    /// Plans without a BackendConfig; whose components it concerns, if any.
    pub(super) fn without(&mut self, config: &Item) -> Option<Concerned> {
        self.configs.insert(&config.namespace, &config.name, None);
        self.concerns(config)
    }

    fn concerns(&self, config: &Item) -> Option<Concerned> {
        if self.operators.is_global(&config.namespace, &config.name) {
            return Some(Concerned::All);
        }
        let is_used =
            self.operators.of("Function", &config.namespace).namespaced.as_ref() == Some(&config.name);
        is_used.then(|| Concerned::Namespace(config.namespace.clone()))
    }

    /// The object as the API server would store it.
    fn stored(&self, object: &Value, words: &[&str]) -> Result<Value> {
        let all = [&["apply", "--dry-run=server", "--show-managed-fields", "--filename=-"], words].concat();
        self.cluster.json_of(&all, object)
    }

    /// A Function, Source or Sink as it would be stored, beside what it is now.
    fn changed(&mut self, object: &Value) -> Result<()> {
        let item = Item::of(object.clone());
        let resource = item.resource();
        let words = [resource.as_str(), &item.name, "--namespace", &item.namespace, "--ignore-not-found"];
        let before = self.cluster.objects_if_any(&words)?.pop();
        let edits = before.map(|before| edits(&before, object)).unwrap_or_default();
        self.component(object, &edits)
    }

    pub(super) fn component(&mut self, object: &Value, edits: &[String]) -> Result<()> {
        let item = Item::of(object.clone());
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == item.kind).unwrap_or(Kind::Function);
        let operator = self.operators.of(&item.kind, &item.namespace).clone();
        let backend = self.configs.of(&item.namespace, &operator, self.cluster)?;
        let live = self.stateful_set(&item.namespace, &format!("{}-{}", item.name, kind.singular()))?;
        let inputs = ForecastInputs {
            object: &item.object,
            live: live.as_ref(),
            environment: &operator.environment,
            backend: &backend,
            policy: &operator.policy,
            manager: &format!("{}-controller", kind.singular()),
        };
        let rendered = match kind {
            Kind::Function => forecast::<Function>(&inputs),
            Kind::Source => forecast::<Source>(&inputs),
            Kind::Sink => forecast::<Sink>(&inputs),
        };
        let fate = match &rendered.applied {
            Some(set) => {
                let is_taken = rendered.origin == Some(Origin::GoOperator);
                let set = serde_json::to_value(set)?;
                self.tried(rendered.forecast, &set, live.as_ref(), is_taken, inputs.manager)
            }
            None => rendered.forecast,
        };
        let replicas = live.as_ref().filter(|_| rendered.origin.is_some());
        self.entries.push(Entry {
            edits: edits.to_vec(),
            origin: rendered.origin,
            running: replicas.and_then(|live| live.pointer("/spec/replicas")?.as_i64()).unwrap_or_default(),
            unsafe_settings: rendered.unsafe_settings,
            ..Entry::new(item.kind, item.namespace, item.name, Fate::Forecast(fate))
        });
        Ok(())
    }

    /// The forecast as the API server confirms it: it may refuse the StatefulSet, and only it knows its defaults.
    /// `is_taken` says that the fields of all others are taken over first: then a new one shows what is left.
    fn tried(
        &mut self,
        forecast: Forecast,
        set: &Value,
        live: Option<&Value>,
        is_taken: bool,
        manager: &str,
    ) -> Forecast {
        let manager = format!("--field-manager={manager}");
        let stored = if is_taken {
            self.cluster.json_of(&["create", "--dry-run=server", "--filename=-"], &unnamed(set))
        } else {
            self.stored(&with_kind(set), &["--server-side", "--force-conflicts", manager.as_str()])
        };
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) if is_of_caller(&error) => {
                if !std::mem::replace(&mut self.is_untried, true) {
                    eprintln!(
                        "Warning: you may not write StatefulSets, so whether the API server takes them is not known: {error:#}"
                    );
                }
                return forecast;
            }
            Err(error) => return Forecast::Refused(Reason::ApplyFailed, format!("{error:#}")),
        };
        let Some(live) = live else { return forecast };
        let differs = |pointer| live.pointer(pointer) != stored.pointer(pointer);
        match forecast {
            Forecast::Restarts { changes, .. } | Forecast::Changes(changes) => {
                if differs("/spec/template") {
                    let pods = live.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
                    Forecast::Restarts { pods, changes, recreates: false }
                } else if is_taken || differs("/metadata/generation") {
                    Forecast::Changes(changes)
                } else {
                    Forecast::Unchanged
                }
            }
            forecast => forecast,
        }
    }

    pub(super) fn stateful_set(&self, namespace: &str, name: &str) -> Result<Option<Value>> {
        if let Some(sets) = &self.sets {
            return Ok(sets.get(&(namespace.to_owned(), name.to_owned())).cloned());
        }
        let words = [
            "statefulsets.apps",
            name,
            "--namespace",
            namespace,
            "--show-managed-fields",
            "--ignore-not-found",
        ];
        Ok(self.cluster.objects_if_any(&words)?.pop())
    }

    /// A mesh as it would be stored: its components, and those that leave it.
    fn mesh(&mut self, object: &Value) -> Result<()> {
        let mesh = Item::of(object.clone());
        let spec = object.get("spec").cloned().unwrap_or_default();
        let (items, problems) = mesh_items(&mesh.name, &spec);
        let is_valid = problems.is_empty();
        let invalid = || Fate::Forecast(Forecast::Invalid(problems.join("; ")));
        self.add(&mesh, if is_valid { Fate::Mesh } else { invalid() });
        let mut wanted = Vec::new();
        let mut names: BTreeSet<_> =
            items.into_iter().map(|item| (item.kind.name().to_owned(), item.name)).collect();
        for mut component in with_components(object.clone(), &mesh.namespace) {
            let item = Item::of(component.clone());
            // An invalid item becomes no component; of two of a name, the first one does.
            if !names.remove(&(item.kind.clone(), item.name.clone())) {
                continue;
            }
            if let Some(metadata) = component.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("labels".to_owned(), json!({LABEL_MESH: mesh_label(&mesh.name)}));
            }
            wanted.push(item);
            // As the mesh-controller applies it: what leaves the item leaves the component.
            let words = ["--server-side", "--force-conflicts", "--field-manager=mesh-controller"];
            match self.stored(&component, &words) {
                Ok(stored) => self.changed(&stored)?,
                Err(error) => self.refused(&component, &error),
            }
        }
        for left in components_of(&mesh, self.cluster)? {
            if wanted.iter().any(|item| (&item.kind, &item.name) == (&left.kind, &left.name)) {
                continue;
            }
            if is_valid {
                let deletion = self.deletion(&left)?;
                self.add(&left, Fate::Deleted(deletion));
            } else {
                self.add(&left, Fate::Kept);
            }
        }
        Ok(())
    }

    fn refused(&mut self, object: &Value, error: &anyhow::Error) {
        let mut item = Item::of(object.clone());
        if item.namespace.is_empty() {
            item.namespace = self.default_namespace();
        }
        self.add(&item, Fate::Refused(format!("{error:#}")));
    }

    /// The namespace of objects that name none and are not in the cluster.
    pub(super) fn default_namespace(&self) -> String {
        self.target.scope.namespace.clone().unwrap_or_else(|| "default".to_owned())
    }

    pub(super) fn add(&mut self, item: &Item, fate: Fate) {
        let Item { kind, namespace, name, .. } = item.clone();
        self.entries.push(Entry::new(kind, namespace, name, fate));
    }
}

/// Rendered objects name neither their kind nor their version.
fn with_kind(set: &Value) -> Value {
    let mut set = set.clone();
    if let Some(fields) = set.as_object_mut() {
        fields.insert("apiVersion".to_owned(), json!("apps/v1"));
        fields.insert("kind".to_owned(), json!("StatefulSet"));
    }
    set
}

/// The same as another object, which the API server names.
fn unnamed(set: &Value) -> Value {
    let mut set = with_kind(set);
    if let Some(metadata) = set.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(Value::String(name)) = metadata.remove("name")
    {
        metadata.insert("generateName".to_owned(), Value::String(name + "-"));
    }
    set
}

/// Whether the API server refused the caller, and not the object.
fn is_of_caller(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    text.contains("(Forbidden)") && text.contains("cannot ")
}
