//! Reads what a plan needs, and decides about one object after the other.

use super::backend::Configs;
use super::edits::edits;
use super::entry::{Entry, Fate};
use super::operator::Operators;
use super::trial::{Trial, confirm};
use crate::cluster::batch::{Key, key};
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::target::{Target, component_kinds, components_of};
use crate::input::Input;
use crate::render::{is_ours, with_components};
use crate::terminal::progress;
use anyhow::Result;
use functionmesh_api::constants::{LABEL_COMPONENT, LABEL_MESH};
use functionmesh_api::{Function, Kind, Sink, Source, mesh_items, mesh_label};
use functionmesh_plan::forecast::{Forecast, ForecastInputs, Origin, forecast};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The components that a BackendConfig applies to.
pub(super) enum Concerned {
    /// Those of all namespaces.
    All,
    /// Those of one.
    Namespace(String),
}

/// Everything that is read once, and the plan so far.
pub(super) struct Planner<'a> {
    pub(super) input: &'a Input,
    pub(super) target: &'a Target,
    pub(super) cluster: &'a Connection,
    pub(super) operators: Operators,
    pub(super) configs: Configs,
    pub(super) entries: Vec<Entry>,
    /// StatefulSets that the API server is to confirm.
    pub(super) trials: Vec<Trial>,
    /// Children of the components of a namespace, for deletions.
    pub(super) children: BTreeMap<String, Vec<Value>>,
}

/// What becomes an entry once the cluster was asked about all of them.
enum Step {
    /// Nothing is left to ask.
    Done(Box<Entry>),
    /// A Function, Source or Sink as it would be stored.
    Component(Value),
}

impl Planner<'_> {
    /// Objects as they are stored, but for those that are planned already.
    pub(super) fn everything(&mut self, scope: &[&str]) -> Result<()> {
        let kinds = component_kinds();
        let words = [&[kinds.as_str(), "--show-managed-fields"], scope].concat();
        let objects = self.cluster.objects(&words)?;
        let label = format!("--selector={LABEL_COMPONENT}");
        let words = [&["statefulsets.apps", "--show-managed-fields", &label], scope].concat();
        let sets = self.cluster.objects(&words)?;
        let sets: BTreeMap<Key, Value> = sets.into_iter().map(|set| (key(&set), set)).collect();
        let known: BTreeSet<Key> = self.entries.iter().map(Entry::key).collect();
        for object in objects.iter().filter(|object| !known.contains(&key(object))) {
            self.component(object, &[], sets.get(&key(&stateful_set_of(object))))?;
        }
        Ok(())
    }

    /// The objects of the files, and the components that a BackendConfig among them concerns.
    pub(super) fn files(&mut self) -> Result<()> {
        let (ours, others): (Vec<Value>, Vec<Value>) = self.input.objects()?.into_iter().partition(is_ours);
        if !others.is_empty() {
            eprintln!("Not planned: {} of other kinds", crate::terminal::plural(others.len(), "object"));
        }
        let (configs, ours): (Vec<Value>, Vec<Value>) = ours
            .into_iter()
            .partition(|object| object.get("kind").is_some_and(|kind| kind == "BackendConfig"));
        let scope = self.target.scope.namespace_words();
        let mut changed = Vec::new();
        for (config, stored) in configs.iter().zip(self.stored(&configs, &scope)) {
            changed.extend(self.config(config, stored));
        }
        let mut steps = Vec::new();
        for (object, stored) in ours.iter().zip(self.stored(&ours, &scope)) {
            match stored {
                Ok(stored) if Item::of(stored.clone()).is_mesh() => steps.extend(self.mesh(&stored)?),
                Ok(stored) => steps.push(Step::Component(stored)),
                Err(error) => steps.push(Step::Done(Box::new(self.refused(object, &error)))),
            }
        }
        self.take(steps)?;
        for scope in changed {
            self.concerned(&scope)?;
        }
        Ok(())
    }

    /// The components that a changed BackendConfig concerns, but for those that are planned already.
    pub(super) fn concerned(&mut self, scope: &Concerned) -> Result<()> {
        match scope {
            Concerned::All => self.everything(&["--all-namespaces"]),
            Concerned::Namespace(namespace) => self.everything(&["--namespace", namespace]),
        }
    }

    /// Asks the API server about the StatefulSets that the controllers would write.
    pub(super) fn confirm(&mut self) {
        confirm(std::mem::take(&mut self.trials), &mut self.entries, self.cluster);
    }

    /// The components beside what they are now.
    fn take(&mut self, steps: Vec<Step>) -> Result<()> {
        let components = steps.iter().filter_map(|step| match step {
            Step::Component(object) => Some(object),
            Step::Done(_) => None,
        });
        let read: Vec<Value> =
            components.flat_map(|object| [object.clone(), stateful_set_of(object)]).collect();
        let live = self.cluster.live(&read)?;
        for step in steps {
            match step {
                Step::Done(entry) => self.entries.push(*entry),
                Step::Component(object) => {
                    let before = live.get(&key(&object));
                    let edits = before.map(|before| edits(before, &object)).unwrap_or_default();
                    self.component(&object, &edits, live.get(&key(&stateful_set_of(&object))))?;
                }
            }
        }
        Ok(())
    }

    /// A BackendConfig of the input; whose components it concerns, if any.
    fn config(&mut self, object: &Value, stored: Result<Value>) -> Option<Concerned> {
        match stored {
            Ok(stored) => {
                let item = Item::of(stored.clone());
                let concerned = self.concerns(&item);
                self.configs.insert(&item.namespace, &item.name, Some(stored));
                self.add(&item, Fate::Config);
                concerned
            }
            Err(error) => {
                let entry = self.refused(object, &error);
                self.entries.push(entry);
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

    /// Objects as the API server would store them.
    fn stored(&self, objects: &[Value], words: &[&str]) -> Vec<Result<Value>> {
        let all = [&["apply", "--dry-run=server", "--show-managed-fields", "--filename=-"], words].concat();
        self.cluster.json_of_each(&all, objects)
    }

    /// The forecast for a component as it would be stored, with its StatefulSet.
    fn component(&mut self, object: &Value, edits: &[String], live: Option<&Value>) -> Result<()> {
        let item = Item::of(object.clone());
        let kind = kind_of(&item);
        let operator = self.operators.of(&item.kind, &item.namespace).clone();
        let backend = self.configs.of(&item.namespace, &operator, self.cluster)?;
        let inputs = ForecastInputs {
            object: &item.object,
            live,
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
        if let Some(set) = &rendered.applied {
            self.trials.push(Trial {
                at: self.entries.len(),
                set: serde_json::to_value(set)?,
                live: live.cloned(),
                is_taken: rendered.origin == Some(Origin::GoOperator),
                manager: inputs.manager.to_owned(),
            });
        }
        let replicas = live.filter(|_| rendered.origin.is_some());
        self.entries.push(Entry {
            edits: edits.to_vec(),
            origin: rendered.origin,
            running: replicas.and_then(|live| live.pointer("/spec/replicas")?.as_i64()).unwrap_or_default(),
            unsafe_settings: rendered.unsafe_settings,
            ..Entry::of(&item, Fate::Forecast(rendered.forecast))
        });
        progress(&format!("{} objects planned", self.entries.len()));
        Ok(())
    }

    /// A mesh as it would be stored: its components, and those that leave it.
    fn mesh(&mut self, object: &Value) -> Result<Vec<Step>> {
        let mesh = Item::of(object.clone());
        let spec = object.get("spec").cloned().unwrap_or_default();
        let (items, problems) = mesh_items(&mesh.name, &spec);
        let is_valid = problems.is_empty();
        let invalid = || Fate::Forecast(Forecast::Invalid(problems.join("; ")));
        let fate = if is_valid { Fate::Mesh } else { invalid() };
        let mut steps = vec![Step::Done(Box::new(Entry::of(&mesh, fate)))];
        let mut names: BTreeSet<_> =
            items.into_iter().map(|item| (item.kind.name().to_owned(), item.name)).collect();
        let mut desired = Vec::new();
        for mut component in with_components(object.clone(), &mesh.namespace) {
            let item = Item::of(component.clone());
            // An invalid item becomes no component; of two of a name, the first one does.
            if !names.remove(&(item.kind, item.name)) {
                continue;
            }
            if let Some(metadata) = component.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("labels".to_owned(), json!({LABEL_MESH: mesh_label(&mesh.name)}));
            }
            desired.push(component);
        }
        // As the mesh-controller applies it: what leaves the item leaves the component.
        let words = ["--server-side", "--force-conflicts", "--field-manager=mesh-controller"];
        for (component, stored) in desired.iter().zip(self.stored(&desired, &words)) {
            steps.push(match stored {
                Ok(stored) => Step::Component(stored),
                Err(error) => Step::Done(Box::new(self.refused(component, &error))),
            });
        }
        let desired: BTreeSet<Key> = desired.iter().map(key).collect();
        for left in components_of(&mesh, self.cluster)? {
            if desired.contains(&key(&left.object)) {
                continue;
            }
            let fate = if is_valid { Fate::Deleted(self.deletion(&left)?) } else { Fate::Kept };
            steps.push(Step::Done(Box::new(Entry::of(&left, fate))));
        }
        Ok(steps)
    }

    fn refused(&self, object: &Value, error: &anyhow::Error) -> Entry {
        let mut item = Item::of(object.clone());
        if item.namespace.is_empty() {
            item.namespace = self.default_namespace();
        }
        Entry::of(&item, Fate::Refused(format!("{error:#}")))
    }

    /// The namespace of objects that name none and are not in the cluster.
    pub(super) fn default_namespace(&self) -> String {
        self.target.scope.namespace.clone().unwrap_or_else(|| "default".to_owned())
    }

    pub(super) fn add(&mut self, item: &Item, fate: Fate) {
        self.entries.push(Entry::of(item, fate));
    }
}

fn kind_of(item: &Item) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.name() == item.kind).unwrap_or(Kind::Function)
}

/// Name and namespace of the StatefulSet of a component.
fn stateful_set_of(component: &Value) -> Value {
    let item = Item::of(component.clone());
    let name = format!("{}-{}", item.name, kind_of(&item).singular());
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"namespace": item.namespace, "name": name}})
}
