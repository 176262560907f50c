//! One object of a plan, and what becomes of it.

use crate::cluster::batch::Key;
use crate::cluster::item::Item;
use functionmesh_plan::forecast::{Forecast, Origin};

/// What the deletion of one object does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deletion {
    /// Pods that are deleted.
    pub(crate) pods: i64,
    /// What else is deleted, removed or kept.
    pub(crate) lines: Vec<String>,
    /// Why it would not end, if so.
    pub(crate) hangs: Option<String>,
}

/// What becomes of one object.
pub(crate) enum Fate {
    /// The controllers bring it about.
    Forecast(Forecast),
    /// The API server does not take it, or nothing could be found out.
    Refused(String),
    /// It is deleted.
    Deleted(Deletion),
    /// There is nothing of that name to delete.
    Absent,
    /// A component that leaves its mesh stays while an item of the mesh is invalid.
    Kept,
    /// It has no pods of its own; its components follow.
    Mesh,
    /// A BackendConfig, with what it does.
    Config,
}

/// One object.
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Fields of the object that the apply changes.
    pub(crate) edits: Vec<String>,
    pub(crate) fate: Fate,
    /// Who rendered its StatefulSet, when it has one.
    pub(crate) origin: Option<Origin>,
    /// Pods that its StatefulSet asks for.
    pub(crate) running: i64,
    /// Settings that are dangerous in its runtime.
    pub(crate) unsafe_settings: Option<String>,
}

impl Entry {
    /// An entry about an object.
    pub(crate) fn of(item: &Item, fate: Fate) -> Self {
        let Item { kind, namespace, name, .. } = item.clone();
        Self::new(kind, namespace, name, fate)
    }

    /// Kind, namespace and name of its object.
    pub(crate) fn key(&self) -> Key {
        (self.kind.clone(), self.namespace.clone(), self.name.clone())
    }

    pub(crate) fn new(kind: String, namespace: String, name: String, fate: Fate) -> Self {
        Self {
            kind,
            namespace,
            name,
            edits: Vec::new(),
            fate,
            origin: None,
            running: 0,
            unsafe_settings: None,
        }
    }

    /// Whether it fails the plan.
    pub(crate) fn is_failed(&self) -> bool {
        self.is_hanging()
            || matches!(
                self.fate,
                Fate::Refused(_) | Fate::Forecast(Forecast::Invalid(_) | Forecast::Refused(..))
            )
    }

    /// Whether it is a deletion that would not end.
    pub(crate) fn is_hanging(&self) -> bool {
        matches!(&self.fate, Fate::Deleted(deletion) if deletion.hangs.is_some())
    }
}
