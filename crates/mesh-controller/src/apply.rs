//! Carries out a plan: several components at a time, for a limited time per reconcile
//! (docs/decisions/0012-meshes-report-every-twenty-seconds.md).

use crate::children::{Child, Owner, prune};
use crate::context::Context;
use crate::items::{DesiredComponent, Kind, object};
use crate::mesh::Mesh;
use crate::plan::Step;
use functionmesh_objects::managed_fields;
use functionmesh_objects::refusal::Refusal;
use functionmesh_objects::shard::Shard;
use functionmesh_runtime::apply::ApplyMode;
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::mutation_cache::MutationCache;
use functionmesh_runtime::reassign::reassign;
use futures::future::join_all;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// Maximum number of components of one mesh that are written at the same time.
const AT_ONCE: usize = 8;
/// After this time the status is written, and the next reconcile continues at once: a reconcile without a report would be aborted
/// after a minute.
const SLICE: Duration = Duration::from_secs(20);

/// The result of the steps.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Number of writes.
    pub(crate) writes: u32,
    /// Names that turned out to be in use.
    pub(crate) conflicts: Vec<String>,
    /// Writes that the API server refused or that failed.
    pub(crate) failures: Vec<ApplyError>,
    /// Components that were not written.
    pub(crate) unwritten: Vec<(Kind, String)>,
    /// Whether steps remain because the time limit was reached.
    pub(crate) unfinished: bool,
    /// Whether the namespace is being deleted; steps remain in that case as well.
    pub(crate) terminating: bool,
}

impl Context {
    /// Carries out the steps: first one, then twice as many at a time up to [`AT_ONCE`], as Kubernetes' own controllers do, so
    /// that an error that affects all of them is found with one request. The failure of one component does not affect the others.
    pub(crate) async fn carry_out(
        &self,
        mesh: &Mesh,
        steps: Vec<(Kind, Step)>,
        labels: &BTreeMap<String, String>,
    ) -> Applied {
        let started = Instant::now();
        let mut done = Applied::default();
        let mut steps = steps.into_iter().peekable();
        let mut size = 1;
        let component = |(kind, step): &(Kind, Step)| step.written().map(|name| (*kind, name.to_owned()));
        while steps.peek().is_some() {
            if started.elapsed() > SLICE {
                done.unfinished = true;
                done.unwritten.extend(steps.filter_map(|step| component(&step)));
                break;
            }
            let batch: Vec<_> = steps.by_ref().take(size).collect();
            let components: Vec<_> = batch.iter().map(component).collect();
            let writes = batch.into_iter().map(|(kind, step)| self.execute(mesh, kind, step, labels));
            for (result, component) in join_all(writes).await.into_iter().zip(components) {
                done.add(result, component);
            }
            if done.terminating {
                break;
            }
            size = (size * 2).min(AT_ONCE);
        }
        done
    }

    async fn execute(
        &self,
        mesh: &Mesh,
        kind: Kind,
        step: Step,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), ApplyError> {
        match kind {
            Kind::Function => self.write(&self.functions.cache, mesh, step, labels).await,
            Kind::Source => self.write(&self.sources.cache, mesh, step, labels).await,
            Kind::Sink => self.write(&self.sinks.cache, mesh, step, labels).await,
        }
    }

    async fn write<K>(
        &self,
        cache: &MutationCache<Child<K>>,
        mesh: &Mesh,
        step: Step,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
    {
        let namespace = mesh.namespace().unwrap_or_default();
        let item = match step {
            Step::Create(item) => return self.apply(cache, mesh, &item, None, labels).await,
            Step::Update(item) => item,
            Step::Settle(item) => {
                let key = ObjectRef::new(&item.name).within(&namespace);
                let Some(child) = cache.get(&key) else { return Ok(()) };
                let settled = self.settle(&child, &item).await?;
                cache.wrote(key, settled);
                return Ok(());
            }
            Step::Delete(name) => {
                let key = ObjectRef::new(&name).within(&namespace);
                return match cache.get(&key) {
                    Some(child) => self.writer.delete(&child).await,
                    None => Ok(()),
                };
            }
        };
        // Deleted in the meantime: it is created like any other.
        let live = cache.get(&ObjectRef::new(&item.name).within(&namespace));
        self.apply(cache, mesh, &item, live.as_ref(), labels).await
    }

    /// Applies a component, with force if it exists. If an unobserved one turns out to exist, it is read, and its owner decides.
    async fn apply<K>(
        &self,
        cache: &MutationCache<Child<K>>,
        mesh: &Mesh,
        item: &DesiredComponent,
        live: Option<&Child<K>>,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
    {
        let namespace = mesh.namespace().unwrap_or_default();
        let owner = mesh.controller_owner_ref(&()).unwrap_or_default();
        let body = |live: Option<&Child<K>>| {
            let uid = live.and_then(ResourceExt::uid);
            with_labels(object(item, &namespace, &owner, uid), labels)
        };
        let name = item.name.as_str();
        let apply = async |live: Option<&Child<K>>| {
            let mode = if live.is_some() { ApplyMode::Update } else { ApplyMode::Create };
            self.writer.apply_json::<Value, Child<K>>(&namespace, mode, name, &body(live)).await
        };
        if let Some(live) = live.filter(|live| live.status.conditions.is_legacy()) {
            self.writer.clear_conditions(live).await?;
        }
        self.prepare(live, item).await?;
        let mut answer = match apply(live).await {
            Err(conflict @ ApplyError::NameConflict { .. }) => {
                let mut found: Option<Child<K>> = self.writer.find(&namespace, name).await?;
                if let Some(child) = &mut found {
                    prune(child, self.writer.manager(), Shard::WHOLE);
                }
                let ours =
                    |child: &Child<K>| matches!(Owner::of(child.meta(), &owner), Owner::Ours | Owner::Orphan);
                let Some(found) = found.filter(ours) else { return Err(conflict) };
                self.prepare(Some(&found), item).await?;
                apply(Some(&found)).await?
            }
            answer => answer?,
        };
        prune(&mut answer, self.writer.manager(), Shard::WHOLE);
        cache.wrote(ObjectRef::new(name).within(&namespace), answer);
        Ok(())
    }

    /// Corrects the field ownership before an apply, because the apply removes fields that the item does not state and that only
    /// the mesh owns.
    async fn prepare<K>(&self, live: Option<&Child<K>>, item: &DesiredComponent) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
    {
        match live.filter(|child| !item.is_settled(child.owners)) {
            Some(child) => self.settle(child, item).await.map(drop),
            None => Ok(()),
        }
    }

    /// Makes the mesh the only owner of the fields that it applied to a component, and removes its ownership of the number of
    /// replicas unless the item states it.
    async fn settle<K>(&self, child: &Child<K>, item: &DesiredComponent) -> Result<Child<K>, ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
    {
        let change = |entries| managed_fields::settle(entries, item.states_replicas);
        let mut settled = reassign(&self.writer, child, None, change).await?;
        prune(&mut settled, self.writer.manager(), Shard::WHOLE);
        Ok(settled)
    }
}

impl Applied {
    fn add(&mut self, result: Result<(), ApplyError>, component: Option<(Kind, String)>) {
        match result {
            Ok(()) => self.writes += 1,
            Err(ApplyError::NameConflict { kind, name }) => self.conflicts.push(format!("{kind} {name}")),
            Err(error) => {
                self.terminating |= error.refusal() == Some(Refusal::NamespaceTerminating);
                self.unwritten.extend(component);
                self.failures.push(error);
            }
        }
    }
}

/// The steps, starting at a random one: after a failure, steps that fail slowly must not use up the time of the others at each
/// attempt.
pub(crate) fn rotated<T>(mut steps: Vec<T>) -> Vec<T> {
    let length = u64::try_from(steps.len()).unwrap_or(u64::MAX).max(1);
    let first = RandomState::new().hash_one(length) % length;
    steps.rotate_left(usize::try_from(first).unwrap_or_default());
    steps
}

fn with_labels(mut object: Value, labels: &BTreeMap<String, String>) -> Value {
    if let Some(Value::Object(all)) = object.pointer_mut("/metadata/labels") {
        for (key, value) in labels {
            // The labels of the component itself have precedence.
            all.entry(key.clone()).or_insert_with(|| json!(value));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotating_keeps_all() {
        let mut steps = rotated((0..10).collect::<Vec<_>>());
        steps.sort_unstable();
        assert_eq!(steps, (0..10).collect::<Vec<_>>());
        assert!(rotated(Vec::<()>::new()).is_empty());
    }

    #[test]
    fn labels_are_added_beside_those_of_the_component() {
        let labels = BTreeMap::from([("a".to_owned(), "x".to_owned()), ("shard".to_owned(), "b".to_owned())]);
        let object = with_labels(json!({"metadata": {"labels": {"a": "own"}}}), &labels);
        assert_eq!(object["metadata"]["labels"], json!({"a": "own", "shard": "b"}));
    }
}
