//! `kubectl fmesh plan --deletion`: what a deletion removes, what it keeps, and whether it would end.

use super::entry::{Deletion, Fate};
use super::operator::Running;
use super::planner::Planner;
use crate::cluster::item::Item;
use crate::cluster::target::{Target, all_kinds, components_of};
use crate::terminal::progress;
use anyhow::{Result, bail};
use functionmesh_api::constants::{FINALIZER_CLEANUP, LABEL_COMPONENT};
use functionmesh_api::{Function, Sink, Source};
use functionmesh_plan::deletion::{Cleanup, cleanup};
use serde_json::Value;

/// Finalizers of the garbage collector, which it removes by itself.
const OF_KUBERNETES: [&str; 2] = ["orphan", "foregroundDeletion"];

impl Planner<'_> {
    /// Plans for the deletion of the objects of the files, or of those that are named.
    pub(super) fn deletions(&mut self) -> Result<()> {
        let live = if self.input.is_given() {
            let (ours, _): (Vec<Value>, Vec<Value>) =
                self.input.objects()?.into_iter().partition(crate::render::is_ours);
            ours.into_iter().map(|object| self.live(&object)).collect::<Result<Vec<_>>>()?
        } else {
            named(self.target, self.cluster)?.into_iter().map(Ok).collect()
        };
        for found in live {
            progress(&format!("{} objects planned", self.entries.len()));
            match found {
                Ok(item) if item.kind == "BackendConfig" => {
                    let scope = self.without(&item);
                    self.add(&item, Fate::Config);
                    if let Some(scope) = scope {
                        self.concerned(&scope)?;
                    }
                }
                Ok(item) => self.deleted(&item)?,
                Err(absent) => self.add(&absent, Fate::Absent),
            }
        }
        Ok(())
    }

    /// The object of a manifest as the cluster has it; what the manifest says of it when there is none.
    fn live(&self, object: &Value) -> Result<Result<Item, Item>> {
        let mut item = Item::of(object.clone());
        let resource = match item.kind.as_str() {
            "BackendConfig" => format!("backendconfigs.{}", functionmesh_api::constants::GROUP),
            _ => item.resource(),
        };
        let mut words = vec![resource.as_str(), &item.name, "--ignore-not-found"];
        if item.namespace.is_empty() {
            words.extend(self.target.scope.namespace_words());
        } else {
            words.extend(["--namespace", &item.namespace]);
        }
        let found = self.cluster.objects_if_any(&words)?.pop();
        Ok(found.map(Item::of).ok_or_else(|| {
            if item.namespace.is_empty() {
                item.namespace = self.default_namespace();
            }
            item
        }))
    }

    /// A component, or a mesh with its components.
    fn deleted(&mut self, item: &Item) -> Result<()> {
        if !item.is_mesh() {
            let deletion = self.deletion(item)?;
            self.add(item, Fate::Deleted(deletion));
            return Ok(());
        }
        let hangs = self.hangs(item)?;
        self.add(item, Fate::Deleted(Deletion { hangs, ..Deletion::default() }));
        for component in components_of(item, self.cluster)? {
            let is_planned = self.entries.iter().any(|entry| {
                (&entry.kind, &entry.namespace, &entry.name)
                    == (&component.kind, &component.namespace, &component.name)
            });
            if !is_planned {
                self.deleted(&component)?;
            }
        }
        Ok(())
    }

    /// What the deletion of a component does.
    pub(super) fn deletion(&mut self, item: &Item) -> Result<Deletion> {
        let mut deletion = Deletion { hangs: self.hangs(item)?, ..Deletion::default() };
        let set = format!("{}-{}", item.name, item.kind.to_lowercase());
        let mut children = Vec::new();
        let mut claims: Vec<(String, bool)> = Vec::new();
        for child in self.children(&item.namespace)? {
            let child = Item::of(child.clone());
            if child.kind == "StatefulSet" && child.name == set && item.owns(&child.object) {
                deletion.pods =
                    child.object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
                claims = templates(&child.object);
            }
            if item.owns(&child.object) {
                children.push(format!("{} {}", child.kind, child.name));
            }
        }
        if !children.is_empty() {
            deletion.lines.push(format!("deletes {}", children.join(", ")));
        }
        for (claim, is_deleted) in claims {
            let prefix = format!("{claim}-{set}-");
            let found: Vec<String> = self
                .children(&item.namespace)?
                .iter()
                .map(|child| Item::of(child.clone()))
                .filter(|child| child.kind == "PersistentVolumeClaim" && child.name.starts_with(&prefix))
                .map(|child| child.name)
                .collect();
            if !found.is_empty() {
                let verb = if is_deleted { "deletes" } else { "keeps" };
                let policy = if is_deleted { "Delete" } else { "Retain" };
                deletion.lines.push(format!(
                    "{verb} PersistentVolumeClaim {} (whenDeleted: {policy})",
                    found.join(", ")
                ));
            }
        }
        deletion.lines.push(in_pulsar(item));
        Ok(deletion)
    }

    /// Children of all components of a namespace, and their volume claims; read once.
    fn children(&mut self, namespace: &str) -> Result<&Vec<Value>> {
        if !self.children.contains_key(namespace) {
            let kinds =
                "statefulsets.apps,services,horizontalpodautoscalers.autoscaling,persistentvolumeclaims";
            let label = format!("--selector={LABEL_COMPONENT}");
            let found = self.cluster.objects(&[kinds, "--namespace", namespace, &label])?;
            self.children.insert(namespace.to_owned(), found);
        }
        Ok(self.children.entry(namespace.to_owned()).or_default())
    }

    /// Why the deletion of an object would not end.
    fn hangs(&self, item: &Item) -> Result<Option<String>> {
        let finalizers = item.object.pointer("/metadata/finalizers").and_then(Value::as_array);
        let finalizers: Vec<&str> = finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
        if let Some(other) =
            finalizers.iter().find(|name| **name != FINALIZER_CLEANUP && !OF_KUBERNETES.contains(name))
        {
            return Ok(Some(format!(
                "until its finalizer {other} is removed, which is none of this operator"
            )));
        }
        if !finalizers.contains(&FINALIZER_CLEANUP) {
            return Ok(None);
        }
        Ok(match self.operators.running(item, self.cluster)? {
            Running::Yes | Running::Unknown => None,
            Running::No(why) => Some(format!(
                "until its finalizer {FINALIZER_CLEANUP} is removed, and {why}; see docs/uninstall.md"
            )),
        })
    }
}

/// Objects that are named or selected, meshes among them.
fn named(target: &Target, cluster: &crate::cluster::kubectl::Connection) -> Result<Vec<Item>> {
    let found = target.objects(&all_kinds(), cluster)?;
    if found.is_empty() {
        bail!("no object was found");
    }
    Ok(found)
}

/// The claim templates of a StatefulSet, and whether their claims are deleted with it.
fn templates(set: &Value) -> Vec<(String, bool)> {
    let policy = set.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted");
    let is_deleted = policy.is_some_and(|policy| policy == "Delete");
    let templates = set.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    let names = templates.into_iter().flatten().filter_map(|claim| claim.pointer("/metadata/name")?.as_str());
    names.map(|name| (name.to_owned(), is_deleted)).collect()
}

/// What happens to the object's subscriptions and topics.
fn in_pulsar(item: &Item) -> String {
    let finalizers = item.object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let is_held = finalizers.into_iter().flatten().any(|name| name == FINALIZER_CLEANUP);
    let cleanup = match item.kind.as_str() {
        "Source" => cleanup::<Source>(&item.object),
        "Sink" => cleanup::<Sink>(&item.object),
        _ => cleanup::<Function>(&item.object),
    };
    match cleanup {
        Cleanup::Runs { job, removes } if is_held => format!("Job {job} removes {}", removes.join(", ")),
        Cleanup::Runs { .. } => {
            format!(
                "keeps its subscription in Pulsar: no controller has set the finalizer {FINALIZER_CLEANUP} yet"
            )
        }
        Cleanup::Nothing => "keeps its topics and subscriptions in Pulsar".to_owned(),
        Cleanup::Skipped => {
            "keeps its topics and subscriptions in Pulsar: the cleanup is disabled".to_owned()
        }
        Cleanup::Impossible(why) => {
            format!("keeps its topics and subscriptions in Pulsar: the object cannot be rendered ({why})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_kept_unless_the_policy_says_otherwise() {
        let set = |policy: &str| {
            json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}})
        };
        assert_eq!(templates(&set("Delete")), [("data".to_owned(), true)]);
        assert_eq!(templates(&set("Retain")), [("data".to_owned(), false)]);
    }

    #[test]
    fn a_cleanup_needs_the_finalizer() {
        let item = |finalizers: Value| {
            Item::of(
                json!({"kind": "Function", "metadata": {"name": "f", "finalizers": finalizers}, "spec": {
                "image": "i", "className": "C", "java": {"jar": "/a.jar"}, "pulsar": {"pulsarConfig": "p"},
                "cleanupSubscription": true, "subscriptionName": "s", "input": {"topics": ["persistent://a/b/c"]}}}),
            )
        };
        let said = in_pulsar(&item(json!([FINALIZER_CLEANUP])));
        assert_eq!(said, "Job f-function-cleanup removes subscription s on persistent://a/b/c");
        assert!(in_pulsar(&item(json!([]))).contains("no controller has set the finalizer"));
    }
}
