//! The common interface of all cached forms of children.

use functionmesh_api::constants::LABEL_NAME;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A child that a label assigns to an object.
pub trait Labelled: Resource<DynamicType = ()> {
    /// The name of the object.
    fn owner(&self) -> Option<&str> {
        self.meta().labels.as_ref()?.get(LABEL_NAME).map(String::as_str)
    }
}

/// The cached form of a child.
pub trait View:
    Labelled
    + Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Drops everything that is not compared. `manager` is the operator's field manager.
    fn prune(&mut self, manager: &str);

    /// Turns it into the form in which it is cached, which takes less memory.
    fn pack(&mut self) {}

    /// The form in which it is read. It is the same if it was not packed.
    #[must_use]
    fn unpacked(self) -> Self {
        self
    }

    /// Whether the Go operator still owns fields of it. They have to be taken over before an apply: otherwise fields that are no
    /// longer rendered would stay.
    fn is_inherited(&self) -> bool {
        false
    }
}
