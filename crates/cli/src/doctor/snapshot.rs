//! What the checks look at: read once, several calls at a time.

use super::finding::Findings;
use crate::cluster::controllers::Controller;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::parallel::each;
use crate::cluster::target::{self, Scope};
use crate::definitions;
use anyhow::Result;
use functionmesh_api::constants::LABEL_COMPONENT;
use serde_json::Value;

/// The state of the cluster.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// Functions, Sources, Sinks and FunctionMeshes.
    pub(crate) items: Vec<Item>,
    /// StatefulSets with our labels.
    pub(crate) sets: Vec<Item>,
    /// Pods with our labels.
    pub(crate) pods: Vec<Item>,
    /// Controllers of all namespaces; none where they could not be read.
    pub(crate) controllers: Option<Vec<Controller>>,
    /// CustomResourceDefinitions that could be read.
    pub(crate) definitions: Option<Vec<Value>>,
}

impl Snapshot {
    /// Reads everything. What may not be read is noted.
    ///
    /// # Errors
    /// When the objects themselves cannot be read.
    pub(crate) fn read(cluster: &Connection, scope: &Scope, findings: &mut Findings) -> Result<Self> {
        let kinds = target::all_kinds();
        let label = format!("--selector={LABEL_COMPONENT}");
        let names = definitions::names();
        let scope = scope.words();
        let calls: [Vec<&str>; 5] = [
            [&[kinds.as_str()], scope.as_slice()].concat(),
            [&["statefulsets.apps", label.as_str()], scope.as_slice()].concat(),
            [&["pods", label.as_str()], scope.as_slice()].concat(),
            vec!["deployments.apps", "--all-namespaces"],
            std::iter::once("customresourcedefinitions.apiextensions.k8s.io")
                .chain(names.iter().map(String::as_str))
                .collect(),
        ];
        let mut answers = each(&calls, calls.len(), |words| cluster.existing(words)).into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Ok(Vec::new()));
        let [items, sets, pods, deployments, definitions] = [next(), next(), next(), next(), next()];
        let mut optional = |what: &str, answer: Result<Vec<Value>>| {
            answer.map_err(|error| findings.unchecked(what, &format!("{error:#}"))).ok()
        };
        let list =
            |objects: Option<Vec<Value>>| objects.unwrap_or_default().into_iter().map(Item::of).collect();
        Ok(Self {
            items: items?.into_iter().map(Item::of).collect(),
            sets: list(optional("StatefulSets (references of pods, orphans)", sets)),
            pods: list(optional("pods (stale configuration, running images)", pods)),
            controllers: optional("controllers", deployments).map(|found| Controller::among(&found)),
            definitions: optional("CustomResourceDefinitions", definitions),
        })
    }

    /// The component that owns a StatefulSet.
    pub(crate) fn owner_of(&self, set: &Item) -> Option<&Item> {
        self.items.iter().find(|item| item.owns(&set.object))
    }

    /// Functions, Sources and Sinks.
    pub(crate) fn components(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.is_mesh())
    }
}
